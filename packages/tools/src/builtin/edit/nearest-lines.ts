/** A run of lines that looks like what was searched for. */
export type NearLines = {
  /** Index of the first line, from 0; negative where it would begin before the file. */
  readonly start: number;
  /** 0 to 1; 1 = equal but for white space at the ends of lines. */
  readonly similarity: number;
};

/** Bounds: a miss has to be answered at once, also in a file of 10 MB. */
const MAX_WANTED_LINES = 40;
const MAX_COMPARED_LENGTH = 200;
const MAX_REFINED = 40;
const MAX_RESULTS = 3;
const MAX_INDEXED_SAME = 8;

const MIN_SIMILARITY = 0.45;
/** Compared to the best: what is much worse only distracts. */
const MIN_OF_BEST = 0.8;

/** Finds where `wanted` was most likely meant to match, best first; nothing if nothing looks like it. */
export function nearestLines(lines: readonly string[], wanted: readonly string[]): NearLines[] {
  const sample = wanted.slice(0, MAX_WANTED_LINES).map((line) => line.trim().slice(0, MAX_COMPARED_LENGTH));
  const votes = votesOfEqualLines(lines, sample);
  const candidates = votes.size > 0 ? votes : votesOfSharedWords(lines, sample);
  const wantedPairs = sample.map(pairsOf);
  const scored = loudest(candidates, MAX_REFINED)
    .map((start) => ({ start, similarity: similarityAt(lines, start, wantedPairs) }))
    .sort((a, b) => b.similarity - a.similarity || a.start - b.start);
  const best = scored[0]?.similarity ?? 0;
  const near: NearLines[] = [];
  for (const candidate of scored) {
    if (candidate.similarity < Math.max(MIN_SIMILARITY, best * MIN_OF_BEST) || near.length === MAX_RESULTS) break;
    if (near.every(({ start }) => Math.abs(start - candidate.start) >= wanted.length)) near.push(candidate);
  }
  return near;
}

/** Each line that equals a wanted one, but for white space at its ends, speaks for one place; long lines louder. */
function votesOfEqualLines(lines: readonly string[], sample: readonly string[]): Map<number, number> {
  const indices = new Map<string, number[]>();
  for (const [index, line] of sample.entries()) {
    if (!/\w/.test(line)) continue;
    const known = indices.get(line);
    if (known === undefined) indices.set(line, [index]);
    else if (known.length < MAX_INDEXED_SAME) known.push(index);
  }
  const votes = new Map<number, number>();
  if (indices.size === 0) return votes;
  for (const [at, line] of lines.entries()) {
    const trimmed = line.trim().slice(0, MAX_COMPARED_LENGTH);
    for (const index of indices.get(trimmed) ?? []) {
      votes.set(at - index, (votes.get(at - index) ?? 0) + trimmed.length);
    }
  }
  return votes;
}

/** Where no line is equal: each line speaks by the words that it shares with the longest wanted line. */
function votesOfSharedWords(lines: readonly string[], sample: readonly string[]): Map<number, number> {
  const longest = sample.reduce((best, line, index) => (line.length > (sample[best]?.length ?? 0) ? index : best), 0);
  const words = new Set(sample[longest]?.match(/\w+/g));
  const votes = new Map<number, number>();
  if (words.size === 0) return votes;
  const wanted = new RegExp(`\\b(?:${[...words].join("|")})\\b`, "g");
  for (const [at, line] of lines.entries()) {
    const shared = line.slice(0, MAX_COMPARED_LENGTH).match(wanted);
    if (shared === null) continue;
    const distinct = shared.length === 1 ? shared : new Set(shared);
    let loudness = 0;
    for (const word of distinct) loudness += word.length;
    votes.set(at - longest, loudness);
  }
  return votes;
}

/** The places with the most votes, the earlier ones of equals, without sorting half a million others. */
function loudest(votes: ReadonlyMap<number, number>, count: number): number[] {
  const best: [start: number, votes: number][] = [];
  for (const candidate of votes) {
    const least = best.at(-1);
    if (best.length === count && least !== undefined && candidate[1] <= least[1]) continue;
    const at = best.findIndex(([, loudness]) => loudness < candidate[1]);
    best.splice(at === -1 ? best.length : at, 0, candidate);
    if (best.length > count) best.pop();
  }
  return best.map(([start]) => start);
}

/** Mean of the lines' similarities (Dice's coefficient of their pairs of characters), long lines counting more. */
function similarityAt(lines: readonly string[], start: number, wanted: readonly Map<string, number>[]): number {
  let shared = 0;
  let total = 0;
  for (const [index, pairs] of wanted.entries()) {
    const actual = pairsOf((lines[start + index] ?? "").trim().slice(0, MAX_COMPARED_LENGTH));
    for (const [pair, count] of pairs) shared += 2 * Math.min(count, actual.get(pair) ?? 0);
    total += sizeOf(pairs) + sizeOf(actual);
  }
  return total === 0 ? 0 : shared / total;
}

function pairsOf(line: string): Map<string, number> {
  const pairs = new Map<string, number>();
  const padded = ` ${line} `;
  for (let at = 0; line !== "" && at < padded.length - 1; at += 1) {
    const pair = padded.slice(at, at + 2);
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  return pairs;
}

function sizeOf(pairs: Map<string, number>): number {
  let size = 0;
  for (const count of pairs.values()) size += count;
  return size;
}
