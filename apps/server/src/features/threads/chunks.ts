import { nextDigest } from "./digest.ts";
import type { IncomingRecord } from "./incoming-records.ts";
import { isMessage, isTurn } from "./messages.ts";

/** Where a thread ends: what the next chunk goes on from. */
export type Ending = {
  readonly version: number;
  readonly digest: string;
  readonly messages: number;
  readonly turns: number;
};

export type Chunk = Omit<Ending, "version"> & {
  readonly first: number;
  readonly count: number;
  readonly records: string;
};

/** Units of text in a chunk, unless a single record is longer. Reading one record reads so much. */
const MAX_CHUNK_UNITS = 64 * 1024;

/** The records as they are kept, behind `from`. */
export function chunksOf(records: readonly IncomingRecord[], from: Ending): { chunks: Chunk[]; end: Ending } {
  const chunks: Chunk[] = [];
  let { version, digest, messages, turns } = from;
  let texts: string[] = [];
  let units = 0;
  const close = (): void => {
    const count = texts.length;
    if (count > 0) chunks.push({ first: version - count, count, digest, messages, turns, records: texts.join("\n") });
    texts = [];
    units = 0;
  };
  for (const { text, record } of records) {
    if (units > 0 && units + text.length > MAX_CHUNK_UNITS) close();
    texts.push(text);
    units += text.length + 1;
    version += 1;
    digest = nextDigest(digest, text);
    if (isMessage(record)) messages += 1;
    if (isTurn(record)) turns += 1;
  }
  close();
  return { chunks, end: { version, digest, messages, turns } };
}
