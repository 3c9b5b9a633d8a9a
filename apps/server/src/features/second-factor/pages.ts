import { type Html, html, page } from "../../kit/html.ts";
import { qrCode } from "./qr-code.ts";
import type { StoredFactor } from "./store.ts";

const CODE_FIELD = html`<input id="code" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required maxlength="64" autofocus>`;

const SCRIPT = html`<script src="/auth/passkey.js" defer></script>`;

export function askPage({ redirectTo, problem }: { readonly redirectTo: string; readonly problem?: string }): string {
  const body = html`${bad(problem)}
<p>Give the code that your app shows, or one of your recovery codes.</p>
<form method="post" action="/auth/second-factor"><label for="code">Code</label>${CODE_FIELD}
<input type="hidden" name="redirect_to" value="${redirectTo}"><p><button>Sign in</button></p></form>
<form data-passkey="give" hidden><input type="hidden" name="redirect_to" value="${redirectTo}"><p><button class="quiet">Use a passkey</button></p><p class="bad" role="alert"></p></form>
${SCRIPT}<p class="dim">Lost both? An administrator can remove your second factors.</p>`;
  return page({ title: "Second factor", body });
}

/** For who has been signed in for a while. */
export function againPage(options: { readonly factors: readonly StoredFactor[]; readonly problem?: string }): string {
  const { factors, problem } = options;
  const hasPasskey = factors.some(({ type }) => type === "passkey");
  const body = html`${bad(problem)}
<p>You have been signed in for a while, or without your second factor, and this changes how you get in.</p>
${
  factors.length > 0
    ? html`<form method="post" action="/auth/factors/again"><label for="code">Give the code that your app shows, or a recovery code</label>${CODE_FIELD}<p><button>Continue</button></p></form>
${hasPasskey && html`<form data-passkey="again" hidden><p><button class="quiet">Use a passkey</button></p><p class="bad" role="alert"></p></form>${SCRIPT}`}`
    : html`<p>Sign out and in again, then come back.</p><form method="post" action="/auth/sign-out"><button>Sign out</button></form>`
}`;
  return page({ title: "Is it still you?", body });
}

export function factorsPage(options: {
  readonly factors: readonly StoredFactor[];
  readonly recoveryCodesLeft: number;
}): string {
  const { factors, recoveryCodesLeft } = options;
  const body = html`${
    factors.length === 0
      ? html`<p>You have no second factor: whoever gets into your mail or your account at a provider gets in here.</p>`
      : html`<table><thead><tr><th>Factor</th><th>Since</th><th>Last used</th><th></th></tr></thead><tbody>${factors.map(factorRow)}</tbody></table>
<h2>Recovery codes</h2><p>${recoveryCodesLeft} left, for the day that your app is lost.</p>
<form method="post" action="/auth/factors/recovery-codes"><button class="quiet">Make new ones</button></form>`
  }
<h2>Add an app</h2>
<form method="post" action="/auth/factors/totp"><label for="name">What do you call it?</label>
<input id="name" name="name" required maxlength="64" value="Authenticator"><p><button>Add</button></p></form>
<form data-passkey="add" hidden><h2>Add a passkey</h2><label for="passkey-name">What do you call it?</label>
<input id="passkey-name" name="name" required maxlength="64" value="Passkey"><p><button>Add a passkey</button></p><p class="bad" role="alert"></p></form>
${SCRIPT}<p><a href="/auth/account">Your account</a></p>`;
  return page({ title: "Second factor", body, wide: true });
}

function factorRow({ id, name, created_at: since, last_used_at: used }: StoredFactor): Html {
  return html`<tr><td>${name}</td><td>${since.slice(0, 10)}</td><td>${used?.slice(0, 10) ?? "never"}</td>
<td><form class="inline" method="post" action="/auth/factors/remove"><input type="hidden" name="id" value="${id}"><button class="quiet">Remove</button></form></td></tr>`;
}

export function totpPage(options: {
  readonly id: string;
  readonly secret?: string;
  readonly address?: string;
  readonly problem?: string;
}): string {
  const { id, secret, address = "", problem } = options;
  const body = html`${bad(problem)}
${
  secret !== undefined &&
  html`<p>Show this to the camera of your app; it is shown only now. On this device, <a href="${address}">open it in the app</a>.</p>
${qrCode(address, "The key for your app, as a QR code")}
<p>Without a camera, type this key:</p>
<p class="code">${secret.replaceAll(/(.{4})(?=.)/g, "$1 ")}</p>`
}
<form method="post" action="/auth/factors/totp/confirm"><label for="code">Then give the code that the app shows</label>${CODE_FIELD}
<input type="hidden" name="id" value="${id}"><p><button>Confirm</button></p></form>`;
  return page({ title: "Add an app", body });
}

export function recoveryCodesPage(codes: readonly string[]): string {
  const body = html`<p>Each of these gets you in once, in place of your second factor. They are shown only now: print them, or put
them where you keep passwords. Those that you had before are void.</p>
<pre>${codes.join("\n")}</pre><p><a class="button" href="/auth/factors">I have them</a></p>`;
  return page({ title: "Recovery codes", body });
}

function bad(problem: string | undefined): Html | undefined {
  return problem === undefined ? undefined : html`<p class="bad" role="alert">${problem}</p>`;
}
