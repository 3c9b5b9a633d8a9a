import type { LlmEvent } from "@loom/core";
import type { LlmStreamEncoder } from "@loom/llm";

/** The data of server-sent events, and the bare object that ends a stream that failed, as the elements of one JSON array. */
export function jsonArray(encoder: LlmStreamEncoder): { push(events: readonly LlmEvent[]): string } {
  let started = false;
  return {
    push(events) {
      let text = "";
      for (const line of encoder.push(events).split("\n")) {
        const data = line.startsWith("data: ") ? line.slice(6) : line;
        if (!data.startsWith("{")) continue;
        text += `${started ? ",\r\n" : "["}${data}`;
        started = true;
      }
      const last = events.at(-1)?.type;
      if (last !== "completed" && last !== "error") return text;
      return `${text}${started ? "]" : "[]"}`;
    },
  };
}
