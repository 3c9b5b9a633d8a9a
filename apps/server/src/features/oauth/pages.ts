import { type Html, html, page } from "../../kit/html.ts";
import { SCOPE } from "./service.ts";
import type { Grant } from "./store.ts";

/** What the one who decides is shown of who asks. */
export type Asking = {
  readonly clientId: string;
  readonly address: string;
  /** Country, where it is known. */
  readonly place: string | undefined;
  readonly userAgent: string;
};

export function askingOf(grant: Grant, place: string | undefined): Asking {
  return { clientId: grant.client_id, address: grant.address, place, userAgent: grant.user_agent };
}

export function codePage(options: { readonly username: string; readonly problem?: string }): string {
  const { username, problem } = options;
  return page({
    title: "Let a device in",
    body: html`<p>You are signed in as <b>${username}</b>. Type the code that your device shows.</p>
${problem !== undefined && html`<p class="bad" role="alert">${problem}</p>`}
<form method="post" action="/device"><label for="user_code">Code</label>
<input id="user_code" name="user_code" class="code" autocomplete="off" autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX" required maxlength="20">
<p><button name="decision" value="look">Go on</button></p></form>`,
  });
}

export function devicePage(options: {
  readonly username: string;
  readonly asking: Asking;
  readonly userCode: string;
}): string {
  const { username, asking, userCode } = options;
  return page({
    title: "Let this device in?",
    body: html`<p>Only if you have just begun to sign in there yourself, and if it shows this code:</p>
<p class="code"><b>${userCode}</b></p>
${facts(username, asking)}
<form method="post" action="/device"><input type="hidden" name="user_code" value="${userCode}">
<button name="decision" value="allow">Let it in</button> <button class="quiet" name="decision" value="deny">No</button></form>`,
  });
}

export function consentPage(options: {
  readonly username: string;
  readonly asking: Asking;
  readonly fields: Readonly<Record<string, string>>;
}): string {
  const { username, asking, fields } = options;
  const hidden = Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  return page({
    title: "Let this program in?",
    body: html`<p>A program on your machine asks to act for you. Only go on if you have just started it yourself.</p>
${facts(username, asking)}
<form method="post" action="/oauth/authorize">${hidden}
<button name="decision" value="allow">Let it in</button> <button class="quiet" name="decision" value="deny">No</button></form>`,
  });
}

export function messagePage(title: string, text: string): string {
  return page({ title, body: html`<p>${text}</p>` });
}

function facts(username: string, { clientId, address, place, userAgent }: Asking): Html {
  const rows: readonly (readonly [string, string])[] = [
    ["It calls itself", clientId],
    ["It asks from", place === undefined ? address : `${address} (${place})`],
    ["With", userAgent === "" ? "nothing said" : userAgent],
    ["It may then", `do everything that you may, as ${username} (${SCOPE})`],
  ];
  return html`<table>${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</table>`;
}
