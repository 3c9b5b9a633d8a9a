import type { JsonObject, StopReason, Usage } from "@loom/core";
import { asObject } from "../json-fields.ts";
import type { Dialect, PreparedReply, PreparedToolCall, SseEvent } from "./dialect.ts";
import { readChatRequest } from "./openai-chat-request.ts";
import { openAiError } from "./openai-error.ts";
import { splitText } from "./prepare-reply.ts";

const DONE: SseEvent = { data: "[DONE]" };

/** OpenAI Chat Completions, `POST /v1/chat/completions`. */
export const openAiChat: Dialect = {
  toolCallPrefix: "call_",
  requestIdHeader: "x-request-id",
  checkHeaders() {},
  readRequest: readChatRequest,
  events(reply, request, body) {
    const withUsage = asObject(body.stream_options)?.include_usage === true;
    const head = completionHead(reply, request.model, "chat.completion.chunk");
    const nullUsage = withUsage ? { usage: null } : {};
    const chunk = (delta: JsonObject, finishReason: string | null = null): SseEvent => ({
      data: JSON.stringify({
        ...head,
        choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
        ...nullUsage,
      }),
    });
    const usage = { data: JSON.stringify({ ...head, choices: [], usage: usageFields(reply.usage) }) };
    return [
      chunk({ role: "assistant", content: reply.text === "" && reply.toolCalls.length > 0 ? null : "", refusal: null }),
      ...contentDeltas(reply).map((delta) => chunk(delta)),
      chunk({}, finishReason(reply.stopReason)),
      ...(withUsage ? [usage] : []),
      DONE,
    ];
  },
  response(reply, request) {
    const { text, thinking, toolCalls } = reply;
    const message = {
      role: "assistant",
      content: text === "" && toolCalls.length > 0 ? null : text,
      refusal: null,
      annotations: [],
      ...(thinking?.text === undefined ? {} : { reasoning_content: thinking.text }),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map((call) => toolCall(call, call.arguments)) }),
    };
    return {
      ...completionHead(reply, request.model, "chat.completion"),
      choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(reply.stopReason) }],
      usage: usageFields(reply.usage),
    };
  },
  unknownModelMessage: (model) => `The model \`${model}\` does not exist or you do not have access to it.`,
  errorBody: openAiError,
  errorEvent(details) {
    return { data: JSON.stringify(openAiError(details)) };
  },
  noiseEvents: [
    { data: JSON.stringify({ object: "chat.completion.heartbeat", choices: [], obfuscation: "x7Fq2LmV90" }) },
    { event: "notice", data: JSON.stringify({ object: "an event of a later version", choices: [] }) },
  ],
};

function contentDeltas(reply: PreparedReply): readonly JsonObject[] {
  const thought = reply.thinking?.text ?? "";
  return [
    ...splitText(thought, Math.ceil(thought.length / 24)).map((text) => ({ reasoning_content: text })),
    ...reply.textDeltas.map((content) => ({ content })),
    ...toolDeltas(reply).map((entry) => ({ tool_calls: [entry] })),
  ];
}

function toolDeltas({ toolCalls, interleave }: PreparedReply): readonly JsonObject[] {
  const perCall = toolCalls.map((call, index): JsonObject[] => [
    { index, ...toolCall(call, "") },
    ...call.fragments.map((fragment) => ({ index, function: { arguments: fragment } })),
  ]);
  if (!interleave) return perCall.flat();
  const rounds = Math.max(0, ...perCall.map((deltas) => deltas.length));
  return Array.from({ length: rounds }, (_, round) =>
    perCall.flatMap((deltas) => deltas.slice(round, round + 1)),
  ).flat();
}

function toolCall(call: PreparedToolCall, text: string): JsonObject {
  return { id: call.id, type: "function", function: { name: call.name, arguments: text } };
}

function completionHead(reply: PreparedReply, model: string, object: string): JsonObject {
  return {
    id: `chatcmpl-${String(reply.number).padStart(8, "0")}`,
    object,
    created: 1_700_000_000 + reply.number,
    model,
    service_tier: "default",
    system_fingerprint: "fp_loom",
  };
}

function usageFields(usage: Usage): JsonObject {
  // Cached tokens are part of the prompt here, unlike in Anthropic's dialect.
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.outputTokens,
    total_tokens: prompt + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cacheReadTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function finishReason(reason: StopReason): string {
  const words: Record<StopReason, string> = {
    end_turn: "stop",
    stop_sequence: "stop",
    pause_turn: "stop",
    tool_use: "tool_calls",
    max_tokens: "length",
    context_window_exceeded: "length",
    refusal: "content_filter",
    unknown: "bored",
  };
  return words[reason];
}
