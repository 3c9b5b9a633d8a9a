import type { Effort } from "../thinking-level.ts";

/** What differs between Gemini models: https://ai.google.dev/gemini-api/docs/gemini-3 */
export type ModelTraits = {
  /** Gemini 3: calls have to come back sealed, and results of tools may hold media. */
  readonly sealsCalls: boolean;
  /** How it is told how much to think: not at all, in tokens, or as a level. */
  readonly thinking: ThinkingTraits;
};

type ThinkingTraits =
  | { readonly by: "nothing" }
  | { readonly by: "budget"; readonly min: number; readonly max: number }
  | { readonly by: "level"; readonly levels: readonly Effort[] };

const PRO_LEVELS: readonly Effort[] = ["low", "medium", "high"];
const FLASH_LEVELS: readonly Effort[] = ["minimal", "low", "medium", "high"];

/** By the model's name; one that has no number is the latest. */
export function traitsOf(model: string): ModelTraits {
  const name = model.slice(model.lastIndexOf("/") + 1);
  if (name.startsWith("gemma")) return { sealsCalls: false, thinking: { by: "nothing" } };
  const version = Number(/^gemini-(?:live-)?(\d+(?:\.\d+)?)/.exec(name)?.[1] ?? 3);
  const isFlash = name.includes("flash");
  if (version < 2.5) return { sealsCalls: false, thinking: { by: "nothing" } };
  if (version < 3) {
    // Pro cannot be kept from thinking; 0 is off.
    const bounds = isFlash ? { min: 0, max: 24_576 } : { min: 128, max: 32_768 };
    return { sealsCalls: false, thinking: { by: "budget", ...bounds } };
  }
  return { sealsCalls: true, thinking: { by: "level", levels: isFlash ? FLASH_LEVELS : PRO_LEVELS } };
}
