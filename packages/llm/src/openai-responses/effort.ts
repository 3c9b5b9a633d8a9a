import type { JsonObject, JsonValue, ThinkingSetting } from "@loom/core";
import { refuseValue } from "../request-problem.ts";
import { readObject } from "../request-reader.ts";
import { EFFORTS, type Effort, effortOf, nearestEffort, readEffort } from "../thinking-level.ts";

/** Models that do not think refuse to be told how much, and have nothing to encrypt. */
const DOES_NOT_THINK = /^(?:ft:)?(?:gpt-3|gpt-4|chatgpt-|gpt-5(?:\.\d+)?-chat)/;
/** Levels by model: `none` and `xhigh` came with the gpt-5.1 family, which forgot `minimal`. */
const O_SERIES = /^o\d/;
const GPT_5 = /^gpt-5(?:-|$)/;
const LATER_GPT = /^gpt-/;

export function canThink(model: string): boolean {
  return !DOES_NOT_THINK.test(bareName(model));
}

/**
 * `reasoning`, if there is something to say, at the level nearest to what was asked for. A model that cannot be kept from
 * thinking is told to think as little as it can.
 */
export function reasoningToWire(model: string, thinking: ThinkingSetting | undefined): JsonObject | undefined {
  if (thinking === undefined || !canThink(model)) return undefined;
  const levels = levelsOf(bareName(model));
  if (thinking.type === "off") return { effort: alwaysThinks(bareName(model)) ? (levels[0] ?? "low") : "none" };
  const asked = effortOf(thinking);
  const effort = asked === undefined ? undefined : nearestEffort(asked, levels);
  if (effort === undefined && thinking.visible !== true) return undefined;
  return {
    ...(effort === undefined ? {} : { effort }),
    ...(thinking.visible === true ? { summary: "auto" } : {}),
  };
}

/** `reasoning` without an effort leaves the model to its own ways; a summary alone asks for thoughts that can be seen. */
export function readReasoning(
  value: JsonValue | undefined,
  watched: (inner: JsonObject, name: string) => JsonObject,
): ThinkingSetting | undefined {
  if (value === undefined || value === null) return undefined;
  const reasoning = watched(readObject(value, "reasoning"), "reasoning");
  const { effort: level, summary, generate_summary: oldSummary } = reasoning;
  const asked = summary ?? oldSummary;
  const visible = asked === undefined || asked === null ? {} : { visible: true };
  if (level === "none") return { type: "off" };
  if (level === undefined || level === null) return visible.visible === true ? { type: "on", ...visible } : undefined;
  const effort = readEffort(level) ?? refuseValue("reasoning.effort", level);
  return { type: "on", effort, ...visible };
}

function levelsOf(model: string): readonly Effort[] {
  if (O_SERIES.test(model)) return ["low", "medium", "high"];
  if (GPT_5.test(model)) return ["minimal", "low", "medium", "high"];
  return LATER_GPT.test(model) ? ["low", "medium", "high", "xhigh"] : EFFORTS;
}

function alwaysThinks(model: string): boolean {
  return O_SERIES.test(model) || GPT_5.test(model);
}

/** Without the vendor that routers put in front (`openai/gpt-5`). */
function bareName(model: string): string {
  return model.slice(model.lastIndexOf("/") + 1);
}
