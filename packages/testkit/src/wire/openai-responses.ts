import type { JsonObject, JsonValue, Usage } from "@loom/core";
import { asObject, parseJson } from "../json-fields.ts";
import type { NormalizedRequest } from "../model/normalized-request.ts";
import type { ScriptedThinking } from "../model/reply.ts";
import { type Dialect, type PreparedReply, type PreparedToolCall, typedEvent } from "./dialect.ts";
import { openAiError } from "./openai-error.ts";
import { LOCAL_SHELL, readResponsesRequest } from "./openai-responses-request.ts";
import { splitText } from "./prepare-reply.ts";

/** An event but for its place in the stream. */
type Step = { readonly type: string; readonly fields: JsonObject };

/** One output item: how it is announced, what comes in between, and what it is in the end. */
type Item = { readonly start: JsonObject; readonly between: readonly Step[]; readonly whole: JsonObject };

/** OpenAI Responses, `POST /v1/responses`; the base URL may end in `/v1` or not. */
export const openAiResponses: Dialect = {
  toolCallPrefix: "call_",
  requestIdHeader: "x-request-id",
  checkHeaders() {},
  readRequest: readResponsesRequest,
  events(reply, request) {
    const items = outputItems(reply, request);
    const empty = responseObject(reply, request, { status: "in_progress", output: [], usage: null });
    const steps: Step[] = [
      { type: "response.created", fields: { response: empty } },
      { type: "response.in_progress", fields: { response: empty } },
      ...items.flatMap((item, index) => itemSteps(item, index)),
      {
        type: reply.stopReason === "max_tokens" ? "response.incomplete" : "response.completed",
        fields: { response: finishedResponse(reply, request) },
      },
    ];
    return steps.map(({ type, fields }, index) => typedEvent(type, { sequence_number: index, ...fields }));
  },
  response: finishedResponse,
  unknownModelMessage: (model) => `The requested model '${model}' does not exist.`,
  errorBody: openAiError,
  errorEvent(details) {
    const { message } = asObject(openAiError(details).error) ?? {};
    const error = { code: details.errorType ?? "server_error", message: message ?? "" };
    return typedEvent("response.failed", {
      response: { id: details.requestId, object: "response", status: "failed", error, output: [], usage: null },
    });
  },
  noiseEvents: [
    typedEvent("response.weather.delta", { delta: "an event of a later version" }),
    { event: "keepalive", data: JSON.stringify({ type: "keepalive" }) },
  ],
};

function finishedResponse(reply: PreparedReply, request: NormalizedRequest): JsonObject {
  const cut = reply.stopReason === "max_tokens";
  return responseObject(reply, request, {
    status: cut ? "incomplete" : "completed",
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    output: outputItems(reply, request).map((item) => item.whole),
    usage: usageFields(reply.usage),
  });
}

function itemSteps(item: Item, index: number): readonly Step[] {
  const place = { output_index: index };
  return [
    { type: "response.output_item.added", fields: { ...place, item: item.start } },
    ...item.between.map(({ type, fields }) => ({ type, fields: { ...place, ...fields } })),
    { type: "response.output_item.done", fields: { ...place, item: item.whole } },
  ];
}

function outputItems(reply: PreparedReply, request: NormalizedRequest): readonly Item[] {
  const id = String(reply.number).padStart(8, "0");
  return [
    ...(reply.thinking === undefined ? [] : [reasoningItem(reply.thinking, `rs_${id}`)]),
    ...(reply.text === "" && reply.toolCalls.length > 0 ? [] : [messageItem(reply, `msg_${id}`)]),
    ...reply.toolCalls.map((call, index) => callItem(call, `fc_${id}_${index}`, request)),
  ];
}

function reasoningItem({ text = "", signature, redactedData }: ScriptedThinking, id: string): Item {
  const head = { id, type: "reasoning", encrypted_content: redactedData ?? signature ?? null };
  const whole = { ...head, summary: text === "" ? [] : [{ type: "summary_text", text }] };
  if (text === "") return { start: { ...head, summary: [] }, between: [], whole };
  const place = { item_id: id, summary_index: 0 };
  const step = (type: string, fields: JsonObject): Step => ({ type, fields: { ...place, ...fields } });
  return {
    start: { ...head, summary: [] },
    between: [
      step("response.reasoning_summary_part.added", { part: { type: "summary_text", text: "" } }),
      ...splitText(text, Math.ceil(text.length / 24)).map((delta) =>
        step("response.reasoning_summary_text.delta", { delta }),
      ),
      step("response.reasoning_summary_text.done", { text }),
      step("response.reasoning_summary_part.done", { part: { type: "summary_text", text } }),
    ],
    whole,
  };
}

function messageItem({ text, textDeltas }: PreparedReply, id: string): Item {
  const part = (content: string): JsonObject => ({
    type: "output_text",
    text: content,
    annotations: [],
    logprobs: [],
  });
  const head = { id, type: "message", role: "assistant" };
  const place = { item_id: id, content_index: 0 };
  const step = (type: string, fields: JsonObject): Step => ({ type, fields: { ...place, ...fields } });
  return {
    start: { ...head, status: "in_progress", content: [] },
    between: [
      step("response.content_part.added", { part: part("") }),
      ...textDeltas.map((delta) => step("response.output_text.delta", { delta, logprobs: [] })),
      step("response.output_text.done", { text, logprobs: [] }),
      step("response.content_part.done", { part: part(text) }),
    ],
    whole: { ...head, status: "completed", content: [part(text)] },
  };
}

function callItem(call: PreparedToolCall, id: string, request: NormalizedRequest): Item {
  if (call.name === LOCAL_SHELL && request.toolNames.includes(LOCAL_SHELL)) return shellItem(call, id);
  const head = { id, type: "function_call", call_id: call.id, name: call.name };
  return {
    start: { ...head, arguments: "", status: "in_progress" },
    between: [
      ...call.fragments.map((delta) => ({
        type: "response.function_call_arguments.delta",
        fields: { item_id: id, delta },
      })),
      { type: "response.function_call_arguments.done", fields: { item_id: id, arguments: call.arguments } },
    ],
    whole: { ...head, arguments: call.arguments, status: "completed" },
  };
}

function shellItem(call: PreparedToolCall, id: string): Item {
  const command: JsonValue = asObject(parseJson(call.arguments))?.command ?? [];
  const head = { id, type: "local_shell_call", call_id: call.id, action: { type: "exec", command, env: {} } };
  return { start: { ...head, status: "in_progress" }, between: [], whole: { ...head, status: "completed" } };
}

function responseObject(reply: PreparedReply, request: NormalizedRequest, fields: JsonObject): JsonObject {
  return {
    id: `resp_${String(reply.number).padStart(8, "0")}`,
    object: "response",
    created_at: 1_700_000_000 + reply.number,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: request.model,
    parallel_tool_calls: true,
    previous_response_id: null,
    store: false,
    tool_choice: "auto",
    tools: [],
    ...fields,
  };
}

function usageFields(usage: Usage): JsonObject {
  const input = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheReadTokens },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: input + usage.outputTokens,
  };
}
