import { join } from "node:path";
import type { AssistantContent, ThreadId, UserInput } from "@loom/core";
import { OutputStore } from "./output-store.ts";
import type { ThreadHeader, ThreadRecord, UsageTotals } from "./record.ts";
import { restoreOutputs } from "./stored-outputs.ts";
import { addToFacts, factsOf, type ThreadFacts } from "./thread-facts.ts";
import { readLines, recordIn } from "./thread-lines.ts";
import { checkHeader, damaged } from "./thread-reader.ts";
import { threadFile } from "./thread-store.ts";

/** One thing that was said or done, for people. `turn` counts the inputs of the person. */
export type TranscriptItem = { readonly turn: number; readonly at: string } & (
  | { readonly type: "user"; readonly content: UserInput }
  | { readonly type: "assistant"; readonly content: readonly AssistantContent[]; readonly model: string }
  | { readonly type: "tool_result"; readonly callId: string; readonly text: string; readonly isError: boolean }
  | { readonly type: "commit"; readonly sha: string; readonly message: string }
  /** What the thread had used when the turn ended. */
  | { readonly type: "usage"; readonly totals: UsageTotals }
  /** A line of the file that cannot be read; what follows it can. */
  | { readonly type: "damage"; readonly line: number }
);

export type Transcript = {
  readonly header: ThreadHeader;
  readonly facts: ThreadFacts;
  readonly items: readonly TranscriptItem[];
  readonly records: readonly Exclude<ThreadRecord, ThreadHeader>[];
};

/** The thread of a directory. @throws ThreadError as `readTranscript`. */
export function transcriptOf(directory: string, id: ThreadId): Transcript {
  return readTranscript(threadFile(directory, id), new OutputStore(join(directory, "outputs")));
}

/**
 * A thread to be read by a person. Nothing is replayed, so that damage takes away the lines that it is in and no more.
 * @throws ThreadError where the first line is not a thread's header; Node's own error where there is no file.
 */
function readTranscript(file: string, outputs: OutputStore): Transcript {
  let header: ThreadHeader | undefined;
  let facts: ThreadFacts | undefined;
  const items: TranscriptItem[] = [];
  const records: Exclude<ThreadRecord, ThreadHeader>[] = [];
  for (const { bytes } of readLines(file)) {
    const decoded = recordIn(bytes);
    if (header === undefined || facts === undefined) {
      header = checkHeader(file, decoded);
      facts = factsOf(header);
      continue;
    }
    const at: string = facts.updatedAt;
    try {
      if (decoded === undefined || (decoded !== "unknown" && decoded.type === "thread")) throw new TypeError();
      const record = decoded === "unknown" ? decoded : restoreOutputs(decoded, outputs);
      const next: ThreadFacts = addToFacts(facts, record);
      facts = next;
      if (record === "unknown") continue;
      records.push(record);
      const item = itemOf(record);
      if (item !== undefined) items.push({ turn: next.turns, ...item });
    } catch {
      facts = addToFacts(facts, "unknown");
      items.push({ turn: facts.turns, at, type: "damage", line: facts.version });
    }
  }
  if (header === undefined || facts === undefined) throw damaged(file, 1, "is missing");
  return { header, facts, items, records };
}

type WithoutTurn<Item> = Item extends TranscriptItem ? Omit<Item, "turn"> : never;

function itemOf(record: Exclude<ThreadRecord, ThreadHeader>): WithoutTurn<TranscriptItem> | undefined {
  const { at } = record;
  if (record.type === "commit") return { at, type: "commit", sha: record.sha, message: record.message };
  if (record.type === "usage") return { at, type: "usage", totals: record.totals };
  if (record.type !== "event") return undefined;
  const { event } = record;
  switch (event.type) {
    case "user_input":
      return { at, type: "user", content: event.input };
    case "llm_event": {
      if (event.event.type !== "completed") return undefined;
      const { message, model } = event.event.response;
      return { at, type: "assistant", content: message.content, model };
    }
    case "tool_completed": {
      const { callId, outcome } = event;
      const isError = outcome.type === "error";
      const text = isError
        ? outcome.message
        : outcome.content.map((block) => (block.type === "text" ? block.text : `[${block.type}]`)).join("\n");
      return { at, type: "tool_result", callId, text, isError };
    }
    default:
      return undefined;
  }
}
