import type { ThreadInfo, ThreadMessage } from "@loom/api";
import { decodeRecord, outputsNamedIn, restoreOutputs } from "@loom/threads/records";
import type { Kysely } from "kysely";
import { ProblemError } from "../../kit/problem-reply.ts";
import { isTurn, messageOf } from "./messages.ts";
import type { ThreadTables } from "./migrations.ts";
import type { OutputService } from "./outputs.ts";
import { chunksFrom } from "./stored-records.ts";
import type { ThreadRow } from "./thread-row.ts";

/** A thread as one document tells it. */
export type ToldThread = {
  readonly info: ThreadInfo;
  readonly messages: readonly ThreadMessage[];
};

/** Of the records that one document is made of. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;
/** Of each long output in a document for people. */
const MAX_SHOWN_OUTPUT_BYTES = 256 * 1024;

/** @throws ProblemError where the thread is too large for one document */
export function checkSize({ bytes }: ThreadRow): void {
  if (bytes <= MAX_DOCUMENT_BYTES) return;
  throw new ProblemError(
    "invalid_input",
    `The thread is larger than ${MAX_DOCUMENT_BYTES} bytes: read it in pages, at /records or /messages.`,
  );
}

/** All that was said, with the long outputs put back in. */
export async function messagesIn(
  db: Kysely<ThreadTables>,
  { key }: ThreadRow,
  outputs: OutputService,
): Promise<ThreadMessage[]> {
  const messages: ThreadMessage[] = [];
  let turn = 0;
  for await (const { first, records } of chunksFrom(db, key, 0)) {
    for (const [offset, text] of records.split("\n").entries()) {
      const decoded = decodeRecord(text) ?? "unknown";
      if (isTurn(decoded)) turn += 1;
      const record = decoded === "unknown" ? decoded : await withOutputs(decoded, text, key, outputs);
      const said = messageOf(record, text);
      if (said !== undefined) messages.push({ index: messages.length, record: first + offset + 1, turn, ...said });
    }
  }
  return messages;
}

/** The record with its long outputs, as far as they are here. */
export async function withOutputs(
  record: Exclude<ReturnType<typeof decodeRecord>, "unknown" | undefined>,
  text: string,
  key: number,
  outputs: Pick<OutputService, "read">,
  maxBytes = MAX_SHOWN_OUTPUT_BYTES,
) {
  const names = outputsNamedIn(text);
  if (names.length === 0) return record;
  const contents = new Map<string, string>();
  for (const name of names) {
    const content = await outputs.read(key, name, maxBytes);
    // A part may end within a character.
    if (content !== undefined) contents.set(name, new TextDecoder().decode(content, { stream: true }));
  }
  return restoreOutputs(record, { read: ({ sha256 }) => contents.get(sha256) }, maxBytes);
}
