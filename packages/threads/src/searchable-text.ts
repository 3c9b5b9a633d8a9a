import type { AssistantMessage, JsonValue, ToolResultContent } from "@loom/core";
import type { ThreadRecord } from "./record.ts";

/** Who said something that can be searched: the person, the model, or a tool. */
export type SearchRole = "user" | "assistant" | "tool";

/** What of a record can be searched. */
export type SearchableText = { readonly role: SearchRole; readonly text: string };

/** Bounds in UTF-16 units. Of a tool's output, the beginning; long outputs mostly repeat what files hold. */
export const MAX_TOOL_UNITS = 32 * 1024;
/** Of a stored output: enough for that in any script. */
export const MAX_OUTPUT_BYTES = 4 * MAX_TOOL_UNITS;
const MAX_MESSAGE_UNITS = 256 * 1024;

/** The text of one record; `undefined` where nobody says anything in it. Deltas are in the whole answer once more. */
export function searchableText(record: ThreadRecord): SearchableText | undefined {
  if (record.type !== "event") return undefined;
  const { event } = record;
  switch (event.type) {
    case "user_input":
      return said("user", textOf(event.input), MAX_MESSAGE_UNITS);
    case "llm_event":
      if (event.event.type !== "completed") return undefined;
      return said("assistant", answerText(event.event.response.message), MAX_MESSAGE_UNITS);
    case "tool_completed": {
      const { outcome } = event;
      return said("tool", outcome.type === "success" ? textOf(outcome.content) : outcome.message, MAX_TOOL_UNITS);
    }
    default:
      return undefined;
  }
}

function said(role: SearchRole, text: string, maxUnits: number): SearchableText | undefined {
  return text === "" ? undefined : { role, text: text.slice(0, maxUnits).toWellFormed() };
}

function textOf(content: readonly ToolResultContent[]): string {
  return content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
}

/** What the model said, and what it asked tools to do. */
function answerText({ content }: AssistantMessage): string {
  const texts = content.flatMap((block) => {
    if (block.type === "text") return [block.text];
    if (block.type !== "tool_use") return [];
    const input = [...strings(block.input)].join("\n").slice(0, MAX_TOOL_UNITS);
    return [`${block.name}: ${input}`];
  });
  return texts.join("\n");
}

function* strings(value: JsonValue): Generator<string, void> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) yield* strings(part);
}
