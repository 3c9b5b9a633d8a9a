import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileEdit } from "@loom/tools";
import { runGit } from "./git-process.ts";
import type { Repository } from "./repository.ts";
import type { GitPath } from "./work-tree.ts";

/** An entry of an index, or of a tree. */
export type IndexEntry = { readonly mode: string; readonly object: string; readonly path: GitPath };

type Blobs = { readonly ours: string; readonly base: string; readonly theirs: string };

/**
 * The agent's part of a file in which the person has changes too: `head`, the committed file, with what the edits
 * changed and nothing else. `undefined` where the two cannot be told apart: they touch the same lines or lines side by
 * side, or the file is not text.
 */
export async function agentsPart(
  repository: Repository,
  head: IndexEntry,
  edits: readonly FileEdit[],
): Promise<IndexEntry | undefined> {
  if (!REGULAR.has(head.mode) || edits.length === 0) return undefined;
  let ours: string | undefined = head.object;
  for (const { before, after } of edits) {
    if (before === undefined || ours === undefined) return undefined;
    const base = await storeAsCommitted(repository, head.path, before);
    const theirs = await storeAsCommitted(repository, head.path, after);
    if (base === undefined || theirs === undefined) return undefined;
    ours = await mergeBlobs(repository, { ours, base, theirs });
  }
  return ours === undefined ? undefined : { ...head, object: ours };
}

/** Three-way merge of three blobs into a fourth; `undefined` on conflict. */
export async function mergeBlobs({ atRoot }: Repository, blobs: Blobs): Promise<string | undefined> {
  if (blobs.ours === blobs.base || blobs.ours === blobs.theirs) return blobs.theirs;
  if (blobs.base === blobs.theirs) return blobs.ours;
  const directory = mkdtempSync(join(tmpdir(), "loom-merge-"));
  try {
    const files: string[] = [];
    for (const [name, object] of Object.entries(blobs)) {
      const { ok, stdout } = await runGit(atRoot, ["cat-file", "blob", object]);
      if (!ok) return undefined;
      files.push(join(directory, name));
      writeFileSync(join(directory, name), stdout);
    }
    // Since 2.43 git could take the blobs by their names.
    const merged = await runGit(atRoot, ["merge-file", "-p", "--quiet", ...files]);
    if (!merged.ok) return undefined;
    return await stored(runGit(atRoot, ["hash-object", "-w", "--stdin"], { input: merged.stdout }));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The entry of one path in an index, the person's unless named; `undefined` if there is none, or a conflict. */
export async function indexEntry(
  { atRoot }: Repository,
  path: GitPath,
  options: { readonly indexFile?: string } = {},
): Promise<IndexEntry | undefined> {
  const args = ["--literal-pathspecs", "ls-files", "--stage", "-z", "--", onCommandLine(path)];
  const { stdout } = await runGit(atRoot, args, options);
  const [entry = "", ...more] = stdout.toString("latin1").split("\0").slice(0, -1);
  const [mode = "", object = "", stage] = entry.slice(0, entry.indexOf("\t")).split(" ");
  return more.length === 0 && stage === "0" ? { mode, object, path } : undefined;
}

/** As `git add` would: line endings and filters of the path apply. */
function storeAsCommitted({ atRoot }: Repository, path: GitPath, content: Uint8Array): Promise<string | undefined> {
  const args = ["hash-object", "-w", "--stdin", `--path=${onCommandLine(path)}`];
  return stored(runGit(atRoot, args, { input: Buffer.from(content) }));
}

async function stored(run: ReturnType<typeof runGit>): Promise<string | undefined> {
  const { ok, stdout } = await run;
  return ok ? stdout.toString("latin1").trim() : undefined;
}

/** Paths that tools report are UTF-8. */
function onCommandLine(path: GitPath): string {
  return Buffer.from(path, "latin1").toString("utf8");
}

const REGULAR: ReadonlySet<string> = new Set(["100644", "100755"]);
