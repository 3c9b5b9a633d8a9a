import type { IncomingMessage } from "node:http";
import { SESSION_COOKIE } from "../../kit/browser-session.ts";
import { cookieName, cookieValues, setCookie } from "../../kit/cookies.ts";
import { Reply } from "../../kit/route.ts";
import type { WebAddress } from "../../kit/web-address.ts";
import { FLOW_MS } from "./flows.ts";

const FLOW_COOKIE = "loom_sign_in";

/** What browsers are told on their way in and out. */
export type WebFlow = {
  /** What this browser has from the beginning of a flow; nothing where somebody has planted a second one. */
  browserOf(request: IncomingMessage): string | undefined;
  toProvider(url: URL, browser: string): Reply<string>;
  /** `path`: one of this server. The session's cookie lives as long as the session may. */
  signedIn(session: { readonly token: string; readonly expiresAt: string }, path: string): Reply<string>;
  signedOut(path: string): Reply<string>;
};

export function createWebFlow({ secure }: WebAddress, wall: () => number): WebFlow {
  const go = (location: string, ...cookies: readonly string[]): Reply<string> =>
    new Reply("", { status: 303, headers: { location, "set-cookie": cookies } });
  const gone = (name: string): string => setCookie(name, "", { secure, maxAgeSeconds: 0 });
  return {
    browserOf(request) {
      const [value, ...others] = cookieValues(request, cookieName(FLOW_COOKIE, { secure }));
      return others.length === 0 ? value : undefined;
    },
    toProvider: (url, browser) =>
      go(url.href, setCookie(FLOW_COOKIE, browser, { secure, maxAgeSeconds: FLOW_MS / 1000 })),
    signedIn({ token, expiresAt }, path) {
      const maxAgeSeconds = Math.max(0, Math.floor((Date.parse(expiresAt) - wall()) / 1000));
      return go(path, setCookie(SESSION_COOKIE, token, { secure, maxAgeSeconds }), gone(FLOW_COOKIE));
    },
    signedOut: (path) => go(path, gone(SESSION_COOKIE)),
  };
}
