/** Time in milliseconds, so that a test can own it. */
export type Clock = {
  /** Since 1970. */
  now(): number;
  setTimeout(run: () => void, delayMs: number): number;
  clearTimeout(id: number): void;
};

export const systemClock: Clock = {
  now: Date.now,
  setTimeout: (run, delayMs) => setTimeout(run, delayMs)[Symbol.toPrimitive](),
  clearTimeout: (id) => clearTimeout(id),
};
