import { ProblemError } from "../../kit/problem-reply.ts";
import { type JsonMembers, memberValue } from "./json/members.ts";
import { noPictures } from "./pictures/picture-data.ts";
import {
  checkedModel,
  count,
  DEFAULT_OUTPUT_TOKENS,
  isGiven,
  membersOf,
  type Question,
  readableMember,
  textMember,
} from "./question.ts";
import type { Target } from "./target.ts";

/** Of one picture, in the finest quality that is sold. */
const IMAGE_TOKENS = 16_384;
/** What the old completions write where the client gives no bound. */
const COMPLETION_TOKENS = 16;

/**
 * Other work with a model, as far as limits have to know it: which model, and how much may come of it. The body is passed
 * on as it is. @throws ProblemError where it is no JSON object, or names what cannot be a model
 */
export function readUse(target: Target, body: Buffer): Question {
  const top = membersOf(body);
  const { each, answers } = outputOf(target.path, top);
  return {
    model: checkedModel(target.model ?? textMember(top, "model") ?? ""),
    stream: memberValue(top, "stream") === true,
    maxOutputTokens: each,
    answers,
    isUnbounded: each === undefined,
    refersBack: isGiven(top, "previous_response_id"),
    promptBytes: body.length,
    pictures: noPictures,
    cacheKey: textMember(top, "prompt_cache_key"),
    top,
    decode() {
      throw new ProblemError("invalid_request", "This can only be passed on as it is.");
    },
  };
}

/** Tokens of each answer at most, and how many there may be; no `each`: nobody knows before it is done. */
function outputOf(path: string, top: JsonMembers): { readonly each: number | undefined; readonly answers: number } {
  if (WITHOUT_OUTPUT.test(path)) return { each: 0, answers: 1 };
  if (path.endsWith("/completions")) {
    const several = Math.max(count(memberValue(top, "n")) ?? 1, count(memberValue(top, "best_of")) ?? 1);
    const each = count(memberValue(top, "max_tokens")) ?? COMPLETION_TOKENS;
    return { each, answers: several * prompts(readableMember(top, "prompt")) };
  }
  if (path.endsWith("/images/generations")) return { each: IMAGE_TOKENS, answers: count(memberValue(top, "n")) ?? 1 };
  return { each: path.endsWith("/responses/compact") ? DEFAULT_OUTPUT_TOKENS : undefined, answers: 1 };
}

const WITHOUT_OUTPUT = /\/(?:embeddings|moderations|rerank)$|:(?:embedContent|batchEmbedContents|computeTokens)$/;

/** One text, one list of tokens, or a list of either. */
function prompts(prompt: unknown): number {
  if (!Array.isArray(prompt) || prompt.every((each) => typeof each === "number")) return 1;
  return prompt.length;
}
