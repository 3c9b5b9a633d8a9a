import type { Subject } from "../../kit/subject.ts";

/** Tokens that somebody has used lately. */
const MAX_TOKENS = 1_000;

export type KnownToken = {
  readonly subject: Extract<Subject, { type: "token" }>;
  /** SHA-256 of the token. */
  readonly hash: Uint8Array;
  /** Unix milliseconds; infinite for a token that does not expire. */
  readonly expiresAt: number;
  /** When the database was asked (monotonic milliseconds). */
  readonly checkedAt: number;
};

/** What the database has said about tokens, by their hashes; those asked about longest ago go first. */
export class TokenCache {
  readonly #known = new Map<string, KnownToken>();

  get(key: string): KnownToken | undefined {
    return this.#known.get(key);
  }

  set(key: string, token: KnownToken): void {
    this.#known.delete(key);
    this.#known.set(key, token);
    if (this.#known.size <= MAX_TOKENS) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  delete(key: string): void {
    this.#known.delete(key);
  }
}
