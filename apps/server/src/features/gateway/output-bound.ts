import { DEFAULT_OUTPUT_TOKENS, type Question } from "./question.ts";

/** Of a usual text; good enough for a limit, and a tokenizer would hold up every other request. */
export const BYTES_PER_TOKEN = 4;

/** The most that all answers to a request are taken to be long before they are counted; `window`: the model's, in tokens. */
export function mostOutput(
  { maxOutputTokens = DEFAULT_OUTPUT_TOKENS, answers }: Pick<Question, "maxOutputTokens" | "answers">,
  window: number | undefined,
): number {
  // No answer is longer, whatever bound the client gives.
  return answers * Math.min(maxOutputTokens, window ?? Number.POSITIVE_INFINITY);
}
