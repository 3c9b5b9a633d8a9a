import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Repository } from "./repository.ts";

/** A tree with more entries takes longer to go through here than git takes to start. */
const MAX_ENTRIES = 1_000;
/** What was written so shortly before a look could be written again without a new time: file systems count in ticks. */
const TICK_MS = 50;
/** What git's view of the working tree hangs on besides the files themselves; below the Git directory. */
const GIT_FILES = ["HEAD", "index", "config", "config.worktree", "packed-refs", "info/exclude", "reftable/tables.list"];

/**
 * Stands for everything that `git status` reads of a small working tree: as long as two of them are the same, so is what
 * git would say, and it need not be started. `undefined` where that cannot be said: the tree is large, something in it
 * was written this moment, or its Git directory is somewhere else.
 */
export function fingerprintOf(repository: Repository, branch: string | undefined): string | undefined {
  const { root, gitDirectory, inWorkspace } = repository;
  if (gitDirectory !== join(root, ".git")) return undefined;
  const marks: string[] = [];
  const settledBefore = Date.now() - TICK_MS;
  try {
    const workspace = realpathSync(inWorkspace.directory);
    for (const file of [...GIT_FILES, `refs/heads/${branch}`].map((name) => join(gitDirectory, name))) {
      if (!mark(file, settledBefore, marks)) return undefined;
    }
    for (const file of [...settingsOf(inWorkspace.environment), ...ignoreFilesAbove(workspace, root)]) {
      if (!mark(file, settledBefore, marks)) return undefined;
    }
    const directories = [workspace];
    for (let at = directories.pop(); at !== undefined; at = directories.pop()) {
      for (const entry of readdirSync(at, { withFileTypes: true })) {
        if (entry.name === ".git") continue;
        const path = join(at, entry.name);
        if (entry.isDirectory()) directories.push(path);
        if (!mark(path, settledBefore, marks) || marks.length > MAX_ENTRIES) return undefined;
      }
    }
  } catch {
    // Not ours to read, or gone since it was listed.
    return undefined;
  }
  return marks.join("\n");
}

/** Notes how the file is. Every way to change it, but for one within a tick, gives it another change time. */
function mark(path: string, settledBefore: number, marks: string[]): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    marks.push(path);
    return true;
  }
  const { mode, size, ino, ctimeMs } = stats;
  marks.push(`${path}\0${mode}:${size}:${ino}:${ctimeMs}`);
  return ctimeMs < settledBefore;
}

/** The person's own settings, where git looks for them unless told otherwise. */
function settingsOf({ HOME = "/", XDG_CONFIG_HOME }: Readonly<Record<string, string>>): string[] {
  const configuration = join(XDG_CONFIG_HOME || join(HOME, ".config"), "git");
  return [join(HOME, ".gitconfig"), join(configuration, "config"), join(configuration, "ignore")];
}

/** `.gitignore` of the directories between the workspace and the root. */
function ignoreFilesAbove(workspace: string, root: string): string[] {
  const files: string[] = [];
  for (let at = workspace; at !== root && at !== dirname(at); at = dirname(at)) {
    files.push(join(dirname(at), ".gitignore"));
  }
  return files;
}
