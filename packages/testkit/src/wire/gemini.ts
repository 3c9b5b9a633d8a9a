import type { JsonObject, StopReason, Usage } from "@loom/core";
import { asObject, parseJson } from "../json-fields.ts";
import type { Dialect, ErrorDetails, PreparedReply, SseEvent } from "./dialect.ts";
import { readGeminiRequest } from "./gemini-request.ts";
import { splitText } from "./prepare-reply.ts";

const STATUSES: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** Gemini, `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`. */
export const gemini: Dialect = {
  toolCallPrefix: "call_",
  requestIdHeader: "x-goog-request-id",
  checkHeaders() {},
  readRequest: readGeminiRequest,
  events(reply, request) {
    const parts = partsOf(reply);
    const chunk = (fields: JsonObject, usage: JsonObject): SseEvent => ({
      data: JSON.stringify({
        candidates: [{ ...fields, index: 0 }],
        usageMetadata: usage,
        ...tail(reply, request.model),
      }),
    });
    return [
      ...parts.map((part) => chunk({ content: { role: "model", parts: [part] } }, promptUsage(reply.usage))),
      chunk(
        { content: { role: "model", parts: [{ text: "" }] }, finishReason: finishReason(reply.stopReason) },
        wholeUsage(reply.usage),
      ),
    ];
  },
  response(reply, request) {
    const parts = partsOf(reply);
    const content = { role: "model", parts: parts.length === 0 ? [{ text: "" }] : parts };
    return {
      candidates: [{ content, finishReason: finishReason(reply.stopReason), index: 0 }],
      usageMetadata: wholeUsage(reply.usage),
      ...tail(reply, request.model),
    };
  },
  unknownModelMessage: (model) =>
    `models/${model} is not found for API version v1beta, or is not supported for generateContent.`,
  errorBody: geminiError,
  errorEvent: (details) => ({ data: JSON.stringify(geminiError(details)) }),
  noiseEvents: [{ data: JSON.stringify({ heartbeat: true }) }],
};

function partsOf({ thinking, textDeltas, toolCalls, number }: PreparedReply): readonly JsonObject[] {
  const thought = thinking?.text ?? "";
  const seal = thinking?.signature ?? Buffer.from(`thought ${number}`).toString("base64");
  return [
    ...splitText(thought, Math.ceil(thought.length / 24)).map((text) => ({ text, thought: true })),
    ...textDeltas.map((text) => ({ text })),
    // The provider seals the first of several calls, and takes none back without its seal.
    ...toolCalls.map((call, index) => ({
      functionCall: { name: call.name, args: asObject(parseJson(call.arguments)) ?? {} },
      ...(index === 0 ? { thoughtSignature: seal } : {}),
    })),
  ];
}

function tail(reply: PreparedReply, model: string): JsonObject {
  return { modelVersion: model, responseId: `resp${String(reply.number).padStart(8, "0")}` };
}

function promptUsage(usage: Usage): JsonObject {
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  return {
    promptTokenCount: prompt,
    totalTokenCount: prompt,
    ...(usage.cacheReadTokens === 0 ? {} : { cachedContentTokenCount: usage.cacheReadTokens }),
  };
}

/** Thinking is counted beside the answer. */
function wholeUsage(usage: Usage): JsonObject {
  const prompt = promptUsage(usage);
  return {
    ...prompt,
    candidatesTokenCount: usage.outputTokens - usage.reasoningTokens,
    totalTokenCount: Number(prompt.promptTokenCount) + usage.outputTokens,
    ...(usage.reasoningTokens === 0 ? {} : { thoughtsTokenCount: usage.reasoningTokens }),
  };
}

function finishReason(reason: StopReason): string {
  const words: Record<StopReason, string> = {
    end_turn: "STOP",
    stop_sequence: "STOP",
    pause_turn: "STOP",
    tool_use: "STOP",
    max_tokens: "MAX_TOKENS",
    context_window_exceeded: "MAX_TOKENS",
    refusal: "SAFETY",
    unknown: "BORED",
  };
  return words[reason];
}

function geminiError({ status, message, errorType }: ErrorDetails): JsonObject {
  return {
    error: {
      code: status,
      message: message || "The request failed.",
      status: errorType ?? STATUSES[status] ?? (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT"),
    },
  };
}
