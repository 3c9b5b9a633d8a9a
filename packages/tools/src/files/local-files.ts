import type { Stats } from "node:fs";
import { closeSync } from "node:fs";
import { asToolFailure, ToolFailure } from "../failure.ts";
import type { Confinement, Place } from "./confinement.ts";
import { displayPath } from "./display-path.ts";
import { requireOutsideGit } from "./git-directory.ts";
import { LinuxConfinement, supportsHeldDirectories } from "./linux-confinement.ts";
import type {
  FileOperations,
  FileSlice,
  Listing,
  ReadOptions,
  SearchQuery,
  SearchResult,
  WriteOptions,
  WrittenFile,
} from "./operations.ts";
import { PortableConfinement } from "./portable-confinement.ts";

export type LocalFilesOptions = {
  /** Path of ripgrep; `null`: search without it; absent: the one that comes with Loom. */
  readonly ripgrep?: string | null;
  /** Absent: the strictest that the system supports. */
  readonly confinement?: "held-directories" | "paths";
};

/** The files of a directory of this machine. Close it to let go of the directory. What a session may not need is loaded late. */
export class LocalFiles implements FileOperations {
  readonly root: string;
  readonly #confinement: Confinement;
  #ripgrep: string | null | undefined;

  /** Throws a system error if `root` is not a directory. */
  constructor(root: string, options: LocalFilesOptions = {}) {
    const held = (options.confinement ?? "held-directories") === "held-directories" && supportsHeldDirectories();
    this.#confinement = held ? new LinuxConfinement(root) : new PortableConfinement(root);
    this.root = this.#confinement.root;
    this.#ripgrep = options.ripgrep;
  }

  close(): void {
    this.#confinement.close();
  }

  async read(path: string, options: ReadOptions): Promise<FileSlice> {
    try {
      using place = this.#confinement.locate(path);
      requireRegularFile(place, path);
      return await readPlace(place, options);
    } catch (error) {
      throw asToolFailure(error, `read ${displayPath(path)}`);
    }
  }

  async write(path: string, content: Uint8Array, { expected, signal }: WriteOptions): Promise<WrittenFile> {
    try {
      requireOutsideGit(path);
      using place = this.#confinement.locate(path, { createParents: expected === null });
      requireOutsideGit(place.path);
      if (place.stats !== undefined) {
        requireRegularFile(place, path);
        requireWritable(place.stats, path);
      }
      const current = place.stats === undefined ? null : await currentVersion(place, signal);
      const { changedMeanwhile, writeAtomically } = await import("./write-atomically.ts");
      if (current !== expected) throw changedMeanwhile(place);
      await writeAtomically(place, content, signal);
      const { versionOf } = await import("./read-slice.ts");
      return { path: place.path, version: versionOf(content) };
    } catch (error) {
      throw asToolFailure(error, `write ${displayPath(path)}`);
    }
  }

  async list(path: string, { maxResults, signal }: { maxResults: number; signal: AbortSignal }): Promise<Listing> {
    try {
      const { walk } = await import("./walk.ts");
      using place = this.#confinement.locate(path);
      requireDirectory(place, path);
      const entries: Listing["entries"][number][] = [];
      let truncated = false;
      for await (const { path, kind, ignored } of walk(place.path, this.#confinement, signal)) {
        if (ignored) continue;
        truncated = entries.length === maxResults;
        if (truncated) break;
        entries.push({ path, kind });
      }
      entries.sort((a, b) => (a.path < b.path ? -1 : 1));
      return { path: place.path, entries, truncated };
    } catch (error) {
      throw asToolFailure(error, `list ${displayPath(path)}`);
    }
  }

  async search(query: SearchQuery): Promise<SearchResult> {
    try {
      using place = this.#confinement.locate(query.path);
      if (!place.stats?.isDirectory()) requireRegularFile(place, query.path);
      const { findRipgrep, searchRipgrep } = await import("./search-ripgrep.ts");
      if (this.#ripgrep === undefined) this.#ripgrep = (await findRipgrep()) ?? null;
      const result =
        this.#ripgrep === null ? undefined : await searchRipgrep(this.#ripgrep, place, query, this.#confinement);
      if (result !== undefined) return result;
      const { searchJavascript } = await import("./search-javascript.ts");
      return await searchJavascript(place, query, this.#confinement);
    } catch (error) {
      throw asToolFailure(error, `search ${displayPath(query.path)}`);
    }
  }
}

async function readPlace(place: Place, options: ReadOptions): Promise<FileSlice> {
  const { readSlice } = await import("./read-slice.ts");
  const fd = place.open();
  try {
    return { path: place.path, ...(await readSlice(fd, place.stats?.size ?? 0, options)) };
  } finally {
    closeSync(fd);
  }
}

async function currentVersion(place: Place, signal: AbortSignal): Promise<string | undefined> {
  const { version } = await readPlace(place, { startLine: 1, maxBytes: 0, signal });
  return version;
}

function requireDirectory(place: Place, path: string): void {
  if (place.stats === undefined) throw missing(path);
  if (!place.stats.isDirectory()) {
    throw new ToolFailure("invalid_arguments", `${displayPath(path)} is not a directory. Use read_file for a file.`);
  }
}

function requireRegularFile(place: Place, path: string): void {
  const { stats } = place;
  if (stats === undefined) throw missing(path);
  if (stats.isFile()) return;
  if (stats.isDirectory()) {
    throw new ToolFailure(
      "invalid_arguments",
      `${displayPath(path)} is a directory. Use list_files to see what it holds.`,
    );
  }
  const kind = stats.isFIFO() ? "a named pipe" : stats.isSocket() ? "a socket" : "a device";
  throw new ToolFailure("invalid_arguments", `${displayPath(path)} is ${kind}, not a regular file.`);
}

/** Replacing a file asks for no permission on the file itself, and root needs none at all: the wish is in the mode. */
function requireWritable({ mode }: Stats, path: string): void {
  if ((mode & 0o222) !== 0) return;
  throw new ToolFailure("io", `Could not write ${displayPath(path)}: it is marked read-only.`);
}

function missing(path: string): ToolFailure {
  return new ToolFailure("file_not_found", `${displayPath(path)} does not exist. Use list_files to see what does.`);
}
