import type { JsonObject, JsonValue, ThinkingSetting } from "@loom/core";
import { refuseValue } from "../request-problem.ts";
import { readObject, type Watch } from "../request-reader.ts";
import { EFFORTS, type Effort, effortOf, nearestEffort, readEffort } from "../thinking-level.ts";

/** Models that do not think refuse to be told how much, and have nothing to encrypt. */
const DOES_NOT_THINK = /^(?:ft:)?(?:gpt-3|gpt-4|gpt-audio|chatgpt-|gpt-5(?:\.\d+)?-(?:chat|search))/;
/** By name, OpenAI's own models, with or without a router's prefix. Its open ones run elsewhere, and are told otherwise. */
const OPENAI_MODEL = /(?:^|\/)(?:ft:)?(?:gpt-(?!oss)|chatgpt-|codex-|o\d(?:-|$))/;

/** Levels by model: `none` came with gpt-5.1, which forgot `minimal`, and `xhigh` with gpt-5.2. */
const LEVELS: readonly (readonly [RegExp, readonly Effort[]])[] = [
  [/^gpt-5-pro/, ["high"]],
  [/^gpt-5\.\d+-pro/, ["medium", "high", "xhigh"]],
  [/^gpt-5\.1-codex-max/, ["low", "medium", "high", "xhigh"]],
  [/^(?:o\d|gpt-oss|codex-|gpt-5-codex|gpt-5\.1(?:-|$))/, ["low", "medium", "high"]],
  [/^gpt-5(?:-|$)/, ["minimal", "low", "medium", "high"]],
  [/^gpt-/, ["low", "medium", "high", "xhigh"]],
];
const ALWAYS_THINKS = /^(?:o\d|gpt-oss|codex-|gpt-5(?:-|$)|gpt-[\d.]+-(?:pro|codex))/;
/** Unless they are told not to; those of the families before have to be told to think. */
const THINKS_UNTOLD = /^gpt-(?:5\.(?:[5-9]|\d\d)|[6-9])/;

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
  if (thinking.type === "off") return { effort: ALWAYS_THINKS.test(bareName(model)) ? (levels[0] ?? "low") : "none" };
  const asked = effortOf(thinking);
  const effort = asked === undefined ? undefined : nearestEffort(asked, levels);
  if (effort === undefined && thinking.visible !== true) return undefined;
  return {
    ...(effort === undefined ? {} : { effort }),
    ...(thinking.visible === true ? { summary: "auto" } : {}),
  };
}

/** `reasoning` without an effort leaves the model to its own ways; a summary alone asks for thoughts that can be seen. */
export function readReasoning(value: JsonValue | undefined, watched: Watch): ThinkingSetting | undefined {
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

export function isOpenAiModel(model: string): boolean {
  return OPENAI_MODEL.test(model);
}

/**
 * Whether it is a model of OpenAI's own that thinks at this effort (`undefined`: at none that was said). Then it refuses
 * `temperature`, `top_p` and `stop`.
 */
export function thinksAt(model: string, effort: JsonValue | undefined): boolean {
  const name = bareName(model);
  if (!isOpenAiModel(model) || !canThink(name)) return false;
  if (effort !== undefined) return effort !== "none";
  return ALWAYS_THINKS.test(name) || THINKS_UNTOLD.test(name);
}

function levelsOf(model: string): readonly Effort[] {
  return LEVELS.find(([names]) => names.test(model))?.[1] ?? EFFORTS;
}

/** Without the vendor that routers put in front (`openai/gpt-5`). */
function bareName(model: string): string {
  return model.slice(model.lastIndexOf("/") + 1);
}
