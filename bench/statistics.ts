/** One measured quantity: the values of every round, in the order they were taken. */
export type Sample = readonly number[];

export type Summary = { readonly median: number; readonly min: number; readonly max: number; readonly count: number };

/** The middle value; the mean of the two middle ones where their number is even. NaN for an empty sample. */
export function median(sample: Sample): number {
  const sorted = sample.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

export function summarize(sample: Sample): Summary {
  return { median: median(sample), min: Math.min(...sample), max: Math.max(...sample), count: sample.length };
}

/**
 * Runs every candidate once a round, in turn (A B C A B C), so that a slow minute of the machine falls on all alike.
 * The order turns by one place every round: nobody always runs after the same neighbour.
 */
export async function interleave<T>(
  candidates: readonly T[],
  rounds: number,
  measure: (candidate: T, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < candidates.length; place++) {
      const candidate = candidates[(place + round) % candidates.length];
      if (candidate !== undefined) await measure(candidate, round);
    }
  }
}

/** Interleaved rounds in which slow candidates take part in the first quarter only. */
export async function eachRound<T extends { readonly slow: boolean }>(
  entrants: readonly T[],
  rounds: number,
  measure: (entrant: T) => Promise<void>,
): Promise<void> {
  await interleave(entrants, rounds, async (entrant, round) => {
    if (!entrant.slow || round < Math.ceil(rounds / 4)) await measure(entrant);
  });
}
