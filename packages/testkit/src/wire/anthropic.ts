import type { JsonObject, StopReason, Usage } from "@loom/core";
import { asObject, parseJson } from "../json-fields.ts";
import type { ScriptedThinking } from "../model/reply.ts";
import { readAnthropicRequest } from "./anthropic-request.ts";
import {
  type Dialect,
  type PreparedReply,
  type PreparedToolCall,
  RefusedRequest,
  type SseEvent,
  typedEvent,
} from "./dialect.ts";
import { splitText } from "./prepare-reply.ts";

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};

const ERROR_MESSAGES: Readonly<Record<number, string>> = {
  401: "invalid x-api-key",
  429: "This request would exceed your organization's rate limit.",
  500: "Internal server error",
  529: "Overloaded",
};

const PING: SseEvent = typedEvent("ping", {});

/** Anthropic Messages (version 2023-06-01), `POST /v1/messages`. */
export const anthropic: Dialect = {
  toolCallPrefix: "toolu_",
  requestIdHeader: "request-id",
  checkHeaders(headers) {
    if (headers["anthropic-version"] === undefined) throw new RefusedRequest("anthropic-version: header is required");
  },
  readRequest: readAnthropicRequest,
  events(reply, request) {
    const { inputTokens, cacheReadTokens, outputTokens, reasoningTokens } = reply.usage;
    const blocks = contentBlocks(reply).flatMap(({ start, deltas }, index) => [
      typedEvent("content_block_start", { index, content_block: start }),
      // The provider sends one ping early, after the first block has begun.
      ...(index === 0 ? [PING] : []),
      ...deltas.map((delta) => typedEvent("content_block_delta", { index, delta })),
      typedEvent("content_block_stop", { index }),
    ]);
    return [
      typedEvent("message_start", {
        message: { ...messageHead(reply, request.model), usage: { ...startUsage(reply.usage) } },
      }),
      ...blocks,
      typedEvent("message_delta", {
        delta: stopFields(reply.stopReason),
        usage: {
          input_tokens: inputTokens,
          cache_creation_input_tokens: reply.usage.cacheWriteTokens,
          cache_read_input_tokens: cacheReadTokens,
          output_tokens: outputTokens,
          ...(reasoningTokens > 0 ? { output_tokens_details: { thinking_tokens: reasoningTokens } } : {}),
        },
      }),
      typedEvent("message_stop", {}),
    ];
  },
  response(reply, request) {
    return {
      ...messageHead(reply, request.model),
      content: contentBlocks(reply).map((block) => block.whole),
      ...stopFields(reply.stopReason),
      usage: {
        ...startUsage(reply.usage),
        output_tokens: reply.usage.outputTokens,
        ...(reply.usage.reasoningTokens > 0
          ? { output_tokens_details: { thinking_tokens: reply.usage.reasoningTokens } }
          : {}),
      },
    };
  },
  unknownModelMessage: (model) => `model: ${model}`,
  errorBody({ status, message, errorType, requestId }) {
    const type = errorType ?? ERROR_TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
    const text = message ?? ERROR_MESSAGES[status] ?? "The request failed.";
    return { type: "error", error: { type, message: text }, request_id: requestId };
  },
  errorEvent({ message = "Overloaded", errorType = "overloaded_error", requestId }) {
    return typedEvent("error", { error: { type: errorType, message }, request_id: requestId });
  },
  noiseEvents: [PING, typedEvent("message_weather", { forecast: "an event of a later version" })],
};

/** Its own one, and those of Anthropic, which Anthropic's client for Vertex AI sends. */
const VERTEX_VERSIONS: readonly unknown[] = ["vertex-2023-10-16", "2023-06-01", "2026-10-21"];

/** Vertex AI wants the version in the body, and takes the model from the path alone. */
export const anthropicOnVertex: Dialect = {
  ...anthropic,
  checkHeaders() {},
  readRequest(body) {
    if (!VERTEX_VERSIONS.includes(body.anthropic_version))
      throw new RefusedRequest("anthropic_version: Field required");
    return readAnthropicRequest(body);
  },
};

type Block = { readonly start: JsonObject; readonly deltas: readonly JsonObject[]; readonly whole: JsonObject };

function contentBlocks(reply: PreparedReply): readonly Block[] {
  return [
    ...(reply.thinking === undefined ? [] : [thinkingBlock(reply.thinking, reply.number)]),
    ...(reply.text === "" ? [] : [textBlock(reply)]),
    ...reply.toolCalls.map(toolBlock),
  ];
}

function thinkingBlock({ text = "", signature, redactedData }: ScriptedThinking, number: number): Block {
  if (redactedData !== undefined) {
    const whole = { type: "redacted_thinking", data: redactedData };
    return { start: whole, deltas: [], whole };
  }
  const seal = signature ?? Buffer.from(`thought ${number}`).toString("base64");
  const deltas = splitText(text, Math.ceil(text.length / 24)).map((thinking) => ({ type: "thinking_delta", thinking }));
  return {
    start: { type: "thinking", thinking: "", signature: "" },
    deltas: [...deltas, { type: "signature_delta", signature: seal }],
    whole: { type: "thinking", thinking: text, signature: seal },
  };
}

function textBlock({ text, textDeltas }: PreparedReply): Block {
  return {
    start: { type: "text", text: "" },
    deltas: textDeltas.map((delta) => ({ type: "text_delta", text: delta })),
    whole: { type: "text", text },
  };
}

function toolBlock(call: PreparedToolCall): Block {
  const head = { type: "tool_use", id: call.id, name: call.name };
  // The first fragment is always empty; a tool without arguments sends nothing else.
  const fragments = call.arguments === "{}" ? [""] : ["", ...call.fragments];
  return {
    start: { ...head, input: {} },
    deltas: fragments.map((fragment) => ({ type: "input_json_delta", partial_json: fragment })),
    whole: { ...head, input: asObject(parseJson(call.arguments)) ?? {} },
  };
}

function messageHead(reply: PreparedReply, model: string): JsonObject {
  return {
    id: `msg_${String(reply.number).padStart(8, "0")}`,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
  };
}

function startUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.inputTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_read_input_tokens: usage.cacheReadTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWriteTokens - usage.cacheWriteLongTokens,
      ephemeral_1h_input_tokens: usage.cacheWriteLongTokens,
    },
    output_tokens: 1,
    service_tier: "standard",
  };
}

function stopFields(reason: StopReason): JsonObject {
  const words: Partial<Record<StopReason, string>> = {
    context_window_exceeded: "model_context_window_exceeded",
    unknown: "bored",
  };
  return { stop_reason: words[reason] ?? reason, stop_sequence: reason === "stop_sequence" ? "STOP" : null };
}
