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

/** A source of choices: each call gives one of the options, by the bits of `entropy`. */
function chooser(entropy: number) {
  let rest = entropy >>> 0;
  return <Value>(options: readonly [Value, ...Value[]]): Value => {
    const chosen = options[rest % options.length] ?? options[0];
    rest = Math.floor(rest / options.length);
    return chosen;
  };
}

type Choose = ReturnType<typeof chooser>;

/**
 * What the world could say next in `state`, drawn with the state in view so that most events mean something: the same
 * `entropy` (unsigned 32 bit) and state give the same event.
 */
export function eventFor(state: AgentState, entropy: number): AgentEvent {
  const choose = chooser(entropy);
  const { requestId } = state.context;
  const id = choose([requestId, requestId, requestId, requestId - 1]);
  const open = state.type === "executing_tools" ? state.executions.map((execution) => execution.call.id) : [];
  const callId = choose(["a", "b", "c", ...open]);
  const kinds = [
    "llm",
    "llm",
    "llm",
    "tool",
    "tool",
    "hook",
    "retry",
    "input",
    "progress",
    "interrupt",
    "rare",
  ] as const;
  switch (choose(kinds)) {
    case "llm":
      return { type: "llm_event", requestId: id, event: llmEvent(choose) };
    case "tool":
      return {
        type: "tool_completed",
        callId: open.length > 0 ? choose([callId, ...open]) : callId,
        outcome: outcome(choose),
      };
    case "progress":
      return { type: "tool_progress", callId, progress: {} };
    case "hook":
      return { type: "post_tools_hook_completed", actionTaken: choose([true, false]) };
    case "retry":
      return { type: "retry_timeout_fired", requestId: id };
    case "input":
      return says(choose(["go on", "and then?"]));
    case "interrupt":
      return { type: "interrupt" };
    case "rare":
      return choose<AgentEvent>([{ type: "interrupt" }, { type: "interrupt" }, { type: "shutdown_requested" }]);
  }
}

function llmEvent(choose: Choose): LlmEvent {
  switch (choose(["text", "thinking", "call", "answer", "answer", "answer", "failure"] as const)) {
    case "text":
      return { type: "text_delta", text: choose(["x", "yz"]) };
    case "thinking":
      return { type: "thinking_delta", text: "t" };
    case "call":
      return { type: "tool_call_delta", callId: "a", name: "bash", argumentsFragment: "{" };
    case "failure": {
      const failure: LlmFailure = { code: "overloaded", message: "It failed.", retryable: choose([true, true, false]) };
      const asked = choose([undefined, 3_000, 120_000]);
      return { type: "error", error: asked === undefined ? failure : { ...failure, retryAfterMs: asked } };
    }
    case "answer": {
      const stopReason = choose<StopReason>(["end_turn", "tool_use", "max_tokens", "pause_turn", "refusal"]);
      const length = choose([0, 1, 2, 3]);
      const content = Array.from({ length }, () => assistantContent(choose));
      return { type: "completed", response: response(content, stopReason) };
    }
  }
}

function assistantContent(choose: Choose): AssistantContent {
  switch (choose(["call", "text", "call", "empty", "call", "thinking"] as const)) {
    case "text":
      return { type: "text", text: choose(["hello", "world"]) };
    case "empty":
      return { type: "text", text: "" };
    case "thinking":
      return { type: "thinking", text: "hm", signature: "sig" };
    case "call":
      return call(choose(["a", "b", "a_2", ""]));
  }
}

function outcome(choose: Choose): ToolOutcome {
  return choose<ToolOutcome>([done(false), done(true), { type: "error", code: "io", message: "The disk is gone." }]);
}
