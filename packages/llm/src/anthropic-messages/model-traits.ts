import type { Effort } from "../thinking-level.ts";

/** What differs between models that speak this dialect: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking */
export type ModelTraits = {
  /** Thinks as much as it finds right, up to an effort; the others want a bound in tokens. */
  readonly adaptive: boolean;
  /** The efforts it can be asked for; none where it knows no such word. */
  readonly efforts: readonly Effort[];
  /** Whether it thinks unless told otherwise, and whether it can be told. */
  readonly thinksUnasked: boolean;
  readonly canStopThinking: boolean;
  /** Whether temperature, top_p and top_k may be set. */
  readonly sampling: boolean;
};

const OLDER_EFFORTS: readonly Effort[] = ["low", "medium", "high", "max"];
const ALL_EFFORTS: readonly Effort[] = ["low", "medium", "high", "xhigh", "max"];

/** Early Claude models, and models of others whose servers speak this dialect. */
const CLASSIC: ModelTraits = {
  adaptive: false,
  efforts: [],
  thinksUnasked: false,
  canStopThinking: true,
  sampling: true,
};

const NEWEST: ModelTraits = {
  adaptive: true,
  efforts: ALL_EFFORTS,
  thinksUnasked: true,
  canStopThinking: true,
  sampling: false,
};

/** By the model's name, which may hold a platform's prefix or suffix; a Claude nobody has heard of is taken for a new one. */
export function traitsOf(model: string): ModelTraits {
  const found = /claude-(?:(?<family>[a-z]+)-)?(?<major>\d+)(?:[-.](?<minor>\d{1,2})(?!\d))?/i.exec(model)?.groups;
  if (found === undefined) return /claude-[a-z]/i.test(model) && !/claude-(v|instant)/i.test(model) ? NEWEST : CLASSIC;
  const version = Number(found.major) * 100 + Number(found.minor ?? 0);
  const family = found.family?.toLowerCase();
  if (version >= 500) {
    const alwaysThinks = family === "fable" || family === "mythos" || (family === "opus" && version >= 505);
    return { ...NEWEST, canStopThinking: !alwaysThinks };
  }
  if (version >= 407) return { ...NEWEST, thinksUnasked: false };
  if (version === 406) return { ...CLASSIC, adaptive: true, efforts: OLDER_EFFORTS };
  return version === 405 && family === "opus" ? { ...CLASSIC, efforts: ["low", "medium", "high"] } : CLASSIC;
}
