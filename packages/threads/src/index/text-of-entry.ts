import { closeSync, openSync, readSync } from "node:fs";
import type { SQLOutputValue } from "node:sqlite";
import type { ThreadId } from "@loom/core";
import { decodeRecord } from "../record.ts";
import { MAX_OUTPUT_BYTES, searchableText } from "../searchable-text.ts";
import { type OutputSource, restoreOutputs } from "../stored-outputs.ts";

/** Where the text of an entry is. */
export type EntrySources = { readonly fileOf: (id: ThreadId) => string; readonly outputs: OutputSource };

/** What was said where a row with `id`, `position` and `length` points to; `undefined` where the file is not what the index knew, or cannot be read now. */
export function textOfEntry(
  row: Record<string, SQLOutputValue>,
  { fileOf, outputs }: EntrySources,
): string | undefined {
  return textAt(fileOf(String(row.id) as ThreadId), Number(row.position), Number(row.length), outputs);
}

function textAt(file: string, position: number, length: number, outputs: OutputSource): string | undefined {
  const bytes = Buffer.alloc(length);
  try {
    const descriptor = openSync(file, "r");
    try {
      readSync(descriptor, bytes, 0, length, position);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
  const record = decodeRecord(bytes.toString("utf8"));
  if (record === undefined || record === "unknown") return undefined;
  return searchableText(restoreOutputs(record, outputs, MAX_OUTPUT_BYTES))?.text;
}
