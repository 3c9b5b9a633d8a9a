import {
  type AgentEvent,
  type AgentSettings,
  type AssistantContent,
  DEFAULT_LIMITS,
  type LlmEvent,
  NO_USAGE,
} from "@loom/core";

export const SETTINGS: AgentSettings = {
  model: "default",
  system: "You are Loom.",
  tools: [],
  maxTokens: 1_000,
  limits: { ...DEFAULT_LIMITS, maxTurns: 6 },
};

export function says(text: string): AgentEvent {
  return { type: "user_input", input: [{ type: "text", text }] };
}

export function llm(requestId: number, event: LlmEvent): AgentEvent {
  return { type: "llm_event", requestId, event };
}

export function completed(content: readonly AssistantContent[], costMicroUsd?: number): LlmEvent {
  const response = {
    message: { role: "assistant" as const, content },
    stopReason: "end_turn" as const,
    usage: { ...NO_USAGE, inputTokens: 10, outputTokens: 2 },
    model: "scripted",
  };
  return { type: "completed", response: costMicroUsd === undefined ? response : { ...response, costMicroUsd } };
}

export function call(id: string): AssistantContent {
  return { type: "tool_use", id, name: "bash", input: { command: "true" } };
}
