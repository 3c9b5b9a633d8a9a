/** What a picture is by its own bytes, whatever its request calls it. */
export type PictureTraits = {
  readonly kind: "png" | "jpeg" | "gif" | "webp";
  /** In pixels; absent: not known. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
};

type Tokens = number | ((picture: PictureTraits) => number | undefined);

/**
 * The most tokens that one picture can cost as input, and what one of a whole screen (1,920 by 1,080) does, by the model's own
 * name at its maker, as it was known in November 2026; the most is rounded up. Most makers scale down what is larger. Not here
 * is what nobody has written down. The first that fits counts.
 */
const COSTS: readonly (readonly [RegExp, most: Tokens, usual: Tokens])[] = [
  // https://platform.claude.com/docs/en/build-with-claude/vision: 4,784 on models that see 2,576 pixels, else some 1,600.
  [/^claude-/, 5_000, 2_765],
  // https://developers.openai.com/api/docs/guides/images-vision: 2,833 and 5,667 for each of 8 tiles; a screen has 6.
  [/^(?:ft:)?gpt-4o-mini/, 48_169, 36_835],
  // The same: 85 and 170 for each of 8 tiles, or 1,536 patches that count up to 2.46 times.
  [/^(?:ft:)?gpt-4(?:o|\.1|\.5|-turbo)|^chatgpt-4o|^o[134](?:-|$)/, 5_000, 1_105],
  // The same: 10,000 patches in their original detail, that count up to 2.46 times; a screen has 2,040, counted some 1.2 times.
  [/^(?:ft:)?gpt-5(?:\.[0-5])?(?:[-:]|$)/, 25_000, 2_500],
  // From there on every patch counts, 1.2 times: https://docs.apiyi.com/en/faq/vision-image-too-large (of October 2026).
  [/^(?:ft:)?gpt-(?:5\.[6-9]|6)(?:[.-]|$)/, patches(2.5), patches(1.2)],
  // https://ai.google.dev/gemini-api/docs/media-resolution: 2,240 in ultra high, 1,120 if nothing is said.
  [/^gemini-3/, 2_500, 1_120],
  // The same: some 2,048 and 256, of tiles that https://ai.google.dev/gemini-api/docs/tokens counts as 258 each; a screen has 6.
  [/^gemini-(?:2\.5|4)/, 10_000, 1_548],
];

/** Where nobody has written it down: what a picture costs at most makers. */
const USUAL = 1_600;

/** In pixels, each way. */
const PATCH = 32;

/** `times`: as often as a patch counts. For the most, as often as one ever did: a smaller model may count it more often than is known. */
function patches(times: number): Tokens {
  return ({ size }) => size && Math.ceil(Math.ceil(size.width / PATCH) * Math.ceil(size.height / PATCH) * times);
}

/** `undefined` where it is not bounded, or not known to be. */
export function mostPictureTokens(model: string, picture: PictureTraits): number | undefined {
  const name = model.toLowerCase();
  // https://ai.google.dev/gemini-api/docs/image-understanding: Gemini takes no GIF, which might as well be a film.
  if (picture.kind === "gif" && name.startsWith("gemini-")) return undefined;
  const [, most] = costOf(name) ?? [];
  return tokensOf(most, picture);
}

/** What one picture is likely to cost as input: for an estimate, and no bound. `model`: absent where its maker is not asked. */
export function usualPictureTokens(model: string | undefined, picture: PictureTraits): number {
  const [, , usual] = (model === undefined ? undefined : costOf(model.toLowerCase())) ?? [];
  return tokensOf(usual, picture) ?? USUAL;
}

function costOf(name: string) {
  return COSTS.find(([pattern]) => pattern.test(name));
}

function tokensOf(tokens: Tokens | undefined, picture: PictureTraits): number | undefined {
  return typeof tokens === "function" ? tokens(picture) : tokens;
}
