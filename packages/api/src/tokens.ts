import type { BudgetLimits } from "./budgets.ts";

/**
 * `llm:use`: ask models; `tools:use`: the server's tools; `usage:read`: see what was used, health and metrics; `audit:read`: the audit log;
 * `threads:…`: read, keep and remove threads; `org:manage`: change an organization, its members, teams and invitations;
 * `admin`: everything that whoever made it may do.
 */
export type TokenScope =
  | "llm:use"
  | "tools:use"
  | "usage:read"
  | "audit:read"
  | "threads:read"
  | "threads:write"
  | "threads:delete"
  | "org:manage"
  | "admin";

export const TOKEN_SCOPES = [
  "llm:use",
  "tools:use",
  "usage:read",
  "audit:read",
  "threads:read",
  "threads:write",
  "threads:delete",
  "org:manage",
  "admin",
] as const satisfies readonly TokenScope[];

/** Letters, digits and `._-`, beginning with a letter or digit, at most 64 characters. */
export const TOKEN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** An access token without the token itself, which is shown once. Times are RFC 3339. */
export type TokenInfo = {
  readonly id: string;
  /** Unique among those that are not revoked. */
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Written down every few seconds. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
  /** `{}` for one that is not limited and for one that is revoked. */
  readonly limits: BudgetLimits;
};

export type TokenList = { readonly tokens: readonly TokenInfo[] };

export type NewToken = {
  readonly name: string;
  /** Default: `llm:use`. */
  readonly scopes?: readonly TokenScope[];
  readonly expiresAt?: string;
  readonly limits?: BudgetLimits;
};

/** The only answer that holds the token. */
export type MintedToken = { readonly token: string; readonly info: TokenInfo };
