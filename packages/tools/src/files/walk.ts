import type { Dirent } from "node:fs";
import { opendir } from "node:fs/promises";
import { throwIfStopped } from "../failure.ts";
import type { Confinement } from "./confinement.ts";
import { IGNORE_FILES, IgnoreRules } from "./ignore-rules.ts";
import type { ListedEntry } from "./operations.ts";

/** Entries looked at in one directory; the rest of a larger one is left out. */
const MAX_DIRECTORY_ENTRIES = 100_000;

/** Ignored files are marked, not left out: a search by glob may want them. */
export type WalkedEntry = ListedEntry & { readonly ignored: boolean };

/**
 * Everything below a directory, level by level and sorted by name within a directory. Symlinks are reported and never
 * followed; ignored directories are left out. Directories that cannot be read are skipped, except the first.
 */
export async function* walk(start: string, confinement: Confinement, signal: AbortSignal): AsyncGenerator<WalkedEntry> {
  const queue = [{ path: start, rules: await IgnoreRules.in(start, confinement) }];
  // An array grows while it is iterated; directories that are done are few words each.
  for (const directory of queue) {
    throwIfStopped(signal);
    const isStart = directory.path === start;
    const entries = await readDirectory(directory.path, confinement, { required: isStart });
    const holdsRules = entries.some(({ name }) => IGNORE_FILES.has(name));
    const rules = isStart ? directory.rules : await directory.rules.enter(directory.path, { holdsRules });
    const prefix = directory.path === "." ? "" : `${directory.path}/`;
    for (const entry of entries) {
      const path = `${prefix}${entry.name}`;
      const kind = kindOf(entry);
      const ignored = rules.ignores(path, { directory: kind === "directory" });
      if (ignored && kind !== "file") continue;
      yield { path, kind, ignored };
      if (kind === "directory") queue.push({ path, rules });
    }
  }
}

async function readDirectory(
  path: string,
  confinement: Confinement,
  { required }: { required: boolean },
): Promise<Dirent[]> {
  try {
    using place = confinement.locate(path, { symlinks: "refuse" });
    const entries: Dirent[] = [];
    for await (const entry of await opendir(place.directory(), { bufferSize: 256 })) {
      if (entries.length === MAX_DIRECTORY_ENTRIES) break;
      entries.push(entry);
    }
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (required) throw error;
    return [];
  }
}

function kindOf(entry: Dirent): ListedEntry["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "symlink" : "other";
}
