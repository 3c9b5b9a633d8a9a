import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { Secret } from "@loom/config";
import type { RequestOrigin } from "./audit.ts";
import { flat } from "./flat-text.ts";
import type { RequestHead } from "./request-head.ts";
import { OWNER, type Subject } from "./subject.ts";

/** The request that a token came with, for who writes down where it is used; `before`: it is no use of it, it came before. */
export type TokenUse = { readonly origin: RequestOrigin } | "before";

/** Gives the subject of a token, or nothing for one that it does not know. */
export type Authenticate = (token: string, from?: TokenUse) => Subject | undefined | Promise<Subject | undefined>;

/** Asks one after the other; waits only for those that have to be waited for. */
export function authenticateByAny(...ways: readonly Authenticate[]): Authenticate {
  return (token, from) => {
    for (const way of ways) {
      const subject = way(token, from);
      if (subject instanceof Promise) {
        const others = ways.slice(ways.indexOf(way) + 1);
        return subject.then((known) => known ?? authenticateByAny(...others)(token, from));
      }
      if (subject !== undefined) return subject;
    }
    return undefined;
  };
}

/** `lt_`: of the owner and access tokens; `ls_`: of sessions; `lw_`: tickets. By these, scanners and our redactor know them. */
type TokenPrefix = "lt_" | "ls_" | "lw_";

const TOKEN_BYTES = 32;
const TOKEN_SHAPE = /^lt_[A-Za-z0-9_-]{43}$/;
const SESSION_TOKEN_SHAPE = /^ls_[A-Za-z0-9_-]{43}$/;

/** A prefix and 256 random bits. */
export function mintToken(prefix: TokenPrefix = "lt_"): Secret {
  return new Secret(prefix + randomBytes(TOKEN_BYTES).toString("base64url"));
}

export function looksLikeSessionToken(text: string): boolean {
  return SESSION_TOKEN_SHAPE.test(text);
}

export function looksLikeToken(text: string): boolean {
  return TOKEN_SHAPE.test(text);
}

/** SHA-256: a token is random, so a slow hash would protect nothing. */
export function hashToken(token: string): Buffer {
  const known = recent.get(token);
  if (known !== undefined) return known;
  const digest = hash("sha256", token, "buffer");
  if (recent.size >= MAX_RECENT) recent.clear();
  recent.set(flat(token), digest);
  return digest;
}

/** Hashes of the tokens that were seen last, known or not: the same few come with every request. */
const recent = new Map<string, Buffer>();
const MAX_RECENT = 1_000;

/** Whether `token` is the one that `hash` was made of; takes the same time wherever they differ. */
export function matchesHash(token: string, hash: Uint8Array): boolean {
  const actual = hashToken(token);
  return actual.length === hash.length && timingSafeEqual(actual, hash);
}

/** Knows one token, by its hash. */
export function authenticateOne(token: Secret): Authenticate {
  const hash = hashToken(token.expose());
  return (candidate) => (matchesHash(candidate, hash) ? OWNER : undefined);
}

/** The token of `Authorization: Bearer …` (RFC 6750, 2.1), or nothing where there is none or more than one. */
export function bearerToken(request: RequestHead): string | undefined {
  const values = request.headersDistinct.authorization;
  const value = values?.length === 1 ? values[0] : undefined;
  return value === undefined ? undefined : /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(value)?.[1];
}

/** Headers that may hold a token; all but the first are known to the gateway alone. */
const TOKEN_HEADERS = ["authorization", "x-api-key", "x-goog-api-key", "api-key"] as const;

/** Why a request has no token that counts, as a sentence for whoever sent it. Says nothing of the tokens themselves. */
export function missingTokenSentence({ headersDistinct }: RequestHead): string {
  const values = headersDistinct.authorization ?? [];
  const given = TOKEN_HEADERS.filter((name) => headersDistinct[name] !== undefined);
  if (values.length > 1) return "The request has several Authorization headers, so none counts: send one.";
  if (given.length > 1) return `The request has different tokens in ${given.join(" and ")}, so none counts: send one.`;
  if (values.length === 1) return "The Authorization header has to be of the form Bearer TOKEN.";
  return "A token is needed: send it as Authorization: Bearer TOKEN.";
}
