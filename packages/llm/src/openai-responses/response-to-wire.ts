import type { JsonObject, LlmResponse, StopReason, ThinkingBlock, ToolUseBlock } from "@loom/core";
import type { AnswerIdentity } from "../codec.ts";
import { derivedId } from "../derived-id.ts";
import { sealToClient, wrapSeal } from "../foreign-seal.ts";
import { callToClient } from "./tool-name.ts";
import { usageToWire } from "./usage.ts";

/** `first` is what is known of the answer when its id is needed. */
export function answerId({ id }: AnswerIdentity, first: object): string {
  return id ?? derivedId(JSON.stringify(first));
}

/** A response as it stands. The fields that repeat the request say what a request that says nothing means. */
export function responseToWire(
  id: string,
  { model = "", createdMs = 0 }: AnswerIdentity,
  now: {
    readonly status: string;
    readonly output: readonly JsonObject[];
    readonly answered?: LlmResponse;
    readonly incomplete?: string;
    readonly error?: JsonObject;
  },
): JsonObject {
  return {
    id: `resp_${id}`,
    object: "response",
    created_at: Math.floor(createdMs / 1000),
    status: now.status,
    background: false,
    error: now.error ?? null,
    incomplete_details: now.incomplete === undefined ? null : { reason: now.incomplete },
    instructions: null,
    max_output_tokens: null,
    model: now.answered?.model || model,
    output: now.output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: null,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: null,
    truncation: "disabled",
    usage: now.answered === undefined ? null : usageToWire(now.answered.usage),
    user: null,
    metadata: {},
  };
}

/** How a response with this stop reason ends. */
export function statusOf(reason: StopReason): {
  readonly status: "completed" | "incomplete";
  readonly incomplete?: string;
} {
  switch (reason) {
    case "max_tokens":
    case "context_window_exceeded":
      return { status: "incomplete", incomplete: "max_output_tokens" };
    case "refusal":
      return { status: "incomplete", incomplete: "content_filter" };
    case "pause_turn":
      return { status: "incomplete", incomplete: reason };
    default:
      return { status: "completed" };
  }
}

export function textPart(text: string): JsonObject {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

export function messageItem(id: string, status: string, content: readonly JsonObject[]): JsonObject {
  return { id, type: "message", status, role: "assistant", content };
}

/** The text of a thought goes out as its summary, which is what clients show and give back. */
export function thoughtItem(id: string, text: string, seal: string | undefined): JsonObject {
  const summary = text === "" ? [] : [{ type: "summary_text", text }];
  return { id, type: "reasoning", summary, ...(seal === undefined ? {} : { encrypted_content: seal }) };
}

export function callItem(
  id: string,
  status: string,
  call: ToolUseBlock,
  { clientTools }: Pick<AnswerIdentity, "clientTools">,
): JsonObject {
  return { id, status, call_id: call.id, ...callToClient(call, clientTools) };
}

/** `origin`: see `AnswerIdentity`. */
export function sealOf(block: ThinkingBlock, origin: string | undefined): string | undefined {
  return sealToClient(block, "responses", origin);
}

/** Gemini seals calls, and this dialect has no place for it: the seal goes out as a thought of its own, which comes back. */
export function callSealOf({ id, signature }: ToolUseBlock): string | undefined {
  return signature === undefined
    ? undefined
    : wrapSeal({ kind: "call", data: signature, dialect: "gemini", callId: id });
}

export function tellIssued(item: JsonObject, { issued }: Pick<AnswerIdentity, "issued">): void {
  if (typeof item.id === "string") issued?.(item.id, item);
}

/** Ids of items, by their kind and place. */
export function itemId(type: string, answer: string, index: number): string {
  return `${PREFIXES[type] ?? "item"}_${answer}_${index}`;
}

const PREFIXES: Readonly<Record<string, string>> = {
  message: "msg",
  reasoning: "rs",
  function_call: "fc",
  custom_tool_call: "ctc",
};
