import { NO_USAGE, type Usage } from "@loom/core";
import { calcPrice } from "@pydantic/genai-prices";
import { build } from "esbuild";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import data from "./catalogue.json" with { type: "json" };
import { createCatalogue, loadCatalogue } from "./catalogue.ts";

const catalogue = createCatalogue(data);
const AUTUMN = Date.parse("2026-09-23T12:00:00Z");

function cost(provider: string, model: string, usage: Partial<Usage>, at = AUTUMN): number | undefined {
  return catalogue.costMicroUsd(provider, model, { ...NO_USAGE, ...usage }, at);
}

describe("a cost worked out by hand", () => {
  test("counts every kind of token at its own price", () => {
    const usage = {
      inputTokens: 1_000, // at 5 dollars a million: 5,000
      outputTokens: 500, // at 25: 12,500
      cacheReadTokens: 20_000, // at 0.50: 10,000
      cacheWriteTokens: 3_000, // of which 2,000 at 6.25: 12,500
      cacheWriteLongTokens: 1_000, // and these at 10: 10,000
      reasoningTokens: 400, // part of the output
    };
    expect(cost("anthropic", "claude-opus-5", usage)).toBe(50_000);
  });

  test.each<[string, string, Partial<Usage>, number]>([
    ["anthropic", "claude-haiku-4-5-20251001", { inputTokens: 3, outputTokens: 1 }, 8],
    ["anthropic", "claude-sonnet-5", { inputTokens: 1_000_000, outputTokens: 1_000_000 }, 12_000_000],
    ["openai", "gpt-4o", { inputTokens: 2_000, outputTokens: 300, cacheReadTokens: 1_000 }, 9_250],
    ["openai", "gpt-6-sol", { inputTokens: 7, outputTokens: 11 }, 124],
    ["zai", "glm-5.3", { inputTokens: 100_000, outputTokens: 10_000, cacheReadTokens: 50_000 }, 197_000],
    ["openrouter", "agentica-org/deepcoder-14b-preview:free", { inputTokens: 1_000, outputTokens: 1_000 }, 0],
  ])("%s %s", (provider, model, usage, microUsd) => {
    expect(cost(provider, model, usage)).toBe(microUsd);
  });

  test("has the searches that the provider counts beside the tokens", () => {
    expect(cost("anthropic", "claude-opus-5", { inputTokens: 100, outputTokens: 50, webSearches: 3 })).toBe(31_750);
    const many = { inputTokens: 9_007_199_254_740_991, webSearches: 1 };
    expect(cost("openai", "gpt-5.4-nano", many)).toBe(1_801_439_850_958_198);
  });

  test("is rounded once, half up", () => {
    // 0.15 dollars a million: 0.45, 1.35 and 1.5 micro-dollars.
    expect([3, 9, 10].map((inputTokens) => cost("openai", "gpt-4o-mini", { inputTokens }))).toEqual([0, 1, 2]);
  });

  test("stays exact where floating point does not", () => {
    expect(cost("openai", "gpt-5.4-nano", { inputTokens: 9_007_199_254_740_991 })).toBe(1_801_439_850_948_198);
  });

  test("uses the higher tier for the whole request once its input, cached or not, is larger than the bound", () => {
    expect(cost("openai", "gpt-5.4", { inputTokens: 271_999, outputTokens: 1_000 })).toBe(694_998);
    expect(cost("openai", "gpt-5.4", { inputTokens: 272_000, outputTokens: 1_000 })).toBe(1_382_500);
    expect(cost("google", "gemini-2.5-pro", { inputTokens: 1_000, cacheReadTokens: 199_000 })).toBe(26_125);
    expect(cost("google", "gemini-2.5-pro", { inputTokens: 1_000, cacheReadTokens: 199_001 })).toBe(52_250);
  });

  test("uses the prices of the day", () => {
    const usage = { outputTokens: 1_000 };
    expect(cost("openai", "o3", usage, Date.parse("2025-06-09T23:59:59Z"))).toBe(40_000);
    expect(cost("openai", "o3", usage, Date.parse("2025-06-10T00:00:00Z"))).toBe(8_000);
  });

  test("uses the prices of the hour", () => {
    const at = (time: string) =>
      cost("deepseek", "deepseek-v4-pro", { outputTokens: 1_000 }, Date.parse(`2026-09-01T${time}Z`));
    expect([at("00:59:59"), at("01:00:00"), at("03:59:59"), at("04:00:00")]).toEqual([1_980, 3_960, 3_960, 1_980]);
  });

  test("bills cache tokens as input, or as short writes, where the list has no price for them", () => {
    const prices = [{ input: 2_000_000, output: 1 }];
    const plain = createCatalogue({ ...data, providers: { ours: { models: [{ id: "m", prices }] } } });
    const usage = { ...NO_USAGE, cacheReadTokens: 10, cacheWriteTokens: 5, cacheWriteLongTokens: 2 };
    expect(plain.costMicroUsd("ours", "m", usage)).toBe(30);
  });
});

describe("a model", () => {
  test("is found by its own name, a dated name and a name without dashes in the date", () => {
    const names = ["gpt-5", "GPT-5-2025-08-07", "gpt-5-20250807", " gpt-5 "];
    expect(names.map((name) => catalogue.findModel("openai", name)?.id)).toEqual(["gpt-5", "gpt-5", "gpt-5", "gpt-5"]);
  });

  test("has its context window", () => {
    expect(catalogue.findModel("anthropic", "claude-opus-5")).toMatchObject({
      provider: "anthropic",
      id: "claude-opus-5",
      contextWindow: 1_000_000,
    });
  });

  test("of a reseller is found where its maker lists it", () => {
    expect(catalogue.findModel("vertex", "claude-opus-4-8")).toMatchObject({ id: expect.stringMatching(/opus-4-8/) });
    expect(catalogue.findModel("azure", "grok-4.5")?.provider).toBe("x-ai");
  });

  test.each([
    ["openai", "llama3.1:8b"],
    ["openai", "gpt"],
    ["nobody", "gpt-5"],
    ["constructor", "gpt-5"],
    ["", ""],
  ])("that nobody listed has no price: %j %j", (provider, model) => {
    expect(catalogue.findModel(provider, model)).toBeUndefined();
    expect(cost(provider, model, { inputTokens: 1 })).toBeUndefined();
  });

  test("whose bill counts more than tokens of text is known, but has no price", () => {
    expect(catalogue.findModel("perplexity", "sonar-pro")?.id).toBe("sonar-pro");
    expect(cost("perplexity", "sonar-pro", { inputTokens: 1 })).toBeUndefined();
  });
});

test("for every model the cost is the one that the source of the prices works out", () => {
  const models = Object.entries(data.providers).flatMap(([provider, { models }]) =>
    models.map(({ id }) => ({ provider, id })),
  );
  const tokens = fc.oneof(fc.nat(2_000), fc.nat(400_000));
  const usage = fc.record({ input: tokens, output: tokens, read: tokens, write: tokens, long: fc.nat(100) });
  const time = fc.date({ min: new Date("2025-01-01"), max: new Date("2027-06-01"), noInvalidDate: true });
  let compared = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...models),
      usage,
      time,
      ({ provider, id }, { input, output, read, write, long }, at) => {
        const cacheWriteLongTokens = Math.min(long, write);
        const ours = cost(
          provider,
          id,
          {
            inputTokens: input,
            outputTokens: output,
            cacheReadTokens: read,
            cacheWriteTokens: write,
            cacheWriteLongTokens,
          },
          at.getTime(),
        );
        const theirs = calcPrice(
          {
            input_tokens: input + read + write,
            output_tokens: output,
            cache_read_tokens: read,
            cache_write_tokens: write,
            cache_write_1h_tokens: cacheWriteLongTokens,
          },
          id,
          { providerId: provider, timestamp: at },
        );
        if (ours === undefined) return;
        compared += 1;
        // Half a micro-dollar is our rounding; the rest is theirs, of sums in floating point and of a price in thirds.
        expect(Math.abs(ours - (theirs?.total_price ?? Number.NaN) * 1_000_000)).toBeLessThan(0.7);
      },
    ),
    { numRuns: 4_000 },
  );
  expect(compared).toBeGreaterThan(3_000);
});

test("the catalogue says where its prices are from", () => {
  expect(catalogue.source).toEqual({
    package: "@pydantic/genai-prices",
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    published: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
  });
});

test("the catalogue is read once, and not before it is asked for", async () => {
  expect(loadCatalogue()).toBe(loadCatalogue());
  expect((await loadCatalogue()).source).toEqual(data.source);

  const bundle = await build({
    entryPoints: [new URL("./catalogue.ts", import.meta.url).pathname],
    bundle: true,
    format: "esm",
    write: false,
  });
  const [file] = bundle.outputFiles;
  expect(bundle.outputFiles).toHaveLength(1);
  // esbuild wraps what is imported on demand in an initialiser that runs at the first import.
  expect(file?.text).toMatch(/__esm\(\{\s*"[^"]*catalogue\.json"/);
});
