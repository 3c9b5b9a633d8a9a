// What a provider says in each dialect; written down here once more and not with Loom's codecs, which are under test.
import type { Plan, Tokens } from "./plan.ts";

export type WireDialect = "anthropic" | "chat" | "responses" | "gemini";

/** What the provider counts, as a dialect is able to say it. */
export function countedTokens(dialect: WireDialect, tokens: Tokens): Tokens {
  switch (dialect) {
    case "anthropic":
      return tokens;
    case "chat":
    case "responses":
      return { ...tokens, cacheWriteLong: 0 };
    case "gemini":
      return { ...tokens, input: tokens.input + tokens.cacheWrite, cacheWrite: 0, cacheWriteLong: 0 };
  }
}

/** An answer in one piece. */
export function wholeAnswer(dialect: WireDialect, plan: Plan, model: string): string {
  const text = Array.from({ length: plan.chunks }, (_, index) => chunkText(plan, index)).join("");
  return JSON.stringify(document(dialect, plan, model, text));
}

/** A stream, in the pieces in which it is sent: the head, one for each piece of text, the end. */
export function streamedAnswer(dialect: WireDialect, plan: Plan, model: string): string[] {
  const texts = Array.from({ length: plan.chunks }, (_, index) => chunkText(plan, index));
  return STREAMS[dialect](plan, model, texts);
}

/** An error that comes inside of a stream. */
export function errorEvent(dialect: WireDialect): string {
  switch (dialect) {
    case "anthropic":
      return event("error", { type: "error", error: { type: "overloaded_error", message: "Overloaded" } });
    case "chat":
      return data({ error: { type: "server_error", message: "The server had an error", code: null } });
    case "responses":
      return event("error", { type: "error", code: "server_error", message: "The server had an error", param: null });
    case "gemini":
      return data({ error: { code: 503, status: "UNAVAILABLE", message: "The model is overloaded." } });
  }
}

/** The body of an HTTP error. */
export function errorBody(dialect: WireDialect, status: number): string {
  const message = `scripted failure ${status}`;
  if (dialect === "gemini") return JSON.stringify({ error: { code: status, status: "UNAVAILABLE", message } });
  const type = status === 429 ? "rate_limit_error" : status === 529 ? "overloaded_error" : "api_error";
  return JSON.stringify(
    dialect === "anthropic" ? { type: "error", error: { type, message } } : { error: { type, message } },
  );
}

/** Multi-byte characters, so that there is something to cut in the middle. */
function chunkText(plan: Plan, index: number): string {
  const text = `piece ${index} – žluťoučký kůň, 春の海 `;
  return text.repeat(Math.ceil(plan.chunkBytes / 50));
}

const ARGUMENTS = '{"path":"src/main.ts"}';

function anthropicUsage({ input, output, cacheRead, cacheWrite, cacheWriteLong, reasoning }: Tokens) {
  return {
    input_tokens: input,
    output_tokens: output,
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: cacheWrite,
    cache_creation: {
      ephemeral_5m_input_tokens: cacheWrite - cacheWriteLong,
      ephemeral_1h_input_tokens: cacheWriteLong,
    },
    output_tokens_details: { thinking_tokens: reasoning },
  };
}

function chatUsage({ input, output, cacheRead, cacheWrite, reasoning }: Tokens) {
  const prompt = input + cacheRead + cacheWrite;
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite },
    completion_tokens_details: { reasoning_tokens: reasoning },
  };
}

function responsesUsage({ input, output, cacheRead, cacheWrite, reasoning }: Tokens) {
  const prompt = input + cacheRead + cacheWrite;
  return {
    input_tokens: prompt,
    input_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: prompt + output,
  };
}

function geminiUsage({ input, output, cacheRead, cacheWrite, reasoning }: Tokens) {
  const prompt = input + cacheRead + cacheWrite;
  return {
    promptTokenCount: prompt,
    cachedContentTokenCount: cacheRead,
    candidatesTokenCount: output - reasoning,
    thoughtsTokenCount: reasoning,
    totalTokenCount: prompt + output,
  };
}

function document(dialect: WireDialect, plan: Plan, model: string, text: string): unknown {
  const { id, tool, tokens } = plan;
  switch (dialect) {
    case "anthropic":
      return {
        id: `msg_${id}`,
        type: "message",
        role: "assistant",
        model,
        content: [
          { type: "text", text },
          ...(tool ? [{ type: "tool_use", id: `toolu_${id}`, name: "read", input: JSON.parse(ARGUMENTS) }] : []),
        ],
        stop_reason: tool ? "tool_use" : "end_turn",
        stop_sequence: null,
        usage: anthropicUsage(tokens),
      };
    case "chat":
      return {
        id: `chatcmpl-${id}`,
        object: "chat.completion",
        created: 1,
        model,
        choices: [
          {
            index: 0,
            message: { role: "assistant", content: text, ...(tool ? { tool_calls: [chatCall(id)] } : {}) },
            finish_reason: tool ? "tool_calls" : "stop",
          },
        ],
        usage: chatUsage(tokens),
      };
    case "responses":
      return responsesObject(plan, model, text, "completed");
    case "gemini":
      return geminiChunk(plan, model, [{ text }, ...(tool ? [geminiCall()] : [])], { last: true });
  }
}

const STREAMS: Readonly<Record<WireDialect, (plan: Plan, model: string, texts: readonly string[]) => string[]>> = {
  anthropic({ id, tool, tokens }, model, texts) {
    const message = { id: `msg_${id}`, type: "message", role: "assistant", model, content: [], stop_reason: null };
    const usage = { ...anthropicUsage({ ...tokens, output: 1, reasoning: 0 }) };
    const call = { type: "tool_use", id: `toolu_${id}`, name: "read", input: {} };
    return [
      event("message_start", { type: "message_start", message: { ...message, usage } }) +
        event("content_block_start", {
          type: "content_block_start",
          index: 0,
          content_block: { type: "text", text: "" },
        }),
      ...texts.map((text) =>
        event("content_block_delta", {
          type: "content_block_delta",
          index: 0,
          delta: { type: "text_delta", text },
        }),
      ),
      event("content_block_stop", { type: "content_block_stop", index: 0 }) +
        (tool
          ? event("content_block_start", { type: "content_block_start", index: 1, content_block: call }) +
            event("content_block_delta", {
              type: "content_block_delta",
              index: 1,
              delta: { type: "input_json_delta", partial_json: ARGUMENTS },
            }) +
            event("content_block_stop", { type: "content_block_stop", index: 1 })
          : "") +
        event("message_delta", {
          type: "message_delta",
          delta: { stop_reason: tool ? "tool_use" : "end_turn", stop_sequence: null },
          usage: anthropicUsage(tokens),
        }) +
        event("message_stop", { type: "message_stop" }),
    ];
  },
  chat({ id, tool, tokens }, model, texts) {
    const chunk = (choices: readonly unknown[], more: object = {}): string =>
      data({ id: `chatcmpl-${id}`, object: "chat.completion.chunk", created: 1, model, choices, ...more });
    const delta = (value: object, finish_reason: string | null = null) => [{ index: 0, delta: value, finish_reason }];
    return [
      chunk(delta({ role: "assistant", content: "" })),
      ...texts.map((content) => chunk(delta({ content }))),
      (tool ? chunk(delta({ tool_calls: [{ index: 0, ...chatCall(id) }] })) : "") +
        chunk(delta({}, tool ? "tool_calls" : "stop")) +
        chunk([], { usage: chatUsage(tokens) }) +
        "data: [DONE]\n\n",
    ];
  },
  responses(plan, model, texts) {
    const text = texts.join("");
    const item = { id: `msg_${plan.id}`, type: "message", role: "assistant" };
    const part = (value: string) => ({ type: "output_text", text: value, annotations: [] });
    const place = { item_id: item.id, output_index: 0, content_index: 0 };
    const whole = responsesObject(plan, model, text, "completed");
    const call = whole.output[1];
    const named = (type: string, more: object): string => event(type, { type, ...more });
    return [
      named("response.created", { response: responsesObject(plan, model, "", "in_progress") }) +
        named("response.output_item.added", {
          output_index: 0,
          item: { ...item, status: "in_progress", content: [] },
        }) +
        named("response.content_part.added", { ...place, part: part("") }),
      ...texts.map((delta) => named("response.output_text.delta", { ...place, delta })),
      named("response.output_text.done", { ...place, text }) +
        named("response.content_part.done", { ...place, part: part(text) }) +
        named("response.output_item.done", {
          output_index: 0,
          item: { ...item, status: "completed", content: [part(text)] },
        }) +
        (call === undefined
          ? ""
          : named("response.output_item.added", { output_index: 1, item: { ...call, arguments: "" } }) +
            named("response.function_call_arguments.delta", { item_id: call.id, output_index: 1, delta: ARGUMENTS }) +
            named("response.function_call_arguments.done", {
              item_id: call.id,
              output_index: 1,
              arguments: ARGUMENTS,
            }) +
            named("response.output_item.done", { output_index: 1, item: call })) +
        named("response.completed", { response: whole }),
    ];
  },
  gemini(plan, model, texts) {
    const chunk = (parts: readonly object[], { last = false } = {}): string =>
      data(geminiChunk(plan, model, parts, { last }));
    return [
      ...texts.map((text) => chunk([{ text }])),
      chunk(plan.tool ? [geminiCall()] : [{ text: "." }], { last: true }),
    ];
  },
};

function chatCall(id: number) {
  return { id: `call_${id}`, type: "function", function: { name: "read", arguments: ARGUMENTS } };
}

function responsesObject({ id, tool, tokens }: Plan, model: string, text: string, status: string) {
  const message = {
    id: `msg_${id}`,
    type: "message",
    role: "assistant",
    status,
    content: [{ type: "output_text", text, annotations: [] }],
  };
  const call = {
    id: `fc_${id}`,
    type: "function_call",
    status,
    call_id: `call_${id}`,
    name: "read",
    arguments: ARGUMENTS,
  };
  const isDone = status === "completed";
  return {
    id: `resp_${id}`,
    object: "response",
    created_at: 1,
    model,
    status,
    output: isDone ? [message, ...(tool ? [call] : [])] : [],
    ...(isDone ? { usage: responsesUsage(tokens) } : {}),
  };
}

function geminiCall() {
  return { functionCall: { name: "read", args: JSON.parse(ARGUMENTS) as unknown } };
}

function geminiChunk({ id, tokens }: Plan, model: string, parts: readonly object[], { last }: { last: boolean }) {
  return {
    candidates: [{ index: 0, content: { role: "model", parts }, ...(last ? { finishReason: "STOP" } : {}) }],
    modelVersion: model,
    responseId: `r${id}`,
    ...(last ? { usageMetadata: geminiUsage(tokens) } : {}),
  };
}

function event(name: string, value: unknown): string {
  return `event: ${name}\n${data(value)}`;
}

function data(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
