import type { IncomingMessage } from "node:http";
import type { Admission } from "../../identity-types.ts";
import { SESSION_COOKIE } from "../../kit/browser-session.ts";
import { cookieName, cookieValues, setCookie } from "../../kit/cookies.ts";
import { Reply } from "../../kit/route.ts";
import type { WebAddress } from "../../kit/web-address.ts";
import { FLOW_MS } from "./flows.ts";

/** Of who acts in another's place: the session that he comes back to. */
const OWN_COOKIE = "loom_own_session";
/** So long a browser keeps it: longer than anybody acts in another's place. */
const OWN_MS = 24 * 3_600_000;
const FLOW_COOKIE = "loom_sign_in";
const PENDING_COOKIE = "loom_second_factor";
/** Milliseconds for which a browser waits for the second factor. */
const PENDING_MS = 5 * 60_000;

/** What browsers are told on their way in and out. */
export type WebFlow = {
  /** What this browser has from the beginning of a flow; nothing where somebody has planted a second one. */
  browserOf(request: IncomingMessage): string | undefined;
  toProvider(url: URL, browser: string): Reply<string>;
  /** In with who is signed in; to the second factor with who has one. `path`: one of this server. */
  admitted(admission: Admission, path: string): Reply<string>;
  /** What this browser waits with for the second factor. */
  pendingOf(request: IncomingMessage): string | undefined;
  /** `path`: one of this server. The session's cookie lives as long as the session may. */
  signedIn(session: { readonly token: string; readonly expiresAt: string }, path: string): Reply<string>;
  signedOut(path: string): Reply<string>;
  /** In another's place, with the session that one had kept for afterwards. */
  acting(session: { readonly token: string; readonly expiresAt: string }, own: string, path: string): Reply<string>;
  /** The token of the session that the browser is in. */
  sessionOf(request: IncomingMessage): string | undefined;
  /** The token of the session that it comes back to. */
  ownOf(request: IncomingMessage): string | undefined;
};

export function createWebFlow({ secure }: WebAddress, wall: () => number): WebFlow {
  const go = (location: string, ...cookies: readonly string[]): Reply<string> =>
    new Reply("", { status: 303, headers: { location, "set-cookie": cookies } });
  const gone = (name: string): string => setCookie(name, "", { secure, maxAgeSeconds: 0 });
  const only = (request: IncomingMessage, name: string): string | undefined => {
    const [value, ...others] = cookieValues(request, cookieName(name, { secure }));
    return others.length === 0 ? value : undefined;
  };
  const signedIn: WebFlow["signedIn"] = ({ token, expiresAt }, path) => {
    const maxAgeSeconds = Math.max(0, Math.floor((Date.parse(expiresAt) - wall()) / 1000));
    return go(
      path,
      setCookie(SESSION_COOKIE, token, { secure, maxAgeSeconds }),
      gone(FLOW_COOKIE),
      gone(PENDING_COOKIE),
      gone(OWN_COOKIE),
    );
  };
  return {
    browserOf: (request) => only(request, FLOW_COOKIE),
    pendingOf: (request) => only(request, PENDING_COOKIE),
    admitted(admission, path) {
      if (admission.type === "session") return signedIn(admission.session, path);
      const waiting = setCookie(PENDING_COOKIE, admission.token, { secure, maxAgeSeconds: PENDING_MS / 1000 });
      const next = `/auth/second-factor?redirect_to=${encodeURIComponent(path)}`;
      return go(next, waiting, gone(FLOW_COOKIE), gone(SESSION_COOKIE), gone(OWN_COOKIE));
    },
    toProvider: (url, browser) =>
      go(url.href, setCookie(FLOW_COOKIE, browser, { secure, maxAgeSeconds: FLOW_MS / 1000 })),
    signedIn,
    signedOut: (path) => go(path, gone(SESSION_COOKIE), gone(OWN_COOKIE)),
    acting({ token, expiresAt }, own, path) {
      const maxAgeSeconds = Math.max(0, Math.floor((Date.parse(expiresAt) - wall()) / 1000));
      return go(
        path,
        setCookie(SESSION_COOKIE, token, { secure, maxAgeSeconds }),
        setCookie(OWN_COOKIE, own, { secure, maxAgeSeconds: OWN_MS / 1000 }),
      );
    },
    sessionOf: (request) => only(request, SESSION_COOKIE),
    ownOf: (request) => only(request, OWN_COOKIE),
  };
}
