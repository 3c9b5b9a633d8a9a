import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import { isThreadId, type ThreadId } from "@loom/core";

/** What is left of a thread that was removed, so that other places that have it learn of it. */
export type Tombstone = {
  readonly id: ThreadId;
  /** Number of records that it had. */
  readonly version: number;
  /** Of these records (`addToDigest`); absent where an older Loom removed it, or it could not be read. */
  readonly digest?: string;
  /** It never left this machine: nobody needs to be told. */
  readonly private: boolean;
  readonly deletedAt: string;
};

/** On disk when this returns. @throws Node's own error. */
export function writeTombstone(directory: string, tombstone: Tombstone): void {
  const place = join(directory, "deleted");
  makePrivateDirectory(place);
  const file = join(place, `${tombstone.id}.json`);
  const temporary = `${file}.new`;
  const descriptor = openSync(temporary, "w", 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(tombstone)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
}

/** Takes a tombstone away: the thread is back. */
export function removeTombstone(directory: string, id: ThreadId): void {
  rmSync(join(directory, "deleted", `${id}.json`), { force: true });
}

/** The tombstones of a directory of threads, in no order; one that cannot be read is left out. */
export function readTombstones(directory: string): Tombstone[] {
  const place = join(directory, "deleted");
  let names: string[];
  try {
    names = readdirSync(place);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const tombstone: Tombstone = JSON.parse(readFileSync(join(place, name), "utf8"));
      return isThreadId(tombstone.id) ? [tombstone] : [];
    } catch {
      return [];
    }
  });
}

/** The tombstone of one thread; `undefined` where it has none, or one that cannot be read. */
export function readTombstone(directory: string, id: ThreadId): Tombstone | undefined {
  try {
    const tombstone: Tombstone = JSON.parse(readFileSync(join(directory, "deleted", `${id}.json`), "utf8"));
    return tombstone.id === id ? tombstone : undefined;
  } catch {
    return undefined;
  }
}
