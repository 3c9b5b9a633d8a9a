import { open, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { CLOSED_SUFFIX, SEGMENT_SUFFIX } from "./journal.ts";
import { wholeLines } from "./whole-lines.ts";

/** Owners touch their files much more often than this. */
const ABANDONED_AFTER_MS = 60_000;
const READ_BYTES = 1024 * 1024;
const DAMAGED_SUFFIX = ".damaged";

export type Leftovers<Entry> = {
  readonly directory: string;
  /** Files of this process. */
  readonly owns: (path: string) => boolean;
  /** What a line says, without its newline; nothing for what is damaged. */
  readonly entryOf: (line: string) => Entry | undefined;
  /** Rows that are there already are left as they are. `abandoned`: nobody else will do anything with them. */
  readonly insert: (entries: readonly Entry[], from: { readonly abandoned: boolean }) => Promise<void>;
  /** Whether the file may go now that all of it is inserted. Else it stays, and comes again. */
  readonly committed: () => Promise<boolean>;
  /** Most rows of one transaction. */
  readonly maxRows: number;
  readonly warn: (message: string) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** False: only files whose owner is known to be gone. */
  readonly alsoLive: boolean;
};

/**
 * Brings into the database what other processes left in their journals: those that were killed, and those that ended
 * without opening a database. A torn last line is what a killed process was writing, and was never acknowledged.
 * Files of processes that may be alive are read and left.
 */
export async function recoverLeftovers<Entry>(leftovers: Leftovers<Entry>): Promise<void> {
  const { directory, owns, now, alsoLive } = leftovers;
  for (const name of await segmentNames(directory)) {
    const path = join(directory, name);
    if (owns(path)) continue;
    const abandoned = name.endsWith(CLOSED_SUFFIX) || (await isAbandoned(path, now()));
    if (!abandoned && !alsoLive) continue;
    await recover(path, { ...leftovers, abandoned });
  }
}

async function segmentNames(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(SEGMENT_SUFFIX)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function isAbandoned(path: string, now: number): Promise<boolean> {
  try {
    return now - (await stat(path)).mtimeMs > ABANDONED_AFTER_MS;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function recover<Entry>(
  path: string,
  leftovers: Leftovers<Entry> & { readonly abandoned: boolean },
): Promise<void> {
  try {
    const damaged = await insertAll(path, leftovers);
    if (!leftovers.abandoned) return;
    if (!(await leftovers.committed())) return;
    if (damaged === 0) return await unlink(path);
    leftovers.warn(`${damaged} lines of ${path} are damaged: the file is kept as ${path}${DAMAGED_SUFFIX}.`);
    await rename(path, `${path}${DAMAGED_SUFFIX}`);
  } catch (error) {
    // Another server was faster.
    if (!isMissing(error)) throw error;
  }
}

/** Gives the number of lines that are no entries. */
async function insertAll<Entry>(
  path: string,
  { entryOf, insert, maxRows, abandoned }: Leftovers<Entry> & { readonly abandoned: boolean },
): Promise<number> {
  const handle = await open(path, "r");
  let damaged = 0;
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let position = 0; ; ) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      const { lines, bytes } = wholeLines(buffer.subarray(0, bytesRead), maxRows);
      if (bytes === 0) return bytesRead === buffer.length ? damaged + 1 : damaged;
      position += bytes;
      const entries = lines.flatMap((line) => entryOf(line) ?? []);
      damaged += lines.length - entries.length;
      await insert(entries, { abandoned });
    }
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
