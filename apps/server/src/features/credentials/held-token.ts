import type { Clock } from "../../kit/clock.ts";
import type { AccessToken } from "./token-source.ts";

/** So long a new token counts as good at least: its endpoint is not asked for each request, whatever it says. */
const MIN_LIFETIME_MS = 1_000;

/**
 * A token, and how long it is still good: until the calendar says that it has ended, or as much time has passed as it had
 * left when it came, since the calendar may be set back.
 */
export class HeldToken {
  readonly token: AccessToken;
  readonly #clock: Clock;
  /** Infinite where it was not fetched here. */
  readonly #lifetimeMs: number;
  readonly #wallEnd: number;
  readonly #monotonicEnd: number;

  constructor(token: AccessToken, clock: Clock, { isNew }: { readonly isNew: boolean }) {
    const toldMs = token.expiresAtMs - clock.wall();
    const leftMs = isNew ? Math.max(MIN_LIFETIME_MS, toldMs) : toldMs;
    this.token = token;
    this.#clock = clock;
    this.#lifetimeMs = isNew ? leftMs : Number.POSITIVE_INFINITY;
    this.#wallEnd = clock.wall() + leftMs;
    this.#monotonicEnd = clock.monotonic() + leftMs;
  }

  get leftMs(): number {
    return Math.min(this.#wallEnd - this.#clock.wall(), this.#monotonicEnd - this.#clock.monotonic());
  }

  /** Whether it ends within this time; of one that is good for a short while only, whether half of that is over. */
  endsWithin(ms: number): boolean {
    return this.leftMs <= Math.min(ms, this.#lifetimeMs / 2);
  }
}
