import type { LlmEvent, LlmFailure, LlmRequest } from "@loom/core";
import type { ModelClient } from "./session-types.ts";

const ENDED_EARLY: LlmFailure = {
  code: "invalid_response",
  message: "The model's stream ended before the answer was complete.",
  retryable: true,
};

/**
 * Reads one answer and hands on its events, a batch per network chunk, neighbouring deltas joined. The last event is
 * `completed` or `error` whatever the client does; after `signal` aborts nothing is handed on. Never rejects.
 */
export async function readAnswer(
  model: ModelClient,
  request: LlmRequest,
  signal: AbortSignal,
  onEvents: (events: readonly LlmEvent[]) => void,
): Promise<void> {
  try {
    for await (const batch of model.stream(request, { signal })) {
      if (signal.aborted) return;
      const { events, ended } = joinDeltas(batch);
      if (events.length > 0) onEvents(events);
      if (ended) return;
    }
    if (!signal.aborted) onEvents([{ type: "error", error: ENDED_EARLY }]);
  } catch (error) {
    if (signal.aborted) return;
    const message = `The request to the model failed: ${error instanceof Error ? error.message : String(error)}.`;
    onEvents([{ type: "error", error: { code: "internal", message, retryable: false } }]);
  }
}

/** The batch up to its terminal event, with neighbouring deltas of one kind as one. */
function joinDeltas(batch: readonly LlmEvent[]): { events: readonly LlmEvent[]; ended: boolean } {
  const events: LlmEvent[] = [];
  for (const event of batch) {
    if (event.type === "completed" || event.type === "error") {
      events.push(event);
      return { events, ended: true };
    }
    const last = events.at(-1);
    const joined = last === undefined ? undefined : join(last, event);
    if (joined === undefined) events.push(event);
    else events[events.length - 1] = joined;
  }
  return { events, ended: false };
}

function join(a: LlmEvent, b: LlmEvent): LlmEvent | undefined {
  if (a.type === "text_delta" && b.type === "text_delta") return { type: "text_delta", text: a.text + b.text };
  if (a.type === "thinking_delta" && b.type === "thinking_delta") {
    return { type: "thinking_delta", text: a.text + b.text };
  }
  if (a.type === "tool_call_delta" && b.type === "tool_call_delta" && a.callId === b.callId) {
    return { ...a, argumentsFragment: a.argumentsFragment + b.argumentsFragment };
  }
  return undefined;
}
