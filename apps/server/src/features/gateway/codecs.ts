import type { LlmEvent, LlmFailure, LlmResponse } from "@loom/core";
import {
  type AnswerIdentity,
  anthropicMessages,
  gemini,
  geminiOnVertex,
  type LlmCodec,
  loomEvents,
  openAiChat,
  openAiChatCodec,
  openAiResponses,
} from "@loom/llm";
import type { Dialect } from "../../gateway-types.ts";
import { jsonArray } from "./json/array.ts";
import type { WireDialect } from "./target.ts";
import type { Upstream } from "./upstream.ts";

/** The codec of a dialect as its own provider speaks it. */
export function codecOf(dialect: WireDialect): LlmCodec {
  switch (dialect) {
    case "anthropic":
      return anthropicMessages;
    case "chat":
      return openAiChat;
    case "responses":
      return openAiResponses;
    case "gemini":
      return gemini;
  }
}

/** The codec for requests to this upstream. */
export function codecFor(upstream: Upstream, dialect: WireDialect): LlmCodec {
  if (dialect === "gemini" && upstream.config.kind === "vertex") return geminiOnVertex;
  if (dialect !== "chat" || (upstream.config.isOfficial && upstream.config.kind !== "zai")) return codecOf(dialect);
  const host = new URL(upstream.origin).hostname;
  const habit = HABITS.find(({ name, hosts }) => name === upstream.name || hosts.test(host));
  return habit?.codec ?? (upstream.config.isCompatible ? compatible : codecOf(dialect));
}

/** The name of a field that OpenAI gave up is the one that everybody else knows. */
const maxTokensField = "max_tokens";
const compatible = openAiChatCodec({ maxTokensField });

type ChatOptions = NonNullable<Parameters<typeof openAiChatCodec>[0]>;

const THINKING: ChatOptions = { thinkingField: "reasoning_content", thinkingParameter: "thinking" };
/** What the levels between come to there, too. */
const DEEPSEEK_LEVELS = { minimal: "low", low: "low", medium: "high", high: "high", xhigh: "max", max: "max" } as const;
const ALL_LEVELS = {
  minimal: "minimal",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "xhigh",
  max: "max",
} as const;

/**
 * What servers of this dialect want that OpenAI does not, by the name that the operator gave one, or by its host. Where
 * a model thinks, most want its earlier thinking back.
 */
const HABITS: readonly { readonly name: string; readonly hosts: RegExp; readonly codec: LlmCodec }[] = [
  // https://openrouter.ai/docs/api-reference/parameters
  habit("openrouter", /(?:^|\.)openrouter\.ai$/, {
    thinkingField: "reasoning",
    sealedThinking: true,
    thinkingParameter: "reasoning",
    topK: true,
  }),
  // https://docs.z.ai/guides/capabilities/thinking-mode, https://api-docs.deepseek.com/guides/thinking_mode
  habit("zai", /(?:^|\.)(?:z\.ai|bigmodel\.cn)$/, {
    ...THINKING,
    thinkingLevels: (model) => (/^glm-(?:5\.[2-9]|[6-9])/.test(model) ? ALL_LEVELS : undefined),
  }),
  habit("deepseek", /(?:^|\.)deepseek\.com$/, { ...THINKING, thinkingLevels: () => DEEPSEEK_LEVELS }),
  habit("moonshot", /(?:^|\.)moonshot\.(?:ai|cn)$/, THINKING),
  // https://ai.google.dev/gemini-api/docs/openai: the larger models cannot be kept from thinking.
  habit("gemini-compatible", /(?:^|[.-])(?:generativelanguage|aiplatform)\.googleapis\.com$/, {
    callSignatures: true,
    thinkingOff: (model) => ({ reasoning_effort: /-flash/.test(model) ? "none" : "low" }),
  }),
  // https://docs.ollama.com/api/openai-compatibility
  habit("ollama", /(?:^|\.)ollama\.com$/, { thinkingOff: () => ({ reasoning_effort: "none" }) }),
  // https://console.groq.com/docs/reasoning: it refuses fields that it does not know.
  habit("groq", /(?:^|\.)groq\.com$/, {
    thinkingOff: (model) => (/qwen-?3/.test(model) ? { reasoning_effort: "none" } : undefined),
  }),
];

function habit(name: string, hosts: RegExp, options: ChatOptions): (typeof HABITS)[number] {
  return { name, hosts, codec: openAiChatCodec({ maxTokensField, ...options }) };
}

/** How answers in Loom's words become a client's. */
export type ClientVoice = {
  stream(identity: AnswerIdentity): { push(events: readonly LlmEvent[]): string };
  whole(response: LlmResponse, identity: AnswerIdentity): unknown;
  /** Why the answer cannot be said in one piece. */
  problem(response: LlmResponse): LlmFailure | undefined;
  readonly streamType: string;
  /** What is said while there is nothing to say; empty: nothing can be said. */
  readonly keepAlive: string;
};

const EVENT_STREAM = "text/event-stream; charset=utf-8";

const LOOM: ClientVoice = {
  stream: () => ({ push: loomEvents.encode }),
  whole: (response) => response,
  problem: () => undefined,
  streamType: EVENT_STREAM,
  keepAlive: loomEvents.keepAlive,
};

/** `eventStream: false`: Gemini's stream as one JSON array, which is what it is without `alt=sse`. */
export function voiceOf(dialect: Dialect, { eventStream }: { readonly eventStream: boolean }): ClientVoice {
  if (dialect === "loom") return LOOM;
  const codec = codecOf(dialect);
  const whole: ClientVoice["whole"] = (response, identity) => codec.encodeResponse(response, identity);
  const problem: ClientVoice["problem"] = (response) => codec.answerProblem?.(response);
  if (!eventStream) {
    return {
      stream: (identity) => jsonArray(codec.streamEncoder(identity)),
      whole,
      problem,
      streamType: "application/json",
      keepAlive: " ",
    };
  }
  const keepAlive = dialect === "anthropic" ? 'event: ping\ndata: {"type":"ping"}\n\n' : ": ping\n\n";
  return { stream: (identity) => codec.streamEncoder(identity), whole, problem, streamType: EVENT_STREAM, keepAlive };
}
