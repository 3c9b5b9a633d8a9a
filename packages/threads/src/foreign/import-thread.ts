import { randomUUIDv7 } from "node:crypto";
import { join } from "node:path";
import { makePrivateDirectory } from "@loom/config/private-directory";
import type { ThreadId } from "@loom/core";
import { OutputStore } from "../output-store.ts";
import { storeLongOutputs } from "../stored-outputs.ts";
import { writeInstead } from "../sync/thread-file-writer.ts";
import { threadFile } from "../thread-store.ts";
import { checkConversation, encoded, type ImportFormat, readSession } from "./read-session.ts";

export type { ImportFormat } from "./read-session.ts";
export { IMPORT_FORMATS } from "./read-session.ts";

export type ImportOptions = {
  /** Of the threads. */
  readonly directory: string;
  /** Found out from the content unless given. */
  readonly format?: ImportFormat;
  /** The new thread stays on this machine. */
  readonly private: boolean;
  readonly loomVersion: string;
  /** Milliseconds since 1970. */
  readonly now: number;
};

export type Imported = { readonly id: ThreadId; readonly format: ImportFormat };

/**
 * Makes a new thread of this machine of a session file, as `readSession` understands it, that can be gone on with. It is
 * whole on disk, or not there.
 * @throws SessionFileError that names the line; Node's own error.
 */
export function importThread(content: string, { directory, now, ...options }: ImportOptions): Imported {
  const id: ThreadId = `T-${randomUUIDv7()}`;
  const session = readSession(content, { ...options, id, now: new Date(now).toISOString() });
  checkConversation(session);
  const outputs = new OutputStore(join(directory, "outputs"));
  makePrivateDirectory(directory);
  for (const text of session.outputs) outputs.put(text);
  writeInstead(threadFile(directory, id), (tail) => {
    for (const { text: line, record } of session.lines) {
      const stored = record === "unknown" ? undefined : storeLongOutputs(record, outputs);
      tail.line(stored === undefined || stored.record === record ? line : encoded(stored.record));
    }
  });
  return { id, format: session.format };
}
