import { lstatSync, readFileSync } from "node:fs";
import { type GitOptions, runGit } from "./git-process.ts";

/**
 * A path as git knows it: relative to the root of the working tree, one character per byte (latin1), because a name on
 * disk need not be UTF-8. `displayPath` makes it readable.
 */
export type GitPath = string;

/** What is not as in HEAD, at one moment: each path with a signature of the file, which changes when it is written. */
export type WorkTreeSnapshot = {
  /** `undefined` before the first commit. */
  readonly head: string | undefined;
  /** `undefined` with a detached HEAD. */
  readonly branch: string | undefined;
  readonly dirty: ReadonlyMap<GitPath, string>;
};

/** More files than this out of step with HEAD, and Loom keeps out of it. */
const MAX_DIRTY_FILES = 20_000;
const MAX_STATUS_BYTES = 4 * 1024 * 1024;

/**
 * Looks at the part of the working tree below the workspace (`git.directory`), ignored files and submodules aside.
 * A string is the reason why that is not possible.
 */
export async function readWorkTree(git: GitOptions, root: string): Promise<WorkTreeSnapshot | string> {
  const args = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignore-submodules=all"];
  const result = await runGit(git, [...args, "--no-renames", "--", "."], { maxOutputBytes: MAX_STATUS_BYTES });
  if (result.cut) return "too many files are not committed";
  if (!result.ok) return `git status failed: ${result.stderr.trim().split("\n", 1)[0] ?? ""}`;
  let head: string | undefined;
  let branch: string | undefined;
  const dirty = new Map<GitPath, string>();
  for (const entry of result.stdout.toString("latin1").split("\0")) {
    if (entry.startsWith("# branch.oid ")) head = known(entry.slice(13), "(initial)");
    else if (entry.startsWith("# branch.head ")) branch = known(entry.slice(14), "(detached)");
    const path = pathOf(entry);
    if (path === undefined) continue;
    dirty.set(path, signatureOf(root, path));
    if (dirty.size > MAX_DIRTY_FILES) return `more than ${MAX_DIRTY_FILES} files are not committed`;
  }
  return { head, branch, dirty };
}

function known(value: string, unknown: string): string | undefined {
  return value === unknown ? undefined : value;
}

/** The path of one entry of `git status --porcelain=v2 -z` (git-status(1)); nothing for a submodule or a repository. */
function pathOf(entry: string): GitPath | undefined {
  const fields = FIELDS_BEFORE_PATH[entry[0] ?? ""];
  if (fields === undefined || (fields > 1 && entry[5] === "S")) return undefined;
  let start = 0;
  for (let field = 0; field < fields; field++) start = entry.indexOf(" ", start) + 1;
  const path = entry.slice(start);
  // A directory is listed only where it is a repository of its own.
  return path.endsWith("/") ? undefined : path;
}

const FIELDS_BEFORE_PATH: Readonly<Record<string, number>> = { "1": 8, u: 10, "?": 1 };

/** Differs as soon as the file was written, replaced, removed or made (to the resolution of the file system's clock). */
function signatureOf(root: string, path: GitPath): string {
  try {
    const { mode, size, ino, mtimeNs, ctimeNs } = lstatSync(onDisk(root, path), { bigint: true });
    return `${mode}:${size}:${ino}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return "gone";
  }
}

/** Size of what is on disk, in bytes; 0 where nothing is. */
export function sizeOf(root: string, path: GitPath): number {
  try {
    return lstatSync(onDisk(root, path)).size;
  } catch {
    return 0;
  }
}

/** What is in a file; `undefined` if it cannot be read. */
export function contentOf(root: string, path: GitPath): Buffer | undefined {
  try {
    return readFileSync(onDisk(root, path));
  } catch {
    return undefined;
  }
}

function onDisk(root: string, path: GitPath): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, "latin1")]);
}

/** For people: characters that would disturb a line are replaced. */
export function displayPath(path: GitPath): string {
  return Buffer.from(path, "latin1")
    .toString("utf8")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

/** From a path as tools report it. */
export function gitPath(path: string): GitPath {
  return Buffer.from(path, "utf8").toString("latin1");
}
