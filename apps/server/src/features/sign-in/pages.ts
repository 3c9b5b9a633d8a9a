import type { SessionInfo } from "@loom/api";
import { type Html, html, page } from "../../kit/html.ts";
import type { StoredIdentity } from "./identity-store.ts";
import type { Provider } from "./provider.ts";

const HOME = "/auth/account";

/** `""` for where people go anyway. */
function redirectQuery(redirectTo: string): string {
  return redirectTo === HOME ? "" : `?redirect_to=${encodeURIComponent(redirectTo)}`;
}

function loginPath(provider: Provider, redirectTo: string): string {
  return `/auth/login/${provider.name}${redirectQuery(redirectTo)}`;
}

export function signInPage(options: {
  readonly providers: readonly Provider[];
  readonly redirectTo: string;
  readonly developmentUser: string | undefined;
  /** Whether an organization may have a provider of its own. */
  readonly askAddress: boolean;
  readonly mailLinks: boolean;
}): string {
  const { providers, redirectTo, developmentUser, askAddress, mailLinks } = options;
  const development =
    developmentUser !== undefined &&
    html`<a class="button" href="/auth/development${redirectQuery(redirectTo)}">Continue as ${developmentUser}</a>`;
  const none = html`<p class="dim">Nobody can sign in here yet: whoever runs this server has to set up a provider, as <code>docs/identity.md</code> says.</p>`;
  const isEmpty = providers.length === 0 && developmentUser === undefined && !mailLinks;
  const body = html`${isEmpty ? none : html`<div class="stack">${development}${buttonsOf(providers, redirectTo)}</div>`}
${
  askAddress &&
  providers.length > 1 &&
  html`<form method="get" action="/auth/start"><label for="email">Or tell your mail address, and your organization's way is found</label>
<input id="email" name="email" type="email" autocomplete="email" required maxlength="254" placeholder="you@example.com">
<input type="hidden" name="redirect_to" value="${redirectTo}"><p><button class="quiet">Continue</button></p></form>`
}${mailLinks && linkForm(redirectTo)}`;
  return page({ title: "Sign in to Loom", body });
}

function linkForm(redirectTo: string): Html {
  return html`<form method="post" action="/auth/magic-link"><label for="link-email">Or have a link sent to you</label>
<input id="link-email" name="email" type="email" autocomplete="email" required maxlength="254" placeholder="you@example.com">
<input type="hidden" name="redirect_to" value="${redirectTo}"><p><button class="quiet">Send me a link</button></p></form>`;
}

function buttonsOf(providers: readonly Provider[], redirectTo: string): Html[] {
  return providers.map(
    (provider) => html`<a class="button" href="${loginPath(provider, redirectTo)}">Continue with ${provider.label}</a>`,
  );
}

/** For an address: one button if its organization has a way of its own. A form may not lead to another site by itself. */
export function startPage(
  providers: readonly Provider[],
  email: string,
  redirectTo: string,
  { mailLinks }: { readonly mailLinks: boolean },
): string {
  const body = html`<p>For <strong>${email}</strong>:</p>
<div class="stack">${buttonsOf(providers, redirectTo)}</div>
${mailLinks && linkForm(redirectTo)}
<p><a href="/auth/sign-in${redirectQuery(redirectTo)}">Another way</a></p>`;
  return page({ title: "Sign in to Loom", body });
}

/** Why somebody is not signed in. */
export function refusalPage(sentence: string): string {
  const body = html`<p class="bad" role="alert">${sentence}</p><p><a class="button" href="/auth/sign-in">Try again</a></p>`;
  return page({ title: "You are not signed in", body });
}

/** What was asked for on a page and could not be done. */
export function problemPage(sentence: string): string {
  const body = html`<p class="bad" role="alert">${sentence}</p><p><a class="button" href="${HOME}">Back to your account</a></p>`;
  return page({ title: "That could not be done", body });
}

export function accountPage(options: {
  readonly username: string;
  readonly email: string;
  /** Whether he may act in other people's place. */
  readonly impersonates: boolean;
  readonly sessions: readonly SessionInfo[];
  /** Whether there are more than are shown. */
  readonly hasMoreSessions: boolean;
  readonly identities: readonly StoredIdentity[];
  readonly labelOf: (provider: string) => string;
}): string {
  const { username, email, impersonates, sessions, identities, labelOf } = options;
  const others = sessions.some((each) => !each.current);
  const body = html`<p>You are signed in as <strong>${username}</strong> <span class="dim">(${email})</span>.</p>
<form method="post" action="/auth/sign-out"><button>Sign out</button></form>
<h2>Where you are signed in</h2>
<table><thead><tr><th>Device</th><th>From</th><th>Last used</th><th></th></tr></thead><tbody>${sessions.map(sessionRow)}</tbody></table>
${options.hasMoreSessions && html`<p class="dim">There are more; <code>GET /api/sessions</code> lists them all.</p>`}
${others && html`<form method="post" action="/auth/account/end-others"><button class="quiet">Sign out everywhere else</button></form>`}
<h2>Second factor</h2>
<p><a href="/auth/factors">Codes of an app, and recovery codes</a></p>
<h2>What you sign in with</h2>
${
  identities.length === 0
    ? html`<p class="dim">No account at a provider belongs to you yet.</p>`
    : html`<table><thead><tr><th>Provider</th><th>Address there</th><th>Last used</th><th></th></tr></thead><tbody>${identities.map((each) => identityRow(each, labelOf, identities.length > 1))}</tbody></table>`
}
<p class="dim">To add another, sign in with it: accounts with the same verified mail address are one.</p>
${impersonates && html`<p><a href="/auth/impersonation">Act in somebody else's place</a></p>`}`;
  return page({ title: "Your account", body, wide: true });
}

/** In whose place somebody wants to act. */
export function whomPage(problem?: string): string {
  const body = html`${problem !== undefined && html`<p class="bad" role="alert">${problem}</p>`}
<form method="get" action="/auth/impersonation"><label for="user">The username of the person</label>
<input id="user" name="user" required maxlength="100" autocapitalize="none" spellcheck="false"><p><button>Continue</button></p></form>
<p><a href="${HOME}">Your account</a></p>`;
  return page({ title: "Act in somebody's place", body });
}

/** What has to be said before one acts in somebody's place. `path`: where that is sent to. */
export function reasonPage({ username, path }: { readonly username: string; readonly path: string }): string {
  const body = html`<p>You will see and do what <strong>${username}</strong> can, but nothing that lets somebody in. ${username} is told, with your
reason, and the audit log names you both.</p>
<form method="post" action="${path}"><label for="reason">Why?</label>
<input id="reason" name="reason" required minlength="10" maxlength="500"><label for="minutes">For how many minutes?</label>
<input id="minutes" name="minutes" type="number" required min="1" max="60" value="15"><p><button>Act as ${username}</button></p></form>
<p><a href="${HOME}">Your account</a></p>`;
  return page({ title: "Act in somebody's place", body });
}

const KINDS = { web: "", cli: "command line", editor: "editor" } as const;

function sessionRow(session: SessionInfo): Html {
  const { id, current, kind, device, address, country, lastUsedAt, impersonator } = session;
  return html`<tr><td>${device}${KINDS[kind] !== "" && html` <span class="dim">${KINDS[kind]}</span>`}${impersonator !== null && html`<br><span class="bad">${impersonator.name} in your place</span>`}</td>
<td>${address}${country !== null && html`<br><span class="dim">${countryName(country)}</span>`}</td><td>${minute(lastUsedAt)}</td>
<td>${current ? html`<span class="dim">this one</span>` : actionForm("/auth/account/end-session", id, "Sign out")}</td></tr>`;
}

function identityRow(identity: StoredIdentity, labelOf: (provider: string) => string, isRemovable: boolean): Html {
  const { id, provider, email, lastUsedAt } = identity;
  return html`<tr><td>${labelOf(provider)}</td><td>${email}</td><td>${minute(lastUsedAt)}</td>
<td>${isRemovable && actionForm("/auth/account/remove-identity", id, "Remove")}</td></tr>`;
}

function actionForm(action: string, id: string, label: string): Html {
  return html`<form class="inline" method="post" action="${action}"><input type="hidden" name="id" value="${id}"><button class="quiet">${label}</button></form>`;
}

/** `2026-11-29 18:30 UTC` */
function minute(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;
}

const NAMES = new Intl.DisplayNames(["en"], { type: "region", fallback: "code" });

function countryName(code: string): string {
  return NAMES.of(code) ?? code;
}
