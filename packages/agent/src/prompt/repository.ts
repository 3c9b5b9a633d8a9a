import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** What the file system alone says of a Git repository; asking git for it would cost a process. */
export type RepositoryFacts = {
  /** Absolute path of the working tree's root. */
  readonly root: string;
  /** Branch that is checked out; `undefined` with a detached HEAD, or where HEAD cannot be read. */
  readonly branch: string | undefined;
};

/** The repository that `directory` (absolute) lies in, if any. */
export function findRepository(directory: string): RepositoryFacts | undefined {
  for (let root = directory; ; root = dirname(root)) {
    const entry = join(root, ".git");
    const stat = statSync(entry, { throwIfNoEntry: false });
    if (stat !== undefined)
      return { root, branch: branchOf(stat.isDirectory() ? entry : linkedDirectory(entry, root)) };
    if (dirname(root) === root) return undefined;
  }
}

/** The Git directory of the working tree that `directory` (absolute) lies in, if any. */
export function gitDirectoryOf(directory: string): string | undefined {
  const root = findRepository(directory)?.root;
  if (root === undefined) return undefined;
  const entry = join(root, ".git");
  return statSync(entry, { throwIfNoEntry: false })?.isDirectory() ? entry : linkedDirectory(entry, root);
}

/** Worktrees and submodules have a file there: `gitdir: PATH` (gitrepository-layout(5)). */
function linkedDirectory(file: string, root: string): string | undefined {
  const path = /^gitdir: (.+)$/m.exec(readShort(file))?.[1];
  return path === undefined ? undefined : resolve(root, path);
}

function branchOf(gitDirectory: string | undefined): string | undefined {
  if (gitDirectory === undefined) return undefined;
  return /^ref: refs\/heads\/(.+)$/m.exec(readShort(join(gitDirectory, "HEAD")))?.[1];
}

function readShort(file: string): string {
  try {
    return statSync(file).isFile() ? readFileSync(file, "utf8").slice(0, 4_096) : "";
  } catch {
    return "";
  }
}
