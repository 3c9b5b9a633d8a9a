/** Where the answer does not say it. */
const DEFAULT_LIFETIME_S = 3_600;
const MAX_LIFETIME_S = 10 * 365 * 86_400;

/**
 * How long a token is good, in milliseconds, by the `expires_in` of the answer that it came in (RFC 6749, section 5.1): a
 * number of seconds, or its digits, as some write it. Anything else says nothing.
 */
export function lifetimeMsOf(expiresIn: unknown): number {
  const isDigits = typeof expiresIn === "string" && /^\d+$/.test(expiresIn);
  const seconds = typeof expiresIn === "number" || isDigits ? Number(expiresIn) : DEFAULT_LIFETIME_S;
  return (seconds > 0 && seconds <= MAX_LIFETIME_S ? seconds : DEFAULT_LIFETIME_S) * 1000;
}
