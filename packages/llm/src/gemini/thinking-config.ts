import type { JsonObject, JsonValue, ThinkingSetting } from "@loom/core";
import { asCount, asNumber, asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import { readObject, type Watch } from "../request-reader.ts";
import { budgetWithin, effortOf, nearestEffort, readEffort } from "../thinking-level.ts";
import { traitsOf } from "./model-traits.ts";
import { field } from "./wire-field.ts";

/** The provider's word for "as much as it finds right". */
const DYNAMIC = -1;

/**
 * `thinkingConfig`, in the one way of the two that the model knows. A model that cannot be kept from thinking is told to
 * think as little as it can; one that cannot think is told nothing. `maxTokens`: of the whole answer, thinking included.
 */
export function thinkingToWire(
  model: string,
  setting: ThinkingSetting | undefined,
  maxTokens: number | undefined,
): JsonObject | undefined {
  const { thinking } = traitsOf(model);
  if (setting === undefined || thinking.by === "nothing") return undefined;
  if (setting.type === "off") {
    return thinking.by === "budget"
      ? { thinkingBudget: thinking.min }
      : { thinkingLevel: levelName(thinking.levels[0]) };
  }
  const visible = setting.visible === undefined ? {} : { includeThoughts: setting.visible };
  const effort = effortOf(setting);
  if (effort === undefined) return setting.visible === undefined ? undefined : visible;
  if (thinking.by === "level") return { ...visible, thinkingLevel: levelName(nearestEffort(effort, thinking.levels)) };
  const thinkingBudget = Math.min(Math.max(budgetWithin(setting, maxTokens), thinking.min), thinking.max);
  return { ...visible, thinkingBudget };
}

export function readThinking(value: JsonValue | undefined, watched: Watch): ThinkingSetting | undefined {
  if (value === undefined || value === null) return undefined;
  const path = "generationConfig.thinkingConfig";
  const config = watched(readObject(value, path), path);
  const budget = field(config, "thinkingBudget");
  const level = asText(field(config, "thinkingLevel"));
  const isVisible = field(config, "includeThoughts") === true;
  // As `-1.0`, it is another number for the language only.
  const tokens = asNumber(budget);
  if (tokens === 0) return { type: "off" };
  const visible = isVisible ? { visible: true } : {};
  if (level !== undefined && level !== "THINKING_LEVEL_UNSPECIFIED") {
    const effort = readEffort(level.toLowerCase());
    if (effort === undefined) refuseValue(`${path}.thinkingLevel`, level);
    return { type: "on", effort, ...visible };
  }
  if (budget === undefined || tokens === DYNAMIC) return isVisible ? { type: "on", visible: true } : undefined;
  const budgetTokens = asCount(budget) ?? refuse(`${path}.thinkingBudget`, "must be a whole number");
  return { type: "on", budgetTokens, ...visible };
}

function levelName(level: string | undefined): string {
  return (level ?? "low").toUpperCase();
}
