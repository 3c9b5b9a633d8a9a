/**
 * Durations in classes that grow by a fifth: percentiles then come out of counts, which can be added up over any rows,
 * and are off by less than a tenth.
 */
const CLASSES_PER_DOUBLING = 4;
const SHORTEST_MS = 0.0625;

export function durationClass(ms: number): number {
  return Math.round(CLASSES_PER_DOUBLING * Math.log2(Math.max(ms, SHORTEST_MS)));
}

/** The middle of a class, in milliseconds with three significant digits. */
export function typicalDuration(classNumber: number): number {
  return Number((2 ** (classNumber / CLASSES_PER_DOUBLING)).toPrecision(3));
}

/** How many durations are in each class. */
export type DurationCounts = Map<number, number>;

/** `share` of 0.95: the duration that 95 in a hundred do not exceed. `null` where there is none. */
export function percentile(counts: DurationCounts, share: number): number | null {
  const classes = [...counts].sort(([a], [b]) => a - b);
  const total = classes.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [classNumber, count] of classes) {
    seen += count;
    if (seen >= share * total) return typicalDuration(classNumber);
  }
  return null;
}
