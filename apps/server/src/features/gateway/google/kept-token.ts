import type { Secret } from "@loom/config";
import { type Clock, SYSTEM_CLOCK } from "../../../kit/clock.ts";
import { HeldToken } from "../../credentials/held-token.ts";
import type { TokenSource } from "../../credentials/token-source.ts";

/** Milliseconds before its end from which on a token is replaced while it is still used, and is not used any more. */
const REFRESH_AHEAD_MS = 5 * 60_000;
const TOO_LATE_MS = 30_000;

/** After a failure, so long is nobody asked: while there is still a token, and while there is none. */
const AGAIN_MS = { withToken: 10_000, withoutToken: 2_000 };

/** An attempt that failed, and when (monotonic milliseconds). */
type Failure = { readonly error: unknown; readonly at: number };

/**
 * A token that is fetched when first needed, ahead of its end, and again when it is refused; by one request at a time,
 * however many wait for it. Where it cannot be had, those who come soon behind hear the same.
 */
export class KeptToken {
  readonly #source: TokenSource;
  readonly #clock: Clock;
  #held: HeldToken | undefined;
  #fetching: Promise<Secret> | undefined;
  #failure: Failure | undefined;

  constructor(source: TokenSource, clock = SYSTEM_CLOCK) {
    this.#source = source;
    this.#clock = clock;
  }

  /** At once where there is one. Rejects with the source's own error. */
  current(): Secret | Promise<Secret> {
    const held = this.#held;
    if (held === undefined || held.endsWithin(TOO_LATE_MS)) {
      const failure = this.#failureWithin(AGAIN_MS.withoutToken);
      return failure === undefined ? this.#fetch() : Promise.reject(failure.error);
    }
    // Those who wait for nothing hear of no failure either.
    if (held.endsWithin(REFRESH_AHEAD_MS) && this.#failureWithin(AGAIN_MS.withToken) === undefined)
      void this.#fetch().catch(() => undefined);
    return held.token.value;
  }

  /** The token was refused: the next one who asks gets another. */
  forget(value: Secret | undefined): void {
    if (this.#held?.token.value === value) this.#held = undefined;
  }

  #failureWithin(ms: number): Failure | undefined {
    const failure = this.#failure;
    return failure !== undefined && this.#clock.monotonic() - failure.at < ms ? failure : undefined;
  }

  #fetch(): Promise<Secret> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<Secret> {
    try {
      const token = await this.#source.token();
      this.#held = new HeldToken(token, this.#clock, { isNew: true });
      this.#failure = undefined;
      return token.value;
    } catch (error) {
      this.#failure = { error, at: this.#clock.monotonic() };
      throw error;
    }
  }
}
