import type { AssistantMessage, CacheMarker, Message } from "./content.ts";
import type { JsonObject } from "./json.ts";

/** A tool as the model is told of it. `inputSchema` is JSON Schema (draft 2020-12) of type object. */
export type ToolDefinition = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
  /** The provider holds the arguments to the schema while it writes them. */
  readonly strict?: boolean;
  readonly cache?: CacheMarker;
};

/** A tool that the provider runs itself (web search, code execution): its own words, for its own dialect only. */
export type ProviderTool = { readonly dialect: string; readonly definition: JsonObject };

export type ToolChoice =
  | { readonly type: "auto" | "none" | "required" }
  | { readonly type: "tool"; readonly name: string };

/** How much to think before answering: as a level, or as a bound in tokens where the client gave one. */
export type ThinkingSetting =
  | { readonly type: "off" }
  | {
      readonly type: "on";
      readonly effort?: "minimal" | "low" | "medium" | "high" | "xhigh" | "max";
      readonly budgetTokens?: number;
      /** Whether the thoughts, or a summary, are to be shown. */
      readonly visible?: boolean;
    };

/** What the text of the answer has to be. */
export type OutputFormat =
  | { readonly type: "json" }
  | {
      readonly type: "json_schema";
      readonly name: string;
      readonly schema: JsonObject;
      readonly strict?: boolean;
      readonly description?: string;
    };

/** One request to a model, in Loom's own words; the codecs of `packages/llm` turn it into a provider's. */
export type LlmRequest = {
  /** A provider's model id, or an alias (`default`, `fast`) that the server resolves. */
  readonly model: string;
  readonly system: string;
  readonly messages: readonly Message[];
  readonly tools: readonly ToolDefinition[];
  /** Upper bound of the answer, in tokens, thinking included; absent: what the model can write. */
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly stopSequences?: readonly string[];
  readonly seed?: number;
  readonly systemCache?: CacheMarker;
  readonly toolChoice?: ToolChoice;
  /** `false`: at most one call an answer. */
  readonly parallelToolCalls?: boolean;
  readonly providerTools?: readonly ProviderTool[];
  readonly thinking?: ThinkingSetting;
  readonly output?: OutputFormat;
  /** Whom the client says it asks for, and which of its sessions this is; for abuse reports and cache affinity. */
  readonly userId?: string;
  readonly cacheKey?: string;
};

export type StopReason =
  | "end_turn"
  | "tool_use"
  | "max_tokens"
  | "stop_sequence"
  | "refusal"
  | "context_window_exceeded"
  | "pause_turn"
  | "unknown";

/**
 * Tokens of one answer. The four billed kinds do not overlap: `inputTokens` is what was neither read from nor written
 * to a cache. `reasoningTokens` is the part of `outputTokens` that was spent on thinking, and `cacheWriteLongTokens`
 * the part of `cacheWriteTokens` that is kept for an hour; 0 where the provider does not say.
 */
export type Usage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly cacheWriteLongTokens: number;
  readonly reasoningTokens: number;
  /** Searches of the web that the provider made for the answer and bills beside its tokens; absent: none that it told of. */
  readonly webSearches?: number | undefined;
};

export const NO_USAGE: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  cacheWriteLongTokens: 0,
  reasoningTokens: 0,
};

/** Sum of the tokens of two usages, kind by kind. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    cacheWriteLongTokens: a.cacheWriteLongTokens + b.cacheWriteLongTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  };
}

/** A whole answer. `costMicroUsd` (millionths of a US dollar) is filled in by the server; absent = price unknown. */
export type LlmResponse = {
  readonly message: AssistantMessage;
  readonly stopReason: StopReason;
  readonly usage: Usage;
  /** The model that answered, as the provider names it. */
  readonly model: string;
  readonly costMicroUsd?: number;
};

export type LlmErrorCode =
  /** No connection, or it broke. */
  | "network"
  /** A deadline passed: connect, headers, first event, or the gap between events. */
  | "timeout"
  /** 429: slow down. */
  | "rate_limited"
  /** 5xx, 529: the provider is in trouble. */
  | "overloaded"
  /** 401, 403: the server's key was refused, or the server refused ours. */
  | "unauthorized"
  /** 404 for a model, or an alias nobody knows. */
  | "unknown_model"
  /** 402, or a budget of ours. */
  | "budget_exceeded"
  /** Other 4xx: the request itself is wrong; sending it again would not help. */
  | "invalid_request"
  /** Bytes that are not the provider's protocol. */
  | "invalid_response"
  /** No key for this provider on the server. */
  | "not_configured"
  | "internal";

/**
 * A failed request as plain data, so that it can be logged, sent and replayed. `message` is one sentence for a person:
 * what happened, to what, what to do. It holds no secret.
 */
export type LlmFailure = {
  readonly code: LlmErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  /** What the provider asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** HTTP status, where there was one. */
  readonly status?: number;
};

/**
 * What a model says while it answers. A stream is any number of deltas, then exactly one `completed` or one `error`;
 * failure is an event and never an exception half-way. `completed` carries the whole answer, so deltas are for eyes only.
 */
export type LlmEvent =
  | { readonly type: "text_delta"; readonly text: string }
  | { readonly type: "thinking_delta"; readonly text: string }
  /**
   * Seals the thinking that was streamed last, for clients that keep it themselves; where nothing was streamed, thinking
   * that is not shown. `dialect` says whose seal it is.
   */
  | { readonly type: "thinking_signature"; readonly signature: string; readonly dialect?: string }
  /** Thinking that is nothing but ciphertext, in its place among the other deltas. */
  | { readonly type: "thinking_redacted"; readonly data: string; readonly dialect?: string }
  | {
      readonly type: "tool_call_delta";
      readonly callId: string;
      readonly name: string;
      readonly argumentsFragment: string;
    }
  | { readonly type: "completed"; readonly response: LlmResponse }
  | { readonly type: "error"; readonly error: LlmFailure };
