/**
 * What passkeys need a script for: the one script of our pages, served by us and by nobody else. It asks the server what to
 * sign, the browser to have it signed, and the server what comes next; buttons that it can do nothing for stay hidden.
 */
export const PASSKEY_SCRIPT = `"use strict";
(() => {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return;
  const ask = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (said.code === "recent_sign_in_required") {
      location.assign("/auth/factors/again");
      return new Promise(() => {});
    }
    if (!answer.ok) throw new Error(said.detail);
    return said;
  };
  const ways = {
    async add(form) {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await ask("/auth/passkey/add-options", {}));
      const made = await navigator.credentials.create({ publicKey });
      return ask("/auth/passkey/add", { name: form.elements.name.value, response: made.toJSON() });
    },
    async give(form) {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await ask("/auth/passkey/options", {}));
      const signed = await navigator.credentials.get({ publicKey });
      return ask("/auth/passkey/give", { redirect_to: form.elements.redirect_to.value, response: signed.toJSON() });
    },
    async again() {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await ask("/auth/passkey/again-options", {}));
      const signed = await navigator.credentials.get({ publicKey });
      return ask("/auth/passkey/again", { response: signed.toJSON() });
    },
  };
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const problem = form.querySelector("[role=alert]");
      problem.textContent = "";
      try {
        location.assign((await ways[form.dataset.passkey](form)).location);
      } catch (error) {
        problem.textContent = error.message;
      }
    });
  }
})();
`;
