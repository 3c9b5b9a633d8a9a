/** A mistake, and what should stand there. */
export type Suspect = { readonly oldText: string; readonly newText: string; readonly reason: string };

type Suspicion = { readonly pattern: RegExp; readonly replacement: string; readonly reason: string };

/** The mistakes the demo's model knows. */
const SUSPICIONS: readonly Suspicion[] = [
  {
    pattern: /Math\.floor\(([^()]+? \/ [^()]+?)\) \+ 1/,
    replacement: "Math.ceil($1)",
    reason: "rounding down and adding one counts one too many whenever the division is exact; rounding up does not.",
  },
  {
    pattern: /(\w+) <= (\w+\.length);/,
    replacement: "$1 < $2;",
    reason: "the loop runs one step past the end of the list.",
  },
];

/** Looks for a known mistake in one function of a source file; the text may carry line numbers. */
export function findSuspect(source: string, functionName: string): Suspect | undefined {
  const start = source.indexOf(`function ${functionName}(`);
  if (start === -1) return undefined;
  const next = source.indexOf("function ", start + 1);
  const body = source.slice(start, next === -1 ? undefined : next);
  for (const { pattern, replacement, reason } of SUSPICIONS) {
    const oldText = pattern.exec(body)?.[0];
    if (oldText !== undefined) return { oldText, newText: oldText.replace(pattern, replacement), reason };
  }
  return undefined;
}
