import type { ToolResultContent } from "@loom/core";
import type { OutputReference, OutputStore } from "./output-store.ts";
import type { EventRecord, ThreadRecord } from "./record.ts";

/** Longer texts of a tool's result, in UTF-16 units, are kept in a file of their own. */
export const LONG_OUTPUT_UNITS = 8 * 1024;
const HEAD_UNITS = 200;

/** What stands in the thread's file in place of a long text. `head` is for whoever reads the file by hand. */
type StoredText = OutputReference & { readonly type: "stored_text"; readonly head: string };

/**
 * The record with its long texts put into the store, and the files that were made for them. A text that cannot be put
 * there stays where it is.
 */
export function storeLongOutputs(
  record: ThreadRecord,
  store: OutputStore,
): { readonly record: ThreadRecord; readonly files: readonly string[] } {
  const content = toolContent(record);
  if (content === undefined || !content.some(isLong)) return { record, files: [] };
  const files: string[] = [];
  const stored = content.map((block) => {
    if (!isLong(block)) return block;
    try {
      const { file, ...reference } = store.put(block.text);
      if (file !== undefined) files.push(file);
      const text: StoredText = {
        type: "stored_text",
        ...reference,
        head: block.text.slice(0, HEAD_UNITS).toWellFormed(),
      };
      return { ...block, ...text, text: undefined };
    } catch {
      return block;
    }
  });
  return { record: withContent(record, stored), files };
}

/** Where long texts are read from: an `OutputStore`, or another place that has them. */
export type OutputSource = Pick<OutputStore, "read">;

/** The record as it was, up to `maxBytes` of each long text. A text that is gone is replaced by a sentence that says so. */
export function restoreOutputs<Record extends ThreadRecord>(
  record: Record,
  store: OutputSource,
  maxBytes?: number,
): Record {
  const content: readonly (ToolResultContent | StoredText)[] | undefined = toolContent(record);
  if (content === undefined || !content.some(isStored)) return record;
  const restored = content.map((block) => {
    if (!isStored(block)) return block;
    const { sha256, bytes, head: _, ...others } = block;
    const text = store.read({ sha256, bytes }, maxBytes) ?? `[This output of ${bytes} bytes is lost: ${sha256}]`;
    return { ...others, type: "text" as const, text };
  });
  return withContent(record, restored);
}

/** The outputs that a line of a thread's file refers to; works on lines that are damaged elsewhere, too. */
export function outputsNamedIn(line: string): readonly string[] {
  if (!line.includes('"stored_text"')) return [];
  return Array.from(line.matchAll(/"sha256":"([0-9a-f]{64})"/g), ([, sha256 = ""]) => sha256);
}

function toolContent(record: ThreadRecord): readonly ToolResultContent[] | undefined {
  if (record.type !== "event" || record.event.type !== "tool_completed") return undefined;
  const { outcome } = record.event;
  return outcome.type === "success" ? outcome.content : undefined;
}

function withContent<Record extends ThreadRecord>(record: Record, content: readonly unknown[]): Record {
  if (record.type !== "event" || record.event.type !== "tool_completed") return record;
  const event = { ...record.event, outcome: { ...record.event.outcome, content } } as EventRecord["event"];
  return { ...record, event };
}

function isLong(block: ToolResultContent): block is Extract<ToolResultContent, { type: "text" }> {
  return block.type === "text" && block.text.length > LONG_OUTPUT_UNITS && block.text.isWellFormed();
}

function isStored(block: ToolResultContent | StoredText): block is StoredText {
  return block.type === "stored_text";
}
