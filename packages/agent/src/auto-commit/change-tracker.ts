import { realpathSync } from "node:fs";
import { join, relative } from "node:path";
import type { FileEdit } from "@loom/tools";
import type { FinishedTool } from "../session-types.ts";
import { type Attribution, attribute } from "./attribution.ts";
import type { GitOptions } from "./git-process.ts";
import { locateRepository, pathsBetween, type Repository } from "./repository.ts";
import { fingerprintOf } from "./tree-fingerprint.ts";
import { contentOf, type GitPath, gitPath, readWorkTree, type WorkTreeSnapshot } from "./work-tree.ts";

export type Changes = Attribution & {
  /** What tools did to each file, in order, as far as they know exactly. */
  readonly edits: ReadonlyMap<GitPath, readonly FileEdit[]>;
  readonly repository: Repository;
  readonly after: WorkTreeSnapshot;
};

/** Knows what the working tree was like before the tools ran, and so what they changed. */
export class ChangeTracker {
  readonly #git: GitOptions;
  #repository: Repository | undefined;
  #branch: string | undefined;
  #before: WorkTreeSnapshot | string | undefined;
  /** The newest look, with what the tree was like when it began. */
  #seen: { readonly fingerprint: string; readonly snapshot: WorkTreeSnapshot } | undefined;
  /** What the agent changed and nobody has committed, as it left it. */
  readonly #owed = new Map<GitPath, string>();

  constructor(git: GitOptions) {
    this.#git = git;
  }

  /**
   * To be called right before tools may change something: what a person saves until then, even in the moment since the
   * last round, is the person's.
   */
  async begin(): Promise<void> {
    this.#before = await this.#look();
  }

  /**
   * To be called when they have ended. A string is the reason why nothing can be said of the working tree; `undefined`:
   * there is no repository to speak of.
   */
  async end(tools: readonly FinishedTool[]): Promise<Changes | string | undefined> {
    const before = this.#before;
    if (before === undefined || typeof before === "string") return before;
    const after = await this.#look();
    const repository = this.#repository;
    if (after === undefined || typeof after === "string" || repository === undefined)
      return after as string | undefined;
    // Where the branch moved, a file may differ from HEAD although nobody has touched it.
    const moved = await pathsBetween(repository, before.head, after.head);
    const reported = this.#reported(repository, tools);
    const edits = this.#edits(repository, tools);
    const found = attribute({ before, after, owed: this.#owed, reported });
    // Where tools know exactly what they did, somebody else's hand in the same file shows.
    const isAlone = (path: GitPath) => reported === "unknown" || isAsLeft(repository.root, path, edits.get(path) ?? []);
    const agents = found.agents.filter((path) => isAlone(path) && !moved.has(path));
    const mixed = [...found.mixed, ...found.agents.filter((path) => !isAlone(path))];
    this.#owed.clear();
    for (const path of agents) this.#owed.set(path, after.dirty.get(path) ?? "");
    return { agents, mixed, edits, repository, after };
  }

  /** Whether there was something to look at when the tools began. */
  get isLooking(): boolean {
    return this.#before !== undefined;
  }

  /** Nothing is owed any more: it was committed, or it is left to the person. */
  settle(): void {
    this.#owed.clear();
  }

  async #look(): Promise<WorkTreeSnapshot | string | undefined> {
    if (this.#repository === undefined) {
      const located = await locateRepository(this.#git);
      if (located === undefined || typeof located === "string") return located;
      this.#repository = located;
    }
    const repository = this.#repository;
    // Before git looks: what changes meanwhile makes the next fingerprint another one.
    const fingerprint = fingerprintOf(repository, this.#branch);
    if (fingerprint !== undefined && fingerprint === this.#seen?.fingerprint) return this.#seen.snapshot;
    const snapshot = await readWorkTree(repository.inWorkspace, repository.root);
    this.#seen = undefined;
    if (typeof snapshot === "string") return snapshot;
    // Its commit is part of the fingerprint, so the branch has to be known first.
    if (fingerprint !== undefined && snapshot.branch === this.#branch) this.#seen = { fingerprint, snapshot };
    this.#branch = snapshot.branch;
    return snapshot;
  }

  #edits({ root }: Repository, tools: readonly FinishedTool[]): ReadonlyMap<GitPath, readonly FileEdit[]> {
    const below = relative(root, realpathSync(this.#git.directory));
    return Map.groupBy(
      tools.flatMap(({ edits = [] }) => edits),
      ({ path }) => gitPath(join(below, path)),
    );
  }

  #reported({ root }: Repository, tools: readonly FinishedTool[]): ReadonlySet<GitPath> | "unknown" {
    const paths = new Set<GitPath>();
    const below = relative(root, realpathSync(this.#git.directory));
    for (const { changed } of tools) {
      if (changed === "unknown") return "unknown";
      for (const path of changed) paths.add(gitPath(join(below, path)));
    }
    return paths;
  }
}

/** Whether a file holds what the last edit left, and each edit found what the one before it had left. */
function isAsLeft(root: string, path: GitPath, edits: readonly FileEdit[]): boolean {
  const last = edits.at(-1);
  if (last === undefined) return true;
  const isChain = edits.every(({ before }, index) => {
    const previous = edits[index - 1];
    return previous === undefined || (before !== undefined && Buffer.compare(before, previous.after) === 0);
  });
  return isChain && contentOf(root, path)?.equals(last.after) === true;
}
