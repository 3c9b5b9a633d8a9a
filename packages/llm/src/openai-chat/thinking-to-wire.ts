import type { JsonObject, LlmRequest, ThinkingSetting } from "@loom/core";
import { THINKING_ASKED } from "../earlier-thinking.ts";
import { canThink, isOpenAiModel, reasoningToWire } from "../openai-responses/effort.ts";
import { effortOf, nearestEffort } from "../thinking-level.ts";
import type { OpenAiChatOptions } from "./options.ts";

/** As `leftOut` names a level or a bound that the server has no word for. */
const HOW_MUCH = "how much to think";
/** It cannot be kept from it, whoever runs it. */
const ALWAYS_THINKS = /gpt-oss/i;
/** Open models whose template has a switch by this name. */
const SWITCHED = /(?:^|[/:_-])(?:qwen-?3|glm-?(?:4\.[5-9]|[5-9]))/i;

/** What the server is told of thinking, and what of it there are no words for. */
export type WireThinking = { readonly body: JsonObject; readonly leftOut?: string };

/** How much to think, or that a model should not, in the words of the server. */
export function thinkingToWire({ model, thinking }: LlmRequest, options: OpenAiChatOptions): WireThinking {
  if (thinking === undefined) return { body: {} };
  switch (options.thinkingParameter) {
    case "thinking":
      return thinkingByType(model, thinking, options);
    case "reasoning":
      return { body: { reasoning: reasoningOf(thinking) } };
    case "reasoning_effort":
      return isOpenAiModel(model) ? openAiEffort(model, thinking) : commonEffort(model, thinking, options);
  }
}

function thinkingByType(model: string, thinking: ThinkingSetting, { thinkingLevels }: OpenAiChatOptions): WireThinking {
  if (thinking.type === "off") return { body: { thinking: { type: "disabled" } } };
  const body = { thinking: { type: "enabled" } };
  const asked = effortOf(thinking);
  if (asked === undefined) return { body };
  const level = thinkingLevels?.(model)?.[asked];
  return level === undefined ? { body, leftOut: HOW_MUCH } : { body: { ...body, reasoning_effort: level } };
}

function openAiEffort(model: string, thinking: ThinkingSetting): WireThinking {
  const effort = reasoningToWire(model, thinking)?.effort;
  const isLost = thinking.type === "on" && !canThink(model);
  return {
    body: effort === undefined ? {} : { reasoning_effort: effort },
    ...(isLost ? { leftOut: THINKING_ASKED } : {}),
  };
}

/** Levels that every server with this field knows; there is no word for "on" or "off" that all of them have. */
function commonEffort(model: string, thinking: ThinkingSetting, { thinkingOff }: OpenAiChatOptions): WireThinking {
  const asked = thinking.type === "on" ? effortOf(thinking) : undefined;
  const effort = asked === undefined ? undefined : nearestEffort(asked, ["low", "medium", "high"]);
  if (effort !== undefined) return { body: { reasoning_effort: effort } };
  if (ALWAYS_THINKS.test(model)) return { body: thinking.type === "off" ? { reasoning_effort: "low" } : {} };
  const isOn = thinking.type === "on";
  const body = thinkingOff === undefined ? templateSwitch(model, isOn) : isOn ? undefined : thinkingOff(model);
  return body === undefined ? { body: {}, leftOut: THINKING_ASKED } : { body };
}

/** vLLM, SGLang and llama.cpp hand it to the model's template: https://qwen.readthedocs.io/en/latest/deployment/vllm.html */
function templateSwitch(model: string, isOn: boolean): JsonObject | undefined {
  return SWITCHED.test(model) ? { chat_template_kwargs: { enable_thinking: isOn } } : undefined;
}

function reasoningOf(thinking: ThinkingSetting): JsonObject {
  if (thinking.type === "off") return { enabled: false };
  const { effort, budgetTokens, visible } = thinking;
  return {
    ...(effort === undefined ? {} : { effort: effort === "max" ? "xhigh" : effort }),
    // One or the other: the server refuses both.
    ...(effort !== undefined || budgetTokens === undefined ? {} : { max_tokens: budgetTokens }),
    ...(effort === undefined && budgetTokens === undefined ? { enabled: true } : {}),
    ...(visible === undefined ? {} : { exclude: !visible }),
  };
}
