import type { LlmRequest } from "@loom/core";
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
  /** Whether temperature and top_p may be set together. */
  readonly bothSamplers: boolean;
  /** Whether it can be made to call a tool: https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5 */
  readonly forcedTools: boolean;
  /** Whether it goes on with the beginning of an answer: https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6 */
  readonly prefill: boolean;
  /** The most tokens of an answer: https://platform.claude.com/docs/en/about-claude/models/overview */
  readonly maxOutput: number;
};

/** For a request without a bound, which this dialect must have: more than that few answers come to. */
const MOST_UNASKED = 64_000;

const OLDER_EFFORTS: readonly Effort[] = ["low", "medium", "high", "max"];
const ALL_EFFORTS: readonly Effort[] = ["low", "medium", "high", "xhigh", "max"];

/** Early Claude models, and models of others whose servers speak this dialect. */
const CLASSIC: ModelTraits = {
  adaptive: false,
  efforts: [],
  thinksUnasked: false,
  canStopThinking: true,
  sampling: true,
  bothSamplers: true,
  forcedTools: true,
  prefill: true,
  // Models of others write more, but not all say how much.
  maxOutput: 8_192,
};

const NEWEST: ModelTraits = {
  adaptive: true,
  efforts: ALL_EFFORTS,
  thinksUnasked: true,
  canStopThinking: true,
  sampling: false,
  bothSamplers: false,
  forcedTools: true,
  prefill: false,
  maxOutput: 128_000,
};

/** By the model's name, which may hold a platform's prefix or suffix; a Claude nobody has heard of is taken for a new one. */
export function traitsOf(model: string): ModelTraits {
  const found = /claude-(?:(?<family>[a-z]+)-)?(?<major>\d+)(?:[-.](?<minor>\d{1,2})(?!\d))?/i.exec(model)?.groups;
  if (found === undefined) {
    if (/claude-(?:v|instant)/i.test(model)) return { ...CLASSIC, maxOutput: 4_096 };
    return /claude-[a-z]/i.test(model) ? NEWEST : CLASSIC;
  }
  const version = Number(found.major) * 100 + Number(found.minor ?? 0);
  const family = found.family?.toLowerCase();
  if (version >= 500) {
    const alwaysThinks = family === "fable" || family === "mythos" || (family === "opus" && version >= 505);
    const forcedTools = version < (family === "fable" ? 501 : 505);
    return { ...NEWEST, canStopThinking: !alwaysThinks, forcedTools };
  }
  if (version >= 407) return { ...NEWEST, thinksUnasked: false };
  if (version === 406) return { ...NEWEST, efforts: OLDER_EFFORTS, thinksUnasked: false, sampling: true };
  const older = { ...CLASSIC, bothSamplers: version <= 400, maxOutput: olderMaxOutput(version, family) };
  return version === 405 && family === "opus" ? { ...older, efforts: ["low", "medium", "high"] } : older;
}

function olderMaxOutput(version: number, family: string | undefined): number {
  if (version < 305) return 4_096;
  if (version < 307) return 8_192;
  return family === "opus" && version < 405 ? 32_000 : 64_000;
}

/** The bound of the answer that goes out, which this dialect must have: the client's, or else what the model can write. */
export function mostTokensOf({ model, maxTokens }: Pick<LlmRequest, "model" | "maxTokens">): number {
  return maxTokens ?? Math.min(traitsOf(model).maxOutput, MOST_UNASKED);
}
