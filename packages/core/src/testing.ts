import fc from "fast-check";
import type { AgentAction, AgentEvent, AgentSettings, AgentState } from "./agent.ts";
import { DEFAULT_LIMITS } from "./agent.ts";
import type { AssistantContent } from "./content.ts";
import type { LlmEvent, LlmFailure, LlmResponse, StopReason } from "./llm.ts";
import { NO_USAGE } from "./llm.ts";
import { startAgent, step } from "./machine.ts";
import type { ToolOutcome } from "./tool.ts";

export const SETTINGS: AgentSettings = {
  model: "default",
  system: "You are Loom.",
  tools: [],
  maxTokens: 1_000,
  limits: DEFAULT_LIMITS,
};

export const OVERLOADED: LlmFailure = { code: "overloaded", message: "The provider is overloaded.", retryable: true };

export function says(text: string): AgentEvent {
  return { type: "user_input", input: [{ type: "text", text }] };
}

export function answers(
  requestId: number,
  content: readonly AssistantContent[],
  stopReason: StopReason = "end_turn",
): AgentEvent {
  return { type: "llm_event", requestId, event: { type: "completed", response: response(content, stopReason) } };
}

export function response(content: readonly AssistantContent[], stopReason: StopReason): LlmResponse {
  return { message: { role: "assistant", content }, stopReason, usage: NO_USAGE, model: "scripted" };
}

export function call(id: string): AssistantContent {
  return { type: "tool_use", id, name: "bash", input: { command: "true" } };
}

export function done(changed: boolean): ToolOutcome {
  return { type: "success", content: [{ type: "text", text: "ok" }], changed };
}

/** Runs events from rest and collects what the machine asked for. */
export function run(events: readonly AgentEvent[], settings: AgentSettings = SETTINGS) {
  let { state } = startAgent({ messages: [], seed: 1 });
  const actions: AgentAction[] = [];
  for (const event of events) {
    const next = step(state, event, settings);
    state = next.state;
    actions.push(...next.actions);
  }
  return { state, actions };
}

// Few ids and request numbers, so that random events meet the state they are about.
const callIds = fc.constantFrom("a", "b", "c", "a_2");
const assistantContent: fc.Arbitrary<AssistantContent> = fc.oneof(
  fc.record({ type: fc.constant("text" as const), text: fc.constantFrom("", "hello", "world") }),
  fc.record({ type: fc.constant("thinking" as const), text: fc.constant("hm"), signature: fc.constant("sig") }),
  callIds.map(call),
);
const outcomes: fc.Arbitrary<ToolOutcome> = fc.oneof(
  fc.boolean().map(done),
  fc.constant<ToolOutcome>({ type: "error", code: "io", message: "The disk is gone." }),
);
const failures: fc.Arbitrary<LlmFailure> = fc.record(
  {
    code: fc.constantFrom("overloaded" as const, "unauthorized" as const),
    message: fc.constant("It failed."),
    retryable: fc.boolean(),
    retryAfterMs: fc.nat(120_000),
  },
  { requiredKeys: ["code", "message", "retryable"] },
);
const llmEvents: fc.Arbitrary<LlmEvent> = fc.oneof(
  fc.record({ type: fc.constant("text_delta" as const), text: fc.constantFrom("x", "yz") }),
  fc.record({ type: fc.constant("thinking_delta" as const), text: fc.constant("t") }),
  fc.record({
    type: fc.constant("tool_call_delta" as const),
    callId: callIds,
    name: fc.constant("bash"),
    argumentsFragment: fc.constant("{"),
  }),
  fc
    .tuple(
      fc.array(assistantContent, { maxLength: 4 }),
      fc.constantFrom<StopReason>("end_turn", "tool_use", "max_tokens", "pause_turn", "refusal"),
    )
    .map(([content, stopReason]): LlmEvent => ({ type: "completed", response: response(content, stopReason) })),
  failures.map((error): LlmEvent => ({ type: "error", error })),
);

/** What the world could say next in `state`: mostly something that fits, sometimes anything at all. */
export function eventFor(state: AgentState): fc.Arbitrary<AgentEvent> {
  const { requestId } = state.context;
  const ids = fc.oneof({ weight: 9, arbitrary: fc.constant(requestId) }, { weight: 1, arbitrary: fc.nat(3) });
  const open = state.type === "executing_tools" ? state.executions.map((execution) => execution.call.id) : [];
  const calls = open.length === 0 ? callIds : fc.constantFrom(...open, "a");
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("go on", "and then?").map(says) },
    {
      weight: 8,
      arbitrary: fc.record({ type: fc.constant("llm_event" as const), requestId: ids, event: llmEvents }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant("tool_progress" as const), callId: calls, progress: fc.constant({}) }),
    },
    {
      weight: 8,
      arbitrary: fc.record({ type: fc.constant("tool_completed" as const), callId: calls, outcome: outcomes }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant("post_tools_hook_completed" as const), actionTaken: fc.boolean() }),
    },
    { weight: 4, arbitrary: ids.map((id): AgentEvent => ({ type: "retry_timeout_fired", requestId: id })) },
    { weight: 1, arbitrary: fc.constant<AgentEvent>({ type: "interrupt" }) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 0, max: 9 })
        .map((n): AgentEvent => (n === 0 ? { type: "shutdown_requested" } : { type: "interrupt" })),
    },
  );
}
