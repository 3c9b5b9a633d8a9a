import { mostOutputTokens } from "@loom/llm";
import { DEFAULT_OUTPUT_TOKENS, type Question } from "./question.ts";

/** Of a usual text; good enough for a limit, and a tokenizer would hold up every other request. */
export const BYTES_PER_TOKEN = 4;

type Allowed = Pick<Question, "maxOutputTokens" | "answers">;

/**
 * The most that all answers to a request are taken to be long before they are counted; `window`: the model's, in tokens.
 * Without a bound of the client's an answer may be as long as the model can write, or as its window where nobody knows that.
 */
export function mostOutput({ maxOutputTokens, answers }: Allowed, model: string, window: number | undefined): number {
  const most = maxOutputTokens ?? mostOutputTokens(model) ?? window ?? DEFAULT_OUTPUT_TOKENS;
  // No answer is longer, whatever bound the client gives.
  return answers * Math.min(most, window ?? Number.POSITIVE_INFINITY);
}

/** The same for limits of tokens a minute, where an answer without a bound counts like a long one until it is there. */
export function likelyOutput(allowed: Allowed, model: string, window: number | undefined): number {
  const likely = allowed.maxOutputTokens ?? DEFAULT_OUTPUT_TOKENS;
  return Math.min(allowed.answers * likely, mostOutput(allowed, model, window));
}
