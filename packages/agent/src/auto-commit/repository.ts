import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { findRepository } from "../prompt/repository.ts";
import { type GitOptions, runGit } from "./git-process.ts";
import type { GitPath, WorkTreeSnapshot } from "./work-tree.ts";

/** A working tree that can be committed to. */
export type Repository = {
  /** git, run in the workspace. */
  readonly inWorkspace: GitOptions;
  /** git, run where `GitPath`s begin. */
  readonly atRoot: GitOptions;
  /** Absolute path of the working tree's root. */
  readonly root: string;
  /** Absolute path of this working tree's own Git directory. */
  readonly gitDirectory: string;
};

/**
 * The repository of the workspace. `undefined` where there is nothing to be said about it: no repository, no git, or
 * one that cannot be written. A string is a reason that the person would want to know.
 */
export async function locateRepository(inWorkspace: GitOptions): Promise<Repository | string | undefined> {
  if (findRepository(inWorkspace.directory) === undefined) return undefined;
  const found = await runGit(inWorkspace, ["rev-parse", "--show-toplevel", "--absolute-git-dir"]);
  if (found.missing) return undefined;
  if (!found.ok) return found.stderr.trim().split("\n", 1)[0] ?? "";
  // The Git directory of a linked worktree is elsewhere, so the two need not begin alike.
  const [root = "", gitDirectory = "", ...more] = found.stdout.toString("utf8").replace(/\n$/, "").split("\n");
  if (more.length > 0) return "the repository has a line break in its path";
  if (!isWritable(gitDirectory) || !isWritable(join(gitDirectory, "HEAD"))) return undefined;
  return { inWorkspace, atRoot: { ...inWorkspace, directory: root }, root, gitDirectory };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const IN_PROGRESS: readonly (readonly [string, string])[] = [
  ["MERGE_HEAD", "a merge"],
  ["rebase-merge", "a rebase"],
  ["rebase-apply", "a rebase"],
  ["CHERRY_PICK_HEAD", "a cherry-pick"],
  ["REVERT_HEAD", "a revert"],
  ["BISECT_LOG", "a bisection"],
];

/** Why now is no time to commit, as the rest of a sentence; `undefined` if it is. */
export function obstacleTo({ gitDirectory }: Repository, { branch }: WorkTreeSnapshot): string | undefined {
  const found = IN_PROGRESS.find(([name]) => existsSync(join(gitDirectory, name)));
  if (found !== undefined) return `${found[1]} is in progress`;
  // A commit there is on no branch: it is lost with the next checkout.
  return branch === undefined ? "no branch is checked out (HEAD is detached)" : undefined;
}

/** Paths whose committed content is not the same in both commits; `undefined` stands for before the first. */
export async function pathsBetween(
  { atRoot }: Repository,
  from: string | undefined,
  to: string | undefined,
): Promise<ReadonlySet<GitPath>> {
  if (from === to || to === undefined) return new Set();
  const args =
    from === undefined
      ? ["ls-tree", "-r", "--name-only", "-z", to]
      : ["diff-tree", "-r", "--name-only", "-z", from, to];
  const { stdout } = await runGit(atRoot, args);
  return new Set(stdout.toString("latin1").split("\0"));
}
