/** The first test that failed, and the file it stands in. */
export type FailedTest = { readonly type: "failed"; readonly file: string; readonly title: string };

/** What a run of Node's test runner says. */
export type TestRun = { readonly type: "passed" } | FailedTest | { readonly type: "unclear" };

const TEST_FILE = /(?:^|[\s'"(/])(test\/[\w./-]+\.test\.js):\d+/m;
const TITLES = [/^\s*✖ (?!failing tests:)(.+?)(?: \([\d.]+ms\))?$/m, /^\s*not ok \d+ - (.+)$/m];

/** Reads the output of `node --test`, in its `spec` form or as TAP (which one it is depends on Node's version). */
export function readTestRun(output: string): TestRun {
  if (/^(?:ℹ|#) fail 0$/m.test(output)) return { type: "passed" };
  const file = TEST_FILE.exec(output)?.[1];
  const title = TITLES.map((pattern) => pattern.exec(output)?.[1]).find((found) => found !== undefined);
  if (file === undefined || title === undefined) return { type: "unclear" };
  return { type: "failed", file, title };
}
