import { closeSync, openSync, rmSync } from "node:fs";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { ThreadId } from "@loom/core";
import type { OutputStore } from "../output-store.ts";
import { outputsNamedIn } from "../stored-outputs.ts";
import { recordIn } from "../thread-lines.ts";
import { addToDigest } from "./digest-chain.ts";
import { fetchOutputs } from "./output-transfer.ts";
import type { RecordPoint } from "./survey.ts";
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
};

/**
 * Gets what the server has behind `after`, and the outputs that go with it; one page is held at a time. `undefined`
 * where the server has no such thread (any more). @throws RemoteError, also where it is not what its digest says.
 */
export async function downloadRecords(
  { remote, outputs, directory }: IncomingPlace,
  id: ThreadId,
  after: RecordPoint,
  call: RemoteCall,
): Promise<Incoming | undefined> {
  const file = incomingFile(directory, id);
  makePrivateDirectory(directory);
  const descriptor = openSync(file, "w", 0o600);
  try {
    const tail = new FileTail(descriptor, 0);
    let end: ThreadVersion = { version: after.version, digest: after.digest };
    let lastAt: string | undefined;
    for (;;) {
      const page = await remote.records(id, end.version, call);
      if (page.type !== "records") return undefined;
      const named = new Set<string>();
      for (const text of page.records) {
        lastAt = checkRecord(remote, id, end.version + 1, text) ?? lastAt;
        for (const sha256 of outputsNamedIn(text)) named.add(sha256);
        end = { version: end.version + 1, digest: addToDigest(end.digest, text) };
        tail.line(text);
      }
      tail.flush();
      await fetchOutputs({ remote, outputs }, id, named, call);
      if (end.version >= page.version || page.records.length === 0) break;
    }
    const digest = await remote.digest(id, end.version, call);
    if (digest !== end.digest) {
      throw new RemoteError("request", `The records of thread ${id} that ${remote.name} sent do not fit their digest.`);
    }
    return { file, after, end, bytes: tail.position, lastAt };
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

export type IncomingPlace = {
  readonly remote: ThreadRemote;
  readonly outputs: OutputStore;
  /** Of the threads. */
  readonly directory: string;
};

/** What is in it counts for nothing after a crash, and is removed by the next clean-up, as all that ends like this. */
function incomingFile(directory: string, id: ThreadId): string {
  return `${directory}/${id}.incoming.new`;
}

/** What is written to disk must be a record and nothing else. Gives when it was written. */
function checkRecord(remote: ThreadRemote, id: ThreadId, line: number, text: string): string | undefined {
  const record = text.includes("\n") ? undefined : recordIn(Buffer.from(text));
  const isHeader = record !== undefined && record !== "unknown" && record.type === "thread";
  const fits = record !== undefined && isHeader === (line === 1) && (!isHeader || record.id === id);
  if (!fits) {
    throw new RemoteError("refused", `Record ${line} of thread ${id} on ${remote.name} is none: it is left there.`);
  }
  if (record === "unknown" || record.type === "metadata") return undefined;
  return record.type === "thread" ? record.createdAt : record.at;
}
