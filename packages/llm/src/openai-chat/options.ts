import type { JsonObject } from "@loom/core";
import type { Effort } from "../thinking-level.ts";

/** What a server wants in requests. Answers are read the same from all of them. */
export type OpenAiChatOptions = {
  /**
   * The field for the bound of the answer. OpenAI's reasoning models refuse `max_tokens`; most compatible servers know
   * nothing else.
   */
  readonly maxTokensField: "max_completion_tokens" | "max_tokens";
  /**
   * The field in which earlier thinking goes back. DeepSeek and Z.ai want `reasoning_content` between tool calls,
   * OpenRouter `reasoning`; OpenAI itself has no place for it, so absent means it is left out.
   */
  readonly thinkingField?: "reasoning_content" | "reasoning";
  /** Whether thoughts that the server sealed go back in `reasoning_details`, as OpenRouter wants them. */
  readonly sealedThinking?: boolean;
  /**
   * How the server is told to think: OpenAI has levels, Z.ai, DeepSeek and Moonshot `thinking: {type}`, OpenRouter
   * `reasoning: {effort, max_tokens}`.
   */
  readonly thinkingParameter: "reasoning_effort" | "thinking" | "reasoning";
  /**
   * Which of its levels stands for each of Loom's, for a server with `thinking: {type}` that takes `reasoning_effort`
   * beside it; absent for a model, and how much to think is left out there.
   */
  readonly thinkingLevels?: (model: string) => Readonly<Record<Effort, string>> | undefined;
  /**
   * How a server with levels is told not to think, where the model is not one of OpenAI's: what goes into the body, or
   * `undefined` where nothing is known to help, which is named then.
   */
  readonly thinkingOff?: (model: string) => JsonObject | undefined;
  /** Whether it takes `prompt_cache_key`, which is OpenAI's own; a strict server refuses what it does not know. */
  readonly cacheKey: boolean;
  /** Whether it takes `top_k`, which OpenAI refuses and vLLM, llama.cpp and OpenRouter know. */
  readonly topK?: boolean;
  /** How many stop sequences it takes; absent: nobody says. */
  readonly mostStops?: number;
  /** Whether a call's seal goes back in `extra_content`, as Gemini's own compatible endpoint wants it. */
  readonly callSignatures?: boolean;
};
