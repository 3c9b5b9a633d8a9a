import type { LlmRequest } from "@loom/core";
import type { WireDialect } from "./dialect.ts";
import { canThink } from "./openai-responses/effort.ts";

/** Sound and searches of Chat Completions' own never came to Responses, nor did the first that thought. */
const CHAT_ONLY = /^(?:gpt-audio|gpt-(?:4o|5)[\w.-]*-(?:audio|search)|o1-(?:mini|preview))/;
const RESPONSES_ONLY = /^(?:gpt-[\d.]+|o\d)-(?:[\w.]+-)*(?:pro|codex|deep-research)(?:-|$)|^(?:codex-|computer-use-)/;

const CHAT: readonly WireDialect[] = ["chat"];
const RESPONSES: readonly WireDialect[] = ["responses"];
const BOTH: readonly WireDialect[] = ["responses", "chat"];
const CHAT_FIRST: readonly WireDialect[] = ["chat", "responses"];

/**
 * In which of its two dialects OpenAI has a model: https://developers.openai.com/api/docs/models. Responses comes first,
 * since Chat Completions refuses tools to models that think, and takes no thoughts back.
 */
export function openAiDialects(model: string): readonly WireDialect[] {
  if (CHAT_ONLY.test(model)) return CHAT;
  return RESPONSES_ONLY.test(model) ? RESPONSES : BOTH;
}

/** In which of them to say a request, the first that can say it: a seed is for Chat Completions, where that takes the rest. */
export function openAiDialectsFor({ model, seed, tools }: LlmRequest): readonly WireDialect[] {
  const dialects = openAiDialects(model);
  const isForChat = seed !== undefined && (tools.length === 0 || !canThink(model));
  return isForChat && dialects === BOTH ? CHAT_FIRST : dialects;
}
