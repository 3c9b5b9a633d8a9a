import type { AgentEvent, AgentState, AssistantContent, LlmEvent } from "@loom/core";
import fc from "fast-check";
import { call, completed, llm, says } from "./events.testing.ts";

/** `\ud83e` is half of a pair, as a delta that was cut in the middle of a character could hold. */
const texts = fc.constantFrom("x", "yz ", "\ud83e", "\udd84", "a\nb\u2028\0", '"\\');
const contents: fc.Arbitrary<AssistantContent> = fc.oneof(
  texts.map((text): AssistantContent => ({ type: "text", text })),
  fc.constantFrom("a", "b", "c").map(call),
);
const llmEvents: fc.Arbitrary<LlmEvent> = fc.oneof(
  { weight: 5, arbitrary: texts.map((text): LlmEvent => ({ type: "text_delta", text })) },
  { weight: 3, arbitrary: texts.map((text): LlmEvent => ({ type: "thinking_delta", text })) },
  {
    weight: 1,
    arbitrary: fc.constant<LlmEvent>({ type: "tool_call_delta", callId: "a", name: "bash", argumentsFragment: "{" }),
  },
  { weight: 3, arbitrary: fc.array(contents, { maxLength: 3 }).map((content) => completed(content, 5)) },
  {
    weight: 1,
    arbitrary: fc.boolean().map(
      (retryable): LlmEvent => ({
        type: "error",
        error: { code: "overloaded", message: "The provider is overloaded.", retryable },
      }),
    ),
  },
);

/** What the world could say next in `state`: mostly what fits, sometimes what is stale. */
export function eventFor(state: AgentState): fc.Arbitrary<AgentEvent> {
  const { requestId } = state.context;
  const ids = fc.oneof({ weight: 9, arbitrary: fc.constant(requestId) }, { weight: 1, arbitrary: fc.nat(2) });
  const open = state.type === "executing_tools" ? state.executions.map(({ call }) => call.id) : ["a"];
  const calls = fc.constantFrom(...open);
  return fc.oneof(
    { weight: 2, arbitrary: texts.map(says) },
    { weight: 12, arbitrary: fc.tuple(ids, llmEvents).map(([id, event]) => llm(id, event)) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(calls, texts)
        .map(([callId, message]): AgentEvent => ({ type: "tool_progress", callId, progress: { message } })),
    },
    {
      weight: 6,
      arbitrary: fc.tuple(calls, fc.boolean()).map(
        ([callId, changed]): AgentEvent => ({
          type: "tool_completed",
          callId,
          outcome: { type: "success", content: [{ type: "text", text: "ok" }], changed },
        }),
      ),
    },
    { weight: 3, arbitrary: fc.constant<AgentEvent>({ type: "post_tools_hook_completed", actionTaken: true }) },
    { weight: 2, arbitrary: ids.map((id): AgentEvent => ({ type: "retry_timeout_fired", requestId: id })) },
    { weight: 1, arbitrary: fc.constant<AgentEvent>({ type: "interrupt" }) },
    {
      weight: 1,
      arbitrary: fc.nat(9).map((n): AgentEvent => ({ type: n === 0 ? "shutdown_requested" : "interrupt" })),
    },
  );
}
