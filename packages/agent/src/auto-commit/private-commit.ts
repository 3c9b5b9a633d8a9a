import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FileEdit } from "@loom/tools";
import type { ChangeKind, CommittedFile } from "./commit-message.ts";
import { GIT_DEADLINE_MS, lastLine, runGit } from "./git-process.ts";
import { pathsBetween, type Repository } from "./repository.ts";
import { agentsPart, type IndexEntry, indexEntry, mergeBlobs } from "./shared-file.ts";
import { displayPath, type GitPath } from "./work-tree.ts";

/** What goes to the model of a change. */
const MAX_DIFF_BYTES = 32 * 1024;
const LOCK_WAIT_MS = 100;
const LOCK_ATTEMPTS = 20;
const HOOKS_OF_COMMIT = ["pre-commit", "prepare-commit-msg", "commit-msg"];
/** Somebody else commits at the same time: twice is chance. */
const MAX_REBUILDS = 3;

export type CommitResult =
  | {
      readonly type: "committed";
      readonly sha: string;
      readonly paths: readonly string[];
      readonly indexIsStale: boolean;
    }
  /** Others have committed the same files in the meantime. */
  | { readonly type: "nothing" }
  /** `reason` is the rest of a sentence. */
  | { readonly type: "refused"; readonly reason: string };

export type StagedPaths = {
  /** Changed by the agent alone. */
  readonly whole: readonly GitPath[];
  /** Changed by the person as well. */
  readonly mixed: readonly GitPath[];
  readonly edits: ReadonlyMap<GitPath, readonly FileEdit[]>;
};

/**
 * A commit in the making. Its files are taken as they are now and put into an index of its own, on top of HEAD, so that
 * neither the person's index nor later edits have a part in it. To be disposed of.
 */
export class PrivateCommit {
  readonly #repository: Repository;
  readonly #directory = mkdtempSync(join(tmpdir(), "loom-commit-"));
  readonly #indexFile = join(this.#directory, "index");
  /** Files whose changes of the agent's cannot be told from the person's. */
  readonly leftOut: GitPath[] = [];
  /** Files of which only the agent's part is committed, each with its object in the state before. */
  readonly #shared = new Map<GitPath, string>();
  #base: string | undefined;
  #paths: readonly GitPath[];

  private constructor(repository: Repository, base: string | undefined, paths: readonly GitPath[]) {
    this.#repository = repository;
    this.#base = base;
    this.#paths = paths;
  }

  /** A string is the reason why it cannot be, as the rest of a sentence. */
  static async stage(
    repository: Repository,
    base: string | undefined,
    { whole, mixed, edits }: StagedPaths,
  ): Promise<PrivateCommit | string> {
    const commit = new PrivateCommit(repository, base, whole);
    const args = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
    const reason =
      (await commit.#readHead()) ?? (await commit.#git(args, whole)) ?? (await commit.#stageParts(mixed, edits));
    if (reason === undefined) return commit;
    commit.dispose();
    return reason;
  }

  /** Puts the agent's part of files that hold changes of the person's too into the index, where it can be told apart. */
  async #stageParts(mixed: readonly GitPath[], edits: StagedPaths["edits"]): Promise<string | undefined> {
    const lines: string[] = [];
    for (const path of mixed) {
      const done = edits.get(path);
      const head = done && (await indexEntry(this.#repository, path, { indexFile: this.#indexFile }));
      const part = done && head && (await agentsPart(this.#repository, head, done));
      // What the person has staged of the file has to stay staged, beside the agent's part.
      const blobs = head && part && { base: head.object, theirs: part.object };
      const theirIndex = blobs && (await withStaged(this.#repository, path, blobs));
      if (part === undefined || theirIndex === undefined) this.leftOut.push(path);
      else {
        this.#shared.set(path, head?.object ?? "");
        lines.push(`${part.mode} ${part.object}\t${path}`);
      }
    }
    this.#paths = [...this.#paths, ...this.#shared.keys()];
    return lines.length === 0 ? undefined : this.#git(["update-index", "-z", "--index-info"], lines);
  }

  dispose(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The files that really differ from HEAD. */
  async files(): Promise<readonly CommittedFile[]> {
    const args = ["diff-index", "--cached", "--name-status", "--no-renames", "-z", await this.#baseTree()];
    const { stdout } = await this.#run(args);
    return committedFiles(stdout);
  }

  /** Statistics, then the patch, at most 32 KiB; says so where it is cut. */
  async diff(): Promise<string> {
    const args = ["-c", "core.quotePath=false", "diff", "--cached", ...DIFF_FORMAT, await this.#baseTree(), "--"];
    const { stdout, cut } = await this.#run(args, {
      maxOutputBytes: MAX_DIFF_BYTES,
      mayCut: true,
    });
    const text = stdout.toString("utf8");
    return cut
      ? `${text}\n[cut here: the diff is longer than ${MAX_DIFF_BYTES / 1024} KiB; the statistics are complete]`
      : text;
  }

  /** Makes the commit, with the repository's hooks, and brings the person's index up to date for its files alone. */
  async commit(
    message: string,
    { signal, deadlineMs = GIT_DEADLINE_MS }: { readonly signal: AbortSignal; readonly deadlineMs?: number },
  ): Promise<CommitResult> {
    for (let rebuilds = 0; rebuilds <= MAX_REBUILDS; rebuilds++) {
      const moved = await this.#followHead();
      if (typeof moved === "string") return { type: "refused", reason: moved };
      if (this.#paths.length === 0 || (moved && (await this.files()).length === 0)) return { type: "nothing" };
      if (!(await this.#indexIsFree())) return { type: "refused", reason: "another git process holds the index" };
      const result = await this.#run([...COMMIT_SETTINGS, "commit", "--file=-", "--cleanup=whitespace"], {
        input: message,
        signal,
        deadlineMs,
      });
      const sha = / ([0-9a-f]{40,64})\] /.exec(result.stdout.toString("latin1"))?.[1];
      if (!result.ok || sha === undefined) {
        // git refuses too when the branch moves while it works; then there is another try.
        if ((await this.#head()) === this.#base) {
          const reason = result.late ? await this.#slowness(deadlineMs) : refusal(result.stderr);
          return { type: "refused", reason };
        }
      } else if (await this.#isOnBase(sha)) return this.#updateIndex(sha);
    }
    return { type: "refused", reason: "the branch keeps moving" };
  }

  /** Who took too long, as the rest of a sentence: a commit of a few files does not, but what a hook runs may. */
  async #slowness(deadlineMs: number): Promise<string> {
    const { stdout } = await this.#run(["rev-parse", "--git-path", "hooks"]);
    const directory = stdout.toString("utf8").replace(/\n$/, "");
    const hooks = HOOKS_OF_COMMIT.filter((name) => existsSync(resolve(this.#repository.root, directory, name)));
    const who = hooks.length === 0 ? "git" : `a git hook (${hooks.join(" or ")} in ${directory})`;
    return `${who} took longer than ${deadlineMs / 1_000} s and was stopped`;
  }

  /** Whether the commit stands on the state it was made from. If the branch moved in the last moment, it is taken back. */
  async #isOnBase(sha: string): Promise<boolean> {
    const { stdout } = await this.#run(["rev-parse", "--verify", "--quiet", `${sha}^`]);
    const parent = stdout.toString("latin1").trim();
    if (parent === (this.#base ?? "")) return true;
    await this.#run(["update-ref", "HEAD", parent, sha]);
    return false;
  }

  /** If the branch has moved on, builds the index again on its new state, without files that others have changed. */
  async #followHead(): Promise<boolean | string> {
    const head = await this.#head();
    if (head === this.#base) return false;
    const changed = await pathsBetween(this.#repository, this.#base, head);
    const staged = await this.#run(["ls-files", "--stage", "-z"]);
    const entries = new Map(
      staged.stdout
        .toString("latin1")
        .split("\0")
        .map((entry) => [entry.slice(entry.indexOf("\t") + 1), entry]),
    );
    this.#base = head;
    this.#paths = this.#paths.filter((path) => !changed.has(path));
    const none = "0".repeat(head?.length ?? 40);
    const infos = this.#paths.map((path) => entries.get(path) ?? `0 ${none}\t${path}`);
    const reason = (await this.#readHead()) ?? (await this.#git(["update-index", "-z", "--index-info"], infos));
    return reason ?? true;
  }

  async #head(): Promise<string | undefined> {
    const { stdout } = await this.#run(["rev-parse", "--verify", "--quiet", "HEAD"]);
    return stdout.toString("latin1").trim() || undefined;
  }

  #readHead(): Promise<string | undefined> {
    return this.#git(["read-tree", this.#base ?? "--empty"]);
  }

  /** What the index is compared to: before the first commit, the tree without files. */
  async #baseTree(): Promise<string> {
    if (this.#base !== undefined) return this.#base;
    const { stdout } = await this.#run(["hash-object", "-t", "tree", "--stdin", "-w"]);
    return stdout.toString("latin1").trim();
  }

  async #indexIsFree(): Promise<boolean> {
    const lock = join(this.#repository.gitDirectory, "index.lock");
    for (let attempt = 0; existsSync(lock); attempt++) {
      if (attempt === LOCK_ATTEMPTS) return false;
      await sleep(LOCK_WAIT_MS);
    }
    return true;
  }

  async #updateIndex(sha: string): Promise<CommitResult> {
    const { stdout } = await this.#run([
      "diff-tree",
      "-r",
      "-z",
      "--root",
      "--no-commit-id",
      "--no-renames",
      "--raw",
      sha,
    ]);
    const changes = rawChanges(stdout);
    const entries: RawChange[] = [];
    for (const change of changes) {
      const base = this.#shared.get(change.path);
      const blobs = base === undefined ? undefined : { base, theirs: change.object };
      const object = blobs === undefined ? change.object : await withStaged(this.#repository, change.path, blobs);
      if (object !== undefined) entries.push({ ...change, object });
    }
    const indexIsStale = !(await updateIndex(this.#repository, entries));
    return { type: "committed", sha, paths: changes.map(({ path }) => displayPath(path)), indexIsStale };
  }

  async #git(args: readonly string[], lines: readonly string[] = []): Promise<string | undefined> {
    const input = Buffer.from(lines.map((line) => `${line}\0`).join(""), "latin1");
    const { ok, stderr } = await this.#run(args, { input });
    return ok ? undefined : refusal(stderr);
  }

  #run(args: readonly string[], options: Parameters<typeof runGit>[2] = {}) {
    return runGit(this.#repository.atRoot, args, { ...options, indexFile: this.#indexFile });
  }
}

/** The same whatever the person's configuration says. */
const DIFF_FORMAT = [
  ...["--stat=100,70,40", "--patch", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/"],
  ...["--no-color", "--no-ext-diff", "--no-textconv"],
];

/** No guessed identity; no clean-up that goes on behind our back; the whole hash in the answer. */
const COMMIT_SETTINGS = ["user.useConfigOnly=true", "gc.auto=0", "maintenance.auto=false", "core.abbrev=40"].flatMap(
  (setting) => ["-c", setting],
);

type RawChange = IndexEntry;

/** What the person's index should hold of a file after the agent's part of it is committed; `undefined` on conflict. */
async function withStaged(
  repository: Repository,
  path: GitPath,
  blobs: { readonly base: string; readonly theirs: string },
): Promise<string | undefined> {
  const staged = await indexEntry(repository, path);
  return staged && (await mergeBlobs(repository, { ours: staged.object, ...blobs }));
}

/** What is on the new side of `git diff-tree --raw -z` (git-diff(1), "raw output format"). */
function rawChanges(output: Buffer): RawChange[] {
  const fields = output.toString("latin1").split("\0");
  const changes: RawChange[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [, mode = "", , object = ""] = (fields[index] ?? "").split(" ");
    changes.push({ mode, object, path: fields[index + 1] ?? "" });
  }
  return changes;
}

/**
 * Brings the person's index up to date for these paths; what they have staged of other files stays staged. `update-index`
 * and not `reset`, which reads the index before it locks it and so can undo what another git writes in that moment.
 * False if another git process held the index all the time.
 */
async function updateIndex({ atRoot }: Repository, changes: readonly RawChange[]): Promise<boolean> {
  const lines = changes.map(({ mode, object, path }) => `${mode === "000000" ? "0" : mode} ${object}\t${path}\0`);
  const input = Buffer.from(lines.join(""), "latin1");
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
    if ((await runGit(atRoot, ["update-index", "-z", "--index-info"], { input })).ok) return true;
    await sleep(LOCK_WAIT_MS);
  }
  return false;
}

function refusal(stderr: string): string {
  return `git refused: ${lastLine(stderr) || "it gave no reason"}`;
}

const KINDS: Readonly<Record<string, ChangeKind>> = { A: "added", D: "deleted" };

/** From `git diff --name-status -z`: status and path in turn. */
function committedFiles(nameStatus: Buffer): CommittedFile[] {
  const fields = nameStatus.toString("latin1").split("\0");
  const files: CommittedFile[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    files.push({ path: displayPath(fields[index + 1] ?? ""), kind: KINDS[fields[index] ?? ""] ?? "modified" });
  }
  return files;
}
