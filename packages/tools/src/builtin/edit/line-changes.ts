/** Lines `fromStart..fromEnd` of one text became `toStart..toEnd` of the other; from 0, ends excluded. */
export type LineChange = {
  readonly fromStart: number;
  readonly fromEnd: number;
  readonly toStart: number;
  readonly toEnd: number;
};

/** Comparisons that a diff may cost. Beyond it, everything between the first and the last difference is one change. */
const MAX_STEPS = 5_000_000;
const MAX_DISTANCE = 400;

/** The shortest edit script by E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), ascending. */
export function lineChanges(from: readonly string[], to: readonly string[]): LineChange[] {
  const most = Math.min(from.length, to.length);
  let prefix = 0;
  while (prefix < most && from[prefix] === to[prefix]) prefix += 1;
  let suffix = 0;
  while (suffix < most - prefix && from[from.length - 1 - suffix] === to[to.length - 1 - suffix]) suffix += 1;
  const middleFrom = from.slice(prefix, from.length - suffix);
  const middleTo = to.slice(prefix, to.length - suffix);
  if (middleFrom.length === 0 && middleTo.length === 0) return [];
  const changes = shortestScript(middleFrom, middleTo) ?? [
    { fromStart: 0, fromEnd: middleFrom.length, toStart: 0, toEnd: middleTo.length },
  ];
  return changes.map(({ fromStart, fromEnd, toStart, toEnd }) => ({
    fromStart: fromStart + prefix,
    fromEnd: fromEnd + prefix,
    toStart: toStart + prefix,
    toEnd: toEnd + prefix,
  }));
}

function shortestScript(from: readonly string[], to: readonly string[]): LineChange[] | undefined {
  const longest = Math.min(
    MAX_DISTANCE,
    Math.floor(MAX_STEPS / (from.length + to.length)) + 1,
    from.length + to.length,
  );
  /** Furthest x on each diagonal k = x - y, one map per distance, for the way back. */
  const history: Map<number, number>[] = [];
  let furthest = new Map<number, number>([[1, 0]]);
  for (let distance = 0; distance <= longest; distance += 1) {
    history.push(furthest);
    const reached = new Map<number, number>();
    for (let k = -distance; k <= distance; k += 2) {
      let x = goesDown(furthest, k, distance) ? at(furthest, k + 1) : at(furthest, k - 1) + 1;
      while (x < from.length && x - k < to.length && from[x] === to[x - k]) x += 1;
      reached.set(k, x);
      if (x >= from.length && x - k >= to.length) return wayBack(history, from.length, to.length);
    }
    furthest = reached;
  }
  return undefined;
}

function goesDown(furthest: ReadonlyMap<number, number>, k: number, distance: number): boolean {
  return k === -distance || (k !== distance && at(furthest, k - 1) < at(furthest, k + 1));
}

function at(furthest: ReadonlyMap<number, number>, k: number): number {
  return furthest.get(k) ?? -1;
}

/** Neighbouring insertions and deletions are joined to one change. */
function wayBack(history: readonly Map<number, number>[], fromLength: number, toLength: number): LineChange[] {
  const changes: LineChange[] = [];
  let x = fromLength;
  let y = toLength;
  for (let distance = history.length - 1; distance > 0; distance -= 1) {
    const furthest = history[distance] ?? new Map();
    const k = x - y;
    const previous = goesDown(furthest, k, distance) ? k + 1 : k - 1;
    const previousX = at(furthest, previous);
    const previousY = previousX - previous;
    // One step right or down, then the diagonal; the step is the change.
    const fromEnd = previous === k - 1 ? previousX + 1 : previousX;
    const toEnd = previous === k + 1 ? previousY + 1 : previousY;
    const next = changes.at(-1);
    if (next !== undefined && next.fromStart === fromEnd && next.toStart === toEnd) {
      changes[changes.length - 1] = { ...next, fromStart: previousX, toStart: previousY };
    } else {
      changes.push({ fromStart: previousX, fromEnd, toStart: previousY, toEnd });
    }
    x = previousX;
    y = previousY;
  }
  return changes.reverse();
}
