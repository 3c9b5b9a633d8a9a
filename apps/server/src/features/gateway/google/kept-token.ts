import type { Secret } from "@loom/config";
import type { AccessToken, TokenSource } from "../../credentials/token-source.ts";

/** Milliseconds before its end from which on a token is replaced while it is still used, and is not used any more. */
const REFRESH_AHEAD_MS = 5 * 60_000;
const TOO_LATE_MS = 30_000;

/** After a failure, so long is nobody asked while there is still a token. */
const AGAIN_MS = 10_000;

/**
 * A token that is fetched when first needed, ahead of its end, and again when it is refused; by one request at a time,
 * however many wait for it.
 */
export class KeptToken {
  readonly #source: TokenSource;
  readonly #now: () => number;
  #token: AccessToken | undefined;
  #fetching: Promise<Secret> | undefined;
  #notBeforeMs = 0;

  constructor(source: TokenSource, now: () => number = Date.now) {
    this.#source = source;
    this.#now = now;
  }

  /** At once where there is one. Rejects with the source's own error. */
  current(): Secret | Promise<Secret> {
    const token = this.#token;
    const leftMs = token === undefined ? 0 : token.expiresAtMs - this.#now();
    if (token === undefined || leftMs <= TOO_LATE_MS) return this.#fetch();
    // Short tokens are not asked for all the time.
    if (leftMs <= REFRESH_AHEAD_MS && this.#now() >= this.#notBeforeMs) void this.#fetch().catch(() => undefined);
    return token.value;
  }

  /** The token was refused: the next one who asks gets another. */
  forget(value: Secret | undefined): void {
    if (this.#token?.value === value) this.#token = undefined;
  }

  #fetch(): Promise<Secret> {
    this.#notBeforeMs = this.#now() + AGAIN_MS;
    this.#fetching ??= this.#source
      .token()
      .then((token) => {
        this.#token = token;
        return token.value;
      })
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }
}
