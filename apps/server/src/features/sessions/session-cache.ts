import type { SessionKind, UserSubject } from "../../kit/subject.ts";

/** Sessions that somebody has used lately. */
const MAX_SESSIONS = 10_000;

export type KnownSession = {
  readonly subject: UserSubject & { readonly nodes: readonly { readonly kind: string; readonly id: string }[] };
  readonly kind: SessionKind;
  /** SHA-256 of the token. */
  readonly hash: Uint8Array;
  /** Unix milliseconds: when it was used last, as far as the database knows; when it ends however much it is used. */
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  /** When the database was asked (monotonic milliseconds). */
  readonly checkedAt: number;
};

/** What the database has said about sessions, by their hashes; those used longest ago go first. */
export class SessionCache {
  readonly #known = new Map<string, KnownSession>();

  get(key: string): KnownSession | undefined {
    const session = this.#known.get(key);
    if (session === undefined) return undefined;
    this.#known.delete(key);
    this.#known.set(key, session);
    return session;
  }

  set(key: string, session: KnownSession): void {
    this.#known.delete(key);
    this.#known.set(key, session);
    if (this.#known.size <= MAX_SESSIONS) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  delete(key: string): void {
    this.#known.delete(key);
  }

  /** Of the user, and those in which he acts as another. */
  deleteOf(userId: string): void {
    for (const [key, { subject }] of this.#known) {
      if (subject.id === userId || subject.impersonator?.id === userId) this.#known.delete(key);
    }
  }

  clear(): void {
    this.#known.clear();
  }
}
