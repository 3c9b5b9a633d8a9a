import { describe, expect, test } from "vitest";
import type { ProviderConfig } from "../../provider-config.ts";
import { likelyPrompt, promptTokens } from "./output-bound.ts";
import type { Picture } from "./pictures/picture-data.ts";

const SCREEN: Picture = { kind: "png", size: { width: 1_920, height: 1_080 }, from: 100, to: 2_000_100 };
const PROMPT = { promptBytes: 2_000_200, pictures: () => [SCREEN], maxOutputTokens: undefined };

function upstream(kind: ProviderConfig["kind"], { isOfficial }: { readonly isOfficial: boolean }) {
  return { config: { kind, isOfficial } as ProviderConfig };
}

describe("a prompt with a picture", () => {
  test.each([
    ["openai", "gpt-5.4", 2_500],
    ["anthropic", "claude-opus-5", 2_765],
    ["zai", "glm-5.3", 1_600],
  ] as const)("is likely to be what such a one usually costs at %s for %s", (kind, model, tokens) => {
    expect(likelyPrompt(PROMPT, upstream(kind, { isOfficial: true }), model)).toBe(50 + tokens);
  });

  test("is likely to be what most make of one where somebody else may stand in the maker's place", () => {
    expect(likelyPrompt(PROMPT, upstream("openai", { isOfficial: false }), "gpt-5.4")).toBe(50 + 1_600);
    expect(likelyPrompt(PROMPT, upstream("compatible", { isOfficial: false }), "gpt-4o-mini")).toBe(50 + 1_600);
  });

  test("is held as what it costs at most, or by its size where nobody knows that", () => {
    const held = (isOfficial: boolean) =>
      promptTokens(PROMPT, undefined, { upstream: upstream("openai", { isOfficial }), model: "gpt-5.4" });
    expect([held(true), held(false)]).toEqual([50 + 25_000, 500_050]);
  });
});
