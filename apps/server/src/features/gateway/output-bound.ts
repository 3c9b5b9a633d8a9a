import { mostOutputTokens, mostPictureTokens, usualPictureTokens } from "@loom/llm";
import type { Picture } from "./pictures/picture-data.ts";
import { DEFAULT_OUTPUT_TOKENS, type Question } from "./question.ts";
import type { Upstream } from "./upstream.ts";

type Allowed = Pick<Question, "maxOutputTokens" | "answers">;

/** Of a usual text; good enough for a limit, and a tokenizer would hold up every other request. */
export const BYTES_PER_TOKEN = 4;

/** Of the models whose window nobody knows, in tokens; and of those that are sold with a larger one than is known. */
export const LARGEST_WINDOW = 1_000_000;

/**
 * How long a prompt is taken to be before it is counted: no longer than models can read, unless it is many of them at once,
 * as those are that are only embedded.
 */
export function promptTokens(
  prompt: Pick<Question, "promptBytes" | "pictures" | "maxOutputTokens">,
  window: number | undefined,
  reader: Reader,
): number {
  const { promptBytes, maxOutputTokens } = prompt;
  const { upstream, model } = reader;
  const isKnown = upstream !== undefined && isMaker(upstream);
  const saved = isKnown ? savedByPictures(prompt, (picture) => mostPictureTokens(model, picture)) : 0;
  const tokens = Math.ceil(promptBytes / BYTES_PER_TOKEN - saved);
  return maxOutputTokens === 0 ? tokens : Math.min(tokens, Math.max(LARGEST_WINDOW, window ?? 0));
}

/** Who reads a prompt. Absent: nobody yet, or a provider that is not there any more. */
export type Reader = { readonly upstream: Pick<Upstream, "config"> | undefined; readonly model: string };

/** How long a prompt is likely to be, for who wants to know that and no bound: with its pictures as what such ones cost. */
export function likelyPrompt(
  prompt: Pick<Question, "promptBytes" | "pictures">,
  upstream: Pick<Upstream, "config">,
  model: string,
): number {
  const known = isMaker(upstream) ? model : undefined;
  const saved = savedByPictures(prompt, (picture) => usualPictureTokens(known, picture));
  return Math.ceil(prompt.promptBytes / BYTES_PER_TOKEN - saved);
}

/** In tokens: what the pictures of a prompt count less than their size. */
function savedByPictures(
  { pictures }: Pick<Question, "pictures">,
  tokensOf: (picture: Picture) => number | undefined,
): number {
  let saved = 0;
  for (const picture of pictures()) {
    const tokens = (picture.to - picture.from) / BYTES_PER_TOKEN;
    saved += tokens - Math.min(tokens, tokensOf(picture) ?? tokens);
  }
  return saved;
}

/** Others do with pictures what they like, whatever they call their models. Z.ai does not say what they cost. */
function isMaker({ config: { kind, isOfficial } }: Pick<Upstream, "config">): boolean {
  return isOfficial && kind !== "zai";
}

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
