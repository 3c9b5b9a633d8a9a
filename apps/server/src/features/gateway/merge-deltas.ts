import type { LlmEvent } from "@loom/core";

type Delta = Extract<LlmEvent, { type: "text_delta" | "thinking_delta" | "tool_call_delta" }>;

/**
 * The same events with neighbouring deltas of one kind put together. What came in one read from the provider reaches
 * the client in one write anyway; this spares everybody behind it the work of one event for each word.
 */
export function mergeDeltas(events: readonly LlmEvent[]): readonly LlmEvent[] {
  if (events.length < 2) return events;
  const merged: LlmEvent[] = [];
  let run: Delta | undefined;
  let text = "";
  for (const event of events) {
    if (!isDelta(event)) {
      if (run !== undefined) merged.push(withText(run, text));
      merged.push(event);
      run = undefined;
    } else if (run !== undefined && belongTogether(run, event)) {
      text += textOf(event);
    } else {
      if (run !== undefined) merged.push(withText(run, text));
      run = event;
      text = textOf(event);
    }
  }
  if (run !== undefined) merged.push(withText(run, text));
  return merged;
}

function isDelta(event: LlmEvent): event is Delta {
  return event.type === "text_delta" || event.type === "thinking_delta" || event.type === "tool_call_delta";
}

function belongTogether(a: Delta, b: Delta): boolean {
  if (a.type !== b.type) return false;
  return a.type !== "tool_call_delta" || (b.type === "tool_call_delta" && a.callId === b.callId);
}

function textOf(delta: Delta): string {
  return delta.type === "tool_call_delta" ? delta.argumentsFragment : delta.text;
}

function withText(delta: Delta, text: string): LlmEvent {
  return delta.type === "tool_call_delta" ? { ...delta, argumentsFragment: text } : { type: delta.type, text };
}
