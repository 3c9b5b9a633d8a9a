import { traitsOf } from "./anthropic-messages/model-traits.ts";

/**
 * The most tokens that an answer of a model can have, thinking included, by its name with or without a router's prefix:
 * what a request comes to at most that sets no bound. The first that fits counts.
 */
const MOST: readonly (readonly [RegExp, number])[] = [
  // https://platform.openai.com/docs/models
  [/^(?:ft:)?gpt-5(?:\.\d+)?-chat|^chatgpt-4o|^(?:ft:)?gpt-4o/, 16_384],
  [/^(?:ft:)?gpt-(?:[5-9]|\d\d)/, 128_000],
  [/^(?:ft:)?gpt-4\.1/, 32_768],
  [/^(?:ft:)?gpt-4\.5/, 16_384],
  [/^(?:ft:)?gpt-4-32k/, 32_768],
  [/^(?:ft:)?gpt-4/, 8_192],
  [/^(?:ft:)?gpt-3\.5-turbo-16k/, 16_384],
  [/^(?:ft:)?gpt-3\.5/, 4_096],
  [/^o1-preview/, 32_768],
  [/^o1-mini/, 65_536],
  [/^o\d/, 100_000],
  // https://ai.google.dev/gemini-api/docs/models
  [/^gemini-(?:1\.|2\.0)/, 8_192],
  [/^gemini-/, 65_536],
];

/** `undefined` where nobody has written it down. */
export function mostOutputTokens(model: string): number | undefined {
  const name = model.slice(model.lastIndexOf("/") + 1).toLowerCase();
  if (name.startsWith("claude-")) return traitsOf(name).maxOutput;
  return MOST.find(([pattern]) => pattern.test(name))?.[1];
}
