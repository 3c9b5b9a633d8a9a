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

export type Interval = { readonly low: number; readonly high: number };

const RESAMPLES = 2_000;

/**
 * Where the median of all values is with a probability of 95 %: the percentile bootstrap, which draws groups, and of each
 * of them values, with replacement, since values of one group are more alike than others. `random`: 0 to below 1.
 */
export function medianInterval(groups: readonly Sample[], random: () => number): Interval {
  const drawn = <T>(from: readonly T[]): T[] =>
    from.flatMap(() => {
      const one = from[Math.floor(random() * from.length)];
      return one === undefined ? [] : [one];
    });
  const medians = Array.from({ length: RESAMPLES }, () => median(drawn(groups).flatMap(drawn))).sort((a, b) => a - b);
  const at = (share: number): number => medians[Math.floor(share * (RESAMPLES - 1))] ?? Number.NaN;
  return { low: at(0.025), high: at(0.975) };
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
