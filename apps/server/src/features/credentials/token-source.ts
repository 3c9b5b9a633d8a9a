import type { Secret } from "@loom/config";

/** A token that lets somebody in for a while. */
export type AccessToken = {
  readonly value: Secret;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
};

/**
 * Whatever signs in somewhere and comes back with a token: an OAuth client, a cloud's own sign-in. Implementations may be
 * asked as often as anybody likes: whoever asks keeps what it got until shortly before its end, and asks once at a time.
 */
export type TokenSource = {
  /** @throws where there is no token to be had now; the message is a sentence and holds no secret. */
  token(): Promise<AccessToken>;
};
