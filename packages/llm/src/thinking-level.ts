import type { ThinkingSetting } from "@loom/core";

export type ThinkingOn = Extract<ThinkingSetting, { readonly type: "on" }>;
export type Effort = NonNullable<ThinkingOn["effort"]>;

/** From the least to the most. */
export const EFFORTS = ["minimal", "low", "medium", "high", "xhigh", "max"] as const satisfies readonly Effort[];

/** What a level comes to where a provider wants a bound in tokens, and what a bound comes to where it wants a level. */
const BUDGETS: Readonly<Record<Effort, number>> = {
  minimal: 1_024,
  low: 4_096,
  medium: 10_240,
  high: 24_576,
  xhigh: 32_768,
  max: 63_999,
};

/** The level that was asked for; where it was a bound in tokens, the least level that reaches it, at most `high`. */
export function effortOf({ effort, budgetTokens }: ThinkingOn): Effort | undefined {
  if (effort !== undefined || budgetTokens === undefined) return effort;
  if (budgetTokens <= BUDGETS.low) return "low";
  return budgetTokens <= BUDGETS.medium ? "medium" : "high";
}

/** The bound in tokens that was asked for, or what the level comes to; a level is `medium` unless it says more. */
function budgetOf({ effort = "medium", budgetTokens }: ThinkingOn): number {
  return budgetTokens ?? BUDGETS[effort];
}

/**
 * The same under a bound for the whole answer, thinking included. A client that gives both bounds has divided them itself;
 * else thinking takes half at most, so that there is room for an answer.
 */
export function budgetWithin(setting: ThinkingOn, maxTokens: number | undefined): number {
  const budget = budgetOf(setting);
  if (maxTokens === undefined || (setting.budgetTokens !== undefined && budget < maxTokens)) return budget;
  return Math.min(budget, Math.floor(maxTokens / 2));
}

/** The nearest of the levels that a model has: the next one down, or else its lowest. */
export function nearestEffort<Level extends Effort>(effort: Effort, levels: readonly Level[]): Level | undefined {
  const asked = EFFORTS.indexOf(effort);
  return levels.findLast((level) => EFFORTS.indexOf(level) <= asked) ?? levels[0];
}

/** A level by its name, as several dialects spell it alike. */
export function readEffort(value: unknown): Effort | undefined {
  return EFFORTS.find((effort) => effort === value);
}
