import { z } from "@hono/zod-openapi";
import type { JsonObject, LlmEvent, LlmRequest, LlmResponse } from "@loom/core";
import { LLM_REQUEST_BOUNDS } from "../llm-request.ts";

/** Whatever `JSON.parse` gives for `{...}`; what is inside is the provider's or the tool's matter. */
const jsonObject = z
  .custom<JsonObject>((value) => typeof value === "object" && value !== null && !Array.isArray(value), {
    error: "must be an object",
  })
  .openapi({ type: "object", additionalProperties: true });

const text = z.strictObject({ type: z.literal("text"), text: z.string() }).openapi("TextBlock");

const thinking = z
  .strictObject({
    type: z.literal("thinking"),
    text: z.string(),
    signature: z.string().exactOptional(),
    redactedData: z.string().exactOptional(),
  })
  .openapi("ThinkingBlock");

const image = z
  .strictObject({ type: z.literal("image"), mediaType: z.string(), data: z.string() })
  .openapi("ImageBlock");

const toolUse = z
  .strictObject({
    type: z.literal("tool_use"),
    id: z.string(),
    name: z.string(),
    input: jsonObject,
    malformedInput: z.string().exactOptional(),
  })
  .openapi("ToolUseBlock");

const toolResult = z
  .strictObject({
    type: z.literal("tool_result"),
    toolCallId: z.string(),
    content: z.array(z.discriminatedUnion("type", [text, image])),
    isError: z.boolean(),
  })
  .openapi("ToolResultBlock");

const userMessage = z
  .strictObject({ role: z.literal("user"), content: z.array(z.discriminatedUnion("type", [text, image, toolResult])) })
  .openapi("UserMessage");

const assistantMessage = z
  .strictObject({
    role: z.literal("assistant"),
    content: z.array(z.discriminatedUnion("type", [text, thinking, toolUse])),
  })
  .openapi("AssistantMessage");

const toolDefinition = z
  .strictObject({ name: z.string().min(1), description: z.string(), inputSchema: jsonObject })
  .openapi("ToolDefinition");

export const llmRequest: z.ZodType<LlmRequest> = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .max(LLM_REQUEST_BOUNDS.modelLength)
      .openapi({ description: "A model of the provider, or an alias: default, fast" }),
    system: z.string(),
    messages: z.array(z.discriminatedUnion("role", [userMessage, assistantMessage])).min(1),
    tools: z.array(toolDefinition),
    maxTokens: z.int().min(1),
    temperature: z.number().min(0).max(LLM_REQUEST_BOUNDS.temperature).exactOptional(),
  })
  .openapi("LlmRequest");

const tokens = z.int().min(0);

const usage = z
  .strictObject({
    inputTokens: tokens,
    outputTokens: tokens,
    cacheReadTokens: tokens,
    cacheWriteTokens: tokens,
    cacheWriteLongTokens: tokens,
    reasoningTokens: tokens,
  })
  .openapi("Usage");

const llmResponse: z.ZodType<LlmResponse> = z
  .strictObject({
    message: assistantMessage,
    stopReason: z.enum([
      "end_turn",
      "tool_use",
      "max_tokens",
      "stop_sequence",
      "refusal",
      "context_window_exceeded",
      "pause_turn",
      "unknown",
    ]),
    usage,
    model: z.string(),
    costMicroUsd: z.int().min(0).exactOptional(),
  })
  .openapi("LlmResponse");

const llmFailure = z
  .strictObject({
    code: z.enum([
      "network",
      "timeout",
      "rate_limited",
      "overloaded",
      "unauthorized",
      "unknown_model",
      "budget_exceeded",
      "invalid_request",
      "invalid_response",
      "not_configured",
      "internal",
    ]),
    message: z.string(),
    retryable: z.boolean(),
    retryAfterMs: z.int().min(0).exactOptional(),
    status: z.int().exactOptional(),
  })
  .openapi("LlmFailure");

const llmEvent: z.ZodType<LlmEvent> = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("text_delta"), text: z.string() }),
    z.strictObject({ type: z.literal("thinking_delta"), text: z.string() }),
    z.strictObject({
      type: z.literal("tool_call_delta"),
      callId: z.string(),
      name: z.string(),
      argumentsFragment: z.string(),
    }),
    z.strictObject({ type: z.literal("completed"), response: llmResponse }),
    z.strictObject({ type: z.literal("error"), error: llmFailure }),
  ])
  .openapi("LlmEvent", { description: "The data of one server-sent event; its type is the event's name too" });

const params = z.object({
  provider: z.string().openapi({ description: "anthropic, openai, or default for the one that the server prefers" }),
});

export const complete = { params, body: llmRequest, response: llmResponse };
export const stream = { params, body: llmRequest, response: llmEvent };
