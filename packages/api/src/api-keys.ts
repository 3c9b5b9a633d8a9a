import type { TokenScope } from "./tokens.ts";

/** Who a key belongs to, and whom it speaks for. */
export type ApiKeyOwner =
  | { readonly type: "user"; readonly id: string }
  | { readonly type: "organization"; readonly id: string };

/** A key without the key itself, which is shown once. Times are RFC 3339. */
export type ApiKeyInfo = {
  readonly id: string;
  readonly owner: ApiKeyOwner;
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  /** By which people tell their keys apart. */
  readonly lastFour: string;
  readonly createdAt: string;
  /** Who made it. */
  readonly createdBy: { readonly id: string; readonly name: string };
  readonly expiresAt: string | null;
  /** Written down every few seconds, with the address that it was used from. */
  readonly lastUsedAt: string | null;
  readonly lastUsedFrom: string | null;
  readonly revokedAt: string | null;
  /** The id of the key that took its place. */
  readonly replacedBy: string | null;
};

export type ApiKeyList = { readonly keys: readonly ApiKeyInfo[]; readonly nextCursor: string | null };

export type NewApiKey = {
  /** For people; need not be unique. */
  readonly name: string;
  /** Default: `llm:use`. */
  readonly scopes?: readonly TokenScope[];
  readonly expiresAt?: string;
};

/** `key` is `null` where the same request was made before: it is shown once. */
export type MintedApiKey = { readonly key: string | null; readonly info: ApiKeyInfo };

export type ApiKeyRotation = {
  /** How long the old key still works, at most 7 days. Default: 3600. */
  readonly overlapSeconds?: number;
};

export const MAX_KEY_OVERLAP_SECONDS = 7 * 86_400;
export const DEFAULT_KEY_OVERLAP_SECONDS = 3_600;
