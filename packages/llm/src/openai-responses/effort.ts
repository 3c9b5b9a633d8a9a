import type { JsonObject, JsonValue, ThinkingSetting } from "@loom/core";
import { refuseValue } from "../request-problem.ts";
import { readObject } from "../request-reader.ts";

type Effort = NonNullable<Extract<ThinkingSetting, { type: "on" }>["effort"]>;

const EFFORTS: ReadonlySet<string> = new Set<Effort>(["minimal", "low", "medium", "high", "xhigh", "max"]);

/** Models that do not think refuse to be told how much, and have nothing to encrypt. */
const DOES_NOT_THINK = /^(?:ft:)?(?:gpt-3|gpt-4|chatgpt-|gpt-5(?:\.\d+)?-chat)/;
/** Thinks always: `none` came with gpt-5.1. */
const ALWAYS_THINKS = /^(?:o\d|gpt-5(?:-|$))/;
const FIRST_MINIMAL = /^gpt-5/;

/** For models that are only known by a number of tokens: where OpenAI's levels lie, roughly. */
const LOW_BUDGET = 2_048;
const MEDIUM_BUDGET = 10_000;

export function canThink(model: string): boolean {
  return !DOES_NOT_THINK.test(bareName(model));
}

/**
 * `reasoning`, if there is something to say. A budget in tokens becomes the level it comes near to, and `max` the highest
 * there is. A model that cannot be kept from thinking is told to think as little as it can.
 */
export function reasoningToWire(model: string, thinking: ThinkingSetting | undefined): JsonObject | undefined {
  if (thinking === undefined || !canThink(model)) return undefined;
  if (thinking.type === "off") return { effort: leastEffort(bareName(model)) };
  const { effort, budgetTokens, visible } = thinking;
  const level = effort ?? (budgetTokens === undefined ? undefined : levelOf(budgetTokens));
  return {
    ...(level === undefined ? {} : { effort: level === "max" ? "xhigh" : level }),
    ...(visible === true ? { summary: "auto" } : {}),
  };
}

/** `reasoning` without an effort leaves the model to its own ways, and is no setting. */
export function readReasoning(value: JsonValue | undefined): ThinkingSetting | undefined {
  if (value === undefined || value === null) return undefined;
  const { effort, summary, generate_summary: oldSummary } = readObject(value, "reasoning");
  if (effort === undefined || effort === null) return undefined;
  if (effort === "none") return { type: "off" };
  if (!isEffort(effort)) refuseValue("reasoning.effort", effort);
  const asked = summary ?? oldSummary;
  return { type: "on", effort, ...(asked === undefined || asked === null ? {} : { visible: true }) };
}

function leastEffort(model: string): string {
  if (!ALWAYS_THINKS.test(model)) return "none";
  return FIRST_MINIMAL.test(model) ? "minimal" : "low";
}

function levelOf(budgetTokens: number): Effort {
  if (budgetTokens <= LOW_BUDGET) return "low";
  return budgetTokens <= MEDIUM_BUDGET ? "medium" : "high";
}

/** Without the vendor that routers put in front (`openai/gpt-5`). */
function bareName(model: string): string {
  return model.slice(model.lastIndexOf("/") + 1);
}

function isEffort(value: JsonValue): value is Effort {
  return typeof value === "string" && EFFORTS.has(value);
}
