import type { Clock } from "../../kit/clock.ts";
import { HeldToken } from "./held-token.ts";
import type { HeaderSource, RequestHeaders } from "./pool-member.ts";
import { TokenRefused } from "./token-refused.ts";
import type { AccessToken, TokenSource } from "./token-source.ts";

export type CachedTokenOptions = {
  readonly source: TokenSource;
  /** One from before a restart. */
  readonly known: AccessToken | undefined;
  readonly clock: Clock;
  readonly headersOf: (token: AccessToken) => RequestHeaders;
  /** There is another token than before. */
  readonly onFresh: () => void;
  /** There will not be another one. */
  readonly onRefused: (reason: string) => void;
};

/** On its way to the provider, a token must not end. */
const MARGIN_MS = 30_000;
const AHEAD_MS = 15 * 60_000;

/** After a failed attempt: 1 s, 2 s, 4 s... */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;

/** A token that is refused so soon after it was made will not get better by being made again. */
const NEW_MS = 60_000;

/** Keeps a token, fetches the next one in time, and asks for it only once at a time. */
export class CachedToken implements HeaderSource {
  readonly #options: CachedTokenOptions;
  #held: HeldToken | undefined;
  /** Monotonic milliseconds. */
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<AccessToken> | undefined;
  #failures = 0;
  #pauseUntil = 0;
  #lastError: unknown;

  constructor(options: CachedTokenOptions) {
    this.#options = options;
    const { known, clock } = options;
    this.#held = known === undefined ? undefined : new HeldToken(known, clock, { isNew: false });
  }

  headers(): RequestHeaders | Promise<RequestHeaders> {
    const { headersOf } = this.#options;
    const held = this.#held;
    if (held !== undefined && !held.endsWithin(MARGIN_MS)) return headersOf(held.token);
    const isGood = held !== undefined && held.leftMs > 0;
    return this.#fetch()
      .catch((error: unknown) => {
        if (isGood && this.#held === held) return held.token;
        throw error;
      })
      .then(headersOf);
  }

  refused(): boolean {
    if (this.#held === undefined) return true;
    if (this.#options.clock.monotonic() - this.#fetchedAt < NEW_MS) return false;
    this.#held = undefined;
    return true;
  }

  /** Begins to fetch the next token if this one ends soon. */
  refreshAhead(): void {
    if (this.#held?.endsWithin(AHEAD_MS) === false) return;
    this.#fetch().catch(() => undefined);
  }

  /** Resolves once none is on its way. Never rejects. */
  async settled(): Promise<void> {
    await this.#fetching?.catch(() => undefined);
  }

  #fetch(): Promise<AccessToken> {
    if (this.#fetching === undefined && this.#options.clock.monotonic() < this.#pauseUntil) {
      return Promise.reject(this.#lastError);
    }
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<AccessToken> {
    const { source, clock, onFresh, onRefused } = this.#options;
    try {
      const token = await source.token();
      this.#held = new HeldToken(token, clock, { isNew: true });
      this.#fetchedAt = clock.monotonic();
      this.#failures = 0;
      this.#pauseUntil = 0;
      onFresh();
      return token;
    } catch (error) {
      if (error instanceof TokenRefused) onRefused(error.message);
      this.#lastError = error;
      this.#pauseUntil = clock.monotonic() + Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 16));
      this.#failures += 1;
      throw error;
    }
  }
}
