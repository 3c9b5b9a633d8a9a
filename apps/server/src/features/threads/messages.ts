import type { ThreadMessage } from "@loom/api";
import { outputsNamedIn, type ThreadRecord } from "@loom/threads/records";

type WithoutPlace<Message> = Message extends ThreadMessage ? Omit<Message, "index" | "record" | "turn"> : never;
type Said = WithoutPlace<ThreadMessage>;

/** Whether `messageOf` gives a message; the place of every message depends on it. */
export function isMessage(record: ThreadRecord | "unknown"): boolean {
  if (record === "unknown") return false;
  if (record.type === "commit") return true;
  if (record.type !== "event") return false;
  const { event } = record;
  return (
    event.type === "user_input" ||
    event.type === "tool_completed" ||
    (event.type === "llm_event" && event.event.type === "completed")
  );
}

export function isTurn(record: ThreadRecord | "unknown"): boolean {
  return record !== "unknown" && record.type === "event" && record.event.type === "user_input";
}

/** What one record says to people. @throws TypeError where it is not what its type says. */
export function messageOf(record: ThreadRecord | "unknown", text: string): Said | undefined {
  if (record === "unknown" || record.type === "thread") return undefined;
  const { at } = record;
  if (record.type === "commit") return { role: "commit", at, sha: record.sha, message: record.message };
  if (record.type !== "event") return undefined;
  const { event } = record;
  switch (event.type) {
    case "user_input":
      return { role: "user", at, content: event.input };
    case "llm_event": {
      if (event.event.type !== "completed") return undefined;
      const { message, model } = event.event.response;
      return { role: "assistant", at, content: message.content, model };
    }
    case "tool_completed": {
      const { callId, outcome } = event;
      const isError = outcome.type === "error";
      const said = isError ? outcome.message : outcome.content.map(blockText).join("\n");
      return { role: "tool", at, callId, text: said, isError, outputs: outputsNamedIn(text) };
    }
    default:
      return undefined;
  }
}

/** A long text is kept elsewhere; its beginning stands here. */
function blockText(block: { readonly type: string; readonly text?: unknown; readonly head?: unknown }): string {
  if (typeof block.text === "string") return block.text;
  return typeof block.head === "string" ? `${block.head}…` : `[${block.type}]`;
}
