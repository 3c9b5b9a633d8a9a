/** What a picture is by its own bytes, whatever its request calls it. */
export type PictureTraits = {
  readonly kind: "png" | "jpeg" | "gif" | "webp";
  /** In pixels; absent: not known. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
};

/**
 * The most tokens that one picture can cost as input, by the model's own name at its maker, as it was known in November 2026
 * and rounded up. Most makers scale down what is larger. Not here is what nobody has written down. The first that fits counts.
 */
const MOST: readonly (readonly [RegExp, number | ((picture: PictureTraits) => number | undefined)])[] = [
  // https://platform.claude.com/docs/en/build-with-claude/vision: 4,784 on models that see 2,576 pixels, else some 1,600.
  [/^claude-/, 5_000],
  // https://developers.openai.com/api/docs/guides/images-vision: 2,833 and 5,667 for each of 8 tiles.
  [/^(?:ft:)?gpt-4o-mini/, 48_169],
  // The same: 85 and 170 for each of 8 tiles, or 1,536 patches that count up to 2.46 times.
  [/^(?:ft:)?gpt-4(?:o|\.1|\.5|-turbo)|^chatgpt-4o|^o[134](?:-|$)/, 5_000],
  // The same: 10,000 patches in their original detail, that count up to 2.46 times.
  [/^(?:ft:)?gpt-5(?:\.[0-5])?(?:[-:]|$)/, 25_000],
  // From there on every patch counts, 1.2 times: https://docs.apiyi.com/en/faq/vision-image-too-large (of October 2026).
  [/^(?:ft:)?gpt-(?:5\.[6-9]|6)(?:[.-]|$)/, patches],
  // https://ai.google.dev/gemini-api/docs/media-resolution: 2,240 in ultra high.
  [/^gemini-3/, 2_500],
  // The same: some 2,048 and 256, of tiles that https://ai.google.dev/gemini-api/docs/tokens counts as 258 each.
  [/^gemini-(?:2\.5|4)/, 10_000],
];

/** In pixels, each way. */
const PATCH = 32;
/** As often as a patch ever counted, so that a smaller model may count it more often than is known. */
const PATCH_TOKENS = 2.5;

function patches({ size }: PictureTraits): number | undefined {
  if (size === undefined) return undefined;
  return Math.ceil(Math.ceil(size.width / PATCH) * Math.ceil(size.height / PATCH) * PATCH_TOKENS);
}

/** `undefined` where it is not bounded, or not known to be. */
export function mostPictureTokens(model: string, picture: PictureTraits): number | undefined {
  const name = model.toLowerCase();
  // https://ai.google.dev/gemini-api/docs/image-understanding: Gemini takes no GIF, which might as well be a film.
  if (picture.kind === "gif" && name.startsWith("gemini-")) return undefined;
  const most = MOST.find(([pattern]) => pattern.test(name))?.[1];
  return typeof most === "function" ? most(picture) : most;
}
