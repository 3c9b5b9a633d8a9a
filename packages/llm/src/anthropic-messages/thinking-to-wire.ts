import type { JsonObject, LlmRequest } from "@loom/core";
import { isPrefilled } from "../prefill.ts";
import { budgetWithin, type Effort, effortOf, nearestEffort, type ThinkingOn } from "../thinking-level.ts";
import { type ModelTraits, mostTokensOf } from "./model-traits.ts";

const MIN_BUDGET = 1_024;

export type WireThinking = {
  /** The field `thinking`, or nothing. */
  readonly thinking: JsonObject;
  readonly effort?: Effort | undefined;
  /** It was asked for, and the provider would refuse it in this request. */
  readonly isLeftOut?: true;
};

/** A model that cannot stop thinking is asked for the least of it. */
export function thinkingToWire(request: LlmRequest, traits: ModelTraits): WireThinking {
  const { thinking: setting } = request;
  if (setting === undefined) return { thinking: {} };
  if (setting.type === "off") {
    if (!traits.canStopThinking) return { thinking: {}, effort: "low" };
    return { thinking: traits.thinksUnasked ? { thinking: { type: "disabled" } } : {} };
  }
  const asked = effortOf(setting);
  const effort = asked === undefined ? undefined : nearestEffort(asked, traits.efforts);
  if (!traits.thinksUnasked && isThinkingRefused(request)) return { thinking: {}, effort, isLeftOut: true };
  const display = setting.visible === undefined ? {} : { display: setting.visible ? "summarized" : "omitted" };
  if (traits.adaptive) return { thinking: { thinking: { type: "adaptive", ...display } }, effort };
  const budget = budgetOf(setting, mostTokensOf(request));
  if (budget === undefined) return { thinking: {}, effort, isLeftOut: true };
  return { thinking: { thinking: { type: "enabled", budget_tokens: budget, ...display } }, effort };
}

/** Models that think unasked take it beside these; the older ones do not. */
function isThinkingRefused({ toolChoice, messages }: LlmRequest): boolean {
  return toolChoice?.type === "required" || toolChoice?.type === "tool" || isPrefilled(messages);
}

/** Where the bound leaves no room for thinking, the answer comes first. */
function budgetOf(setting: ThinkingOn, maxTokens: number): number | undefined {
  const budget = budgetWithin(setting, maxTokens);
  if (budget >= MIN_BUDGET) return budget;
  return maxTokens < 2 * MIN_BUDGET ? undefined : MIN_BUDGET;
}
