import type { NormalizedRequest } from "../model/normalized-request.ts";
import { type Reply, say } from "../model/reply.ts";

type Change = { readonly path: string; readonly kind: "new" | "deleted" | "changed"; readonly functionName?: string };

/** Whether a client asks for a commit message: no tools, and a system prompt that speaks of one. */
export function isCommitMessageRequest(request: NormalizedRequest): boolean {
  return request.tools.length === 0 && /commit message/i.test(request.system);
}

/** One conventional commit line (conventionalcommits.org, 1.0.0) about the diff in the request. */
export function answerCommitMessage(request: NormalizedRequest): Reply {
  return say(commitMessageFor(request.prompt));
}

/** The line for a unified diff as `git diff` writes it; a general one where there is no diff in the text. */
export function commitMessageFor(text: string): string {
  const changes = text
    .split(/^diff --git /m)
    .slice(1)
    .map(readChange);
  const [first] = changes;
  if (first === undefined) return "chore: update files";
  const type = commitType(changes);
  const scope = stem(first.path);
  if (changes.length > 1) return `${type}: update ${scope} and ${changes.length - 1} more`;
  if (first.kind === "new") return `${type}: add ${scope}`;
  if (first.kind === "deleted") return `${type}: remove ${scope}`;
  const what = first.functionName ?? fileName(first.path);
  return `${type}(${scope}): ${type === "fix" ? "correct" : "update"} ${what}`;
}

function readChange(diff: string): Change {
  const path = /^a\/.* b\/(.*)$/m.exec(diff)?.[1] ?? /^"?a\/(.*?)"? "?b\//.exec(diff)?.[1] ?? "files";
  const kind = /^new file mode/m.test(diff) ? "new" : /^deleted file mode/m.test(diff) ? "deleted" : "changed";
  const functionName = changedFunction(diff);
  return { path, kind, ...(functionName && { functionName }) };
}

// The last function that begins before the first changed line, in the hunk's heading or its context.
function changedFunction(diff: string): string | undefined {
  const heading = diff.indexOf("\n@@ ");
  const firstChange = diff.slice(heading + 1).search(/^[+-]/m);
  if (heading === -1 || firstChange === -1) return undefined;
  const before = diff.slice(heading + 1, heading + 1 + firstChange);
  return [...before.matchAll(/\bfunction\s+(\w+)/g)].at(-1)?.[1];
}

function commitType(changes: readonly Change[]): string {
  if (changes.every(({ path }) => /\.(md|txt)$/i.test(path))) return "docs";
  if (changes.every(({ path }) => /(^|\/)tests?\/|\.test\.\w+$/.test(path))) return "test";
  if (changes.some(({ kind }) => kind === "new")) return "feat";
  return changes.every(({ kind }) => kind === "deleted") ? "chore" : "fix";
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function stem(path: string): string {
  const name = fileName(path);
  return name.replace(/(?<=.)\..*$/, "");
}
