const FIRST_MS = 2_000;
const LONGEST_MS = 15 * 60_000;

/**
 * How long to wait after so many failures in a row, in milliseconds: twice as long each time up to 15 minutes, and of
 * that a random part between a half and the whole, so that many machines do not come back at once.
 */
export function backoffMs(failures: number, random: () => number, retryAfterMs = 0): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return Math.max(Math.round(full / 2 + (random() * full) / 2), Math.min(retryAfterMs, LONGEST_MS));
}
