import { lineChanges } from "./line-changes.ts";

const CONTEXT = 3;
const MAX_DIFF_LINES = 200;

export type UnifiedDiff = { readonly diff: string; readonly added: number; readonly removed: number };

/** Hunks as in `diff -u`, without file headers; of a long diff the first 200 lines. The counts are of all of it. */
export function unifiedDiff(before: string, after: string): UnifiedDiff {
  const from = splitLines(before);
  const to = splitLines(after);
  const changes = lineChanges(from, to);
  let added = 0;
  let removed = 0;
  const output: string[] = [];
  for (let index = 0; index < changes.length; ) {
    // Changes whose contexts touch share a hunk.
    let last = index;
    while (startOf(changes[last + 1]) - endOf(changes[last]) <= 2 * CONTEXT) last += 1;
    const hunk = changes.slice(index, last + 1);
    index = last + 1;
    const lines: string[] = [];
    const start = Math.max(0, startOf(hunk[0]) - CONTEXT);
    const end = Math.min(from.length, endOf(hunk.at(-1)) + CONTEXT);
    const shift = (hunk[0]?.toStart ?? 0) - (hunk[0]?.fromStart ?? 0);
    let at = start;
    let grown = 0;
    for (const { fromStart, fromEnd, toStart, toEnd } of hunk) {
      lines.push(...prefixed(" ", from.slice(at, fromStart)));
      lines.push(...prefixed("-", from.slice(fromStart, fromEnd)), ...prefixed("+", to.slice(toStart, toEnd)));
      removed += fromEnd - fromStart;
      added += toEnd - toStart;
      grown += toEnd - toStart - (fromEnd - fromStart);
      at = fromEnd;
    }
    lines.push(...prefixed(" ", from.slice(at, end)));
    const header = `@@ -${range(start, end - start)} +${range(start + shift, end - start + grown)} @@`;
    if (output.length < MAX_DIFF_LINES) output.push(header, ...lines);
  }
  const shown = output.slice(0, MAX_DIFF_LINES);
  if (shown.length < output.length) shown.push("...");
  return { diff: shown.join("\n"), added, removed };
}

function startOf(change: { readonly fromStart: number } | undefined): number {
  return change?.fromStart ?? Number.POSITIVE_INFINITY;
}

function endOf(change: { readonly fromEnd: number } | undefined): number {
  return change?.fromEnd ?? 0;
}

function range(start: number, length: number): string {
  // An empty range names the line before it, as diff does.
  return `${length === 0 ? start : start + 1},${length}`;
}

function prefixed(prefix: string, lines: readonly string[]): string[] {
  return lines.slice(0, MAX_DIFF_LINES + 1).map((line) => prefix + line);
}

/** A last line without a line break is marked, or adding one would look like no change. */
function splitLines(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  const last = lines.pop();
  if (last !== undefined && last !== "") lines.push(`${last}\n\\ No newline at end of file`);
  return lines;
}
