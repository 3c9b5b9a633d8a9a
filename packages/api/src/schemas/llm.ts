import { z } from "@hono/zod-openapi";
import type { LlmEvent, LlmResponse } from "@loom/core";
import { assistantMessage } from "./llm-content.ts";
import { llmRequest } from "./llm-request.ts";

const tokens = z.int().min(0);

const usage = z
  .strictObject({
    inputTokens: tokens,
    outputTokens: tokens,
    cacheReadTokens: tokens,
    cacheWriteTokens: tokens,
    cacheWriteLongTokens: tokens,
    reasoningTokens: tokens,
    webSearches: tokens.optional(),
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
      type: z.literal("thinking_signature"),
      signature: z.string(),
      dialect: z.string().exactOptional(),
    }),
    z.strictObject({
      type: z.literal("thinking_redacted"),
      data: z.string(),
      dialect: z.string().exactOptional(),
    }),
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
