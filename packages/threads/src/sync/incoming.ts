import { closeSync, fdatasync, openSync, rmSync } from "node:fs";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { ThreadId } from "@loom/core";
import type { ThreadRecord } from "../record.ts";
import { outputsNamedIn } from "../stored-outputs.ts";
import { recordIn } from "../thread-lines.ts";
import { addToDigest } from "./digest-chain.ts";
import { addLacking, fetchOutputs, type OutputEnds } from "./output-transfer.ts";
import type { RecordPoint } from "./record-point.ts";
import { FileTail } from "./thread-file-writer.ts";
import { type RemoteCall, RemoteError, type ThreadRemote, type ThreadVersion } from "./thread-remote.ts";

/** Records of the server behind a version, on this machine's disk but not yet in a thread. */
export type Incoming = {
  readonly file: string;
  /** What this machine and the server share at least; `file` begins behind it. */
  readonly after: RecordPoint;
  readonly end: ThreadVersion;
  /** Of `file`. */
  readonly bytes: number;
  /** When the last of them was written, by the clock of the machine that wrote it; RFC 3339. */
  readonly lastAt: string | undefined;
  /** What it says last of whether the thread is in the trash. */
  readonly deleted: boolean | undefined;
  /** When it was begun to be got, by `now`. */
  readonly since: number;
  /** Outputs that go with it and that the server does not have yet, by `addLacking`. */
  readonly lacking: readonly string[];
};

function toDisk(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => fdatasync(descriptor, (error) => (error ? reject(error) : resolve())));
}

/**
 * Gets what the server has behind `after`, and the outputs that go with it; one page is held at a time. `undefined`
 * where the server has no such thread (any more). `expected`: what it is known to have. @throws RemoteError, also where it is not what its digest says.
 */
export async function downloadRecords(
  { directory, now, ...ends }: IncomingPlace,
  id: ThreadId,
  after: RecordPoint,
  expected: ThreadVersion | undefined,
  call: RemoteCall,
): Promise<Incoming | undefined> {
  const { remote } = ends;
  const since = now();
  const file = incomingFile(directory, id);
  makePrivateDirectory(directory);
  const descriptor = openSync(file, "w", 0o600);
  try {
    const tail = new FileTail(descriptor, 0);
    let end: ThreadVersion = { version: after.version, digest: after.digest };
    let lastAt: string | undefined;
    let deleted: boolean | undefined;
    const lacking = new Set<string>();
    for (;;) {
      const page = await remote.records(id, end.version, call);
      if (page.type !== "records") return undefined;
      const named = new Set<string>();
      for (const text of page.records) {
        const record = checkedRecord(remote, id, end.version + 1, text);
        lastAt = timeOf(record) ?? lastAt;
        if (record !== "unknown" && record.type === "metadata") deleted = record.deleted ?? deleted;
        for (const sha256 of outputsNamedIn(text)) named.add(sha256);
        end = { version: end.version + 1, digest: addToDigest(end.digest, text) };
        tail.line(text);
      }
      tail.flush();
      for (const sha256 of await fetchOutputs(ends, id, named, call)) addLacking(lacking, sha256);
      if (end.version >= page.version || page.records.length === 0) break;
    }
    const isExpected = end.version === expected?.version && end.digest === expected.digest;
    const digest = isExpected ? end.digest : await remote.digest(id, end.version, call);
    if (digest !== end.digest) {
      throw new RemoteError("request", `The records of thread ${id} that ${remote.name} sent do not fit their digest.`);
    }
    // It may get its name without more ado: a thread that is there is whole, also after a power cut.
    await toDisk(descriptor);
    return { file, after, end, bytes: tail.position, lastAt, deleted, since, lacking: [...lacking] };
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

export type IncomingPlace = OutputEnds & {
  /** Of the threads. */
  readonly directory: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

/** What is in it counts for nothing after a crash, and is removed by the next clean-up, as all that ends like this. */
function incomingFile(directory: string, id: ThreadId): string {
  return `${directory}/${id}.incoming.new`;
}

/** What is written to disk must be a record and nothing else. */
function checkedRecord(remote: ThreadRemote, id: ThreadId, line: number, text: string): ThreadRecord | "unknown" {
  const record = text.includes("\n") ? undefined : recordIn(Buffer.from(text));
  const isHeader = record !== undefined && record !== "unknown" && record.type === "thread";
  const fits = record !== undefined && isHeader === (line === 1) && (!isHeader || record.id === id);
  if (!fits) {
    throw new RemoteError("refused", `Record ${line} of thread ${id} on ${remote.name} is none: it is left there.`);
  }
  return record;
}

/** When something was said or done. */
function timeOf(record: ThreadRecord | "unknown"): string | undefined {
  if (record === "unknown" || record.type === "metadata") return undefined;
  return record.type === "thread" ? record.createdAt : record.at;
}
