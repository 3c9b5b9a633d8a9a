import type { OrganizationKeySubject, Subject, UserSubject } from "../../kit/subject.ts";

/** Keys that somebody has used lately. */
const MAX_KEYS = 10_000;

export type KnownKey = {
  readonly id: string;
  readonly subject: Subject & (UserSubject | OrganizationKeySubject);
  /** SHA-256 of the key. */
  readonly hash: Uint8Array;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** When the database was asked (monotonic milliseconds). */
  readonly checkedAt: number;
};

/** What the database has said about keys, by their hashes; those met first go first. */
export class KeyCache {
  readonly #known = new Map<string, KnownKey>();

  get(hash: string): KnownKey | undefined {
    return this.#known.get(hash);
  }

  set(hash: string, key: KnownKey): void {
    this.#known.delete(hash);
    this.#known.set(hash, key);
    if (this.#known.size <= MAX_KEYS) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  delete(hash: string): void {
    this.#known.delete(hash);
  }

  /** The user's, and those of all organizations: one of them may be what has changed. */
  deleteOf(userId: string): void {
    for (const [hash, { subject }] of this.#known) {
      if (subject.type !== "user" || subject.id === userId) this.#known.delete(hash);
    }
  }

  clear(): void {
    this.#known.clear();
  }
}
