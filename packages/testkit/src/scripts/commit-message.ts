import type { NormalizedRequest } from "../normalized-request.ts";
import { type Reply, say } from "../reply.ts";

/** Whether a client asks for a commit message: no tools, and a system prompt that speaks of one. */
export function isCommitMessageRequest(request: NormalizedRequest): boolean {
  return request.tools.length === 0 && /commit message/i.test(request.system);
}

/** One conventional commit line (conventionalcommits.org, 1.0.0) that says which files the diff touches. */
export function answerCommitMessage(request: NormalizedRequest): Reply {
  return say(commitMessageFor(request.prompt));
}

/** The line for a unified diff as `git diff` writes it; a general one where there is no diff in the text. */
export function commitMessageFor(diff: string): string {
  const paths = [...diff.matchAll(/^diff --git a\/.* b\/(.*)$/gm)].flatMap(([, path]) => (path ? [path] : []));
  const [first] = paths;
  if (first === undefined) return "chore: update files";
  const kind = commitType(paths, diff);
  if (paths.length > 1) return `${kind}: update ${first} and ${paths.length - 1} more`;
  const name = first.slice(first.lastIndexOf("/") + 1);
  return `${kind}(${stem(name)}): ${verb(kind, diff)} ${first}`;
}

function commitType(paths: readonly string[], diff: string): string {
  if (paths.every((path) => /\.(md|txt)$/i.test(path))) return "docs";
  if (paths.every((path) => /(^|\/)tests?\/|\.test\.[a-z]+$/.test(path))) return "test";
  return /^new file mode/m.test(diff) ? "feat" : "fix";
}

function verb(kind: string, diff: string): string {
  if (/^new file mode/m.test(diff)) return "add";
  if (/^deleted file mode/m.test(diff)) return "remove";
  return kind === "fix" ? "correct" : "update";
}

function stem(name: string): string {
  return name.replace(/\..*$/, "") || name;
}
