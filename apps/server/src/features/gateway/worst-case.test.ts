import { loadCatalogue } from "@loom/llm";
import { beforeAll, describe, expect, test } from "vitest";
import type { Prices } from "../ledger/prices.ts";
import type { Asked } from "./passage.ts";
import { readQuestion } from "./question.ts";
import { type Target, targetOfProxy } from "./target.ts";
import type { Upstream } from "./upstream.ts";
import type { Upstreams } from "./upstreams.ts";
import { readUse } from "./use-question.ts";
import { worstCase } from "./worst-case.ts";

let prices: Prices;

beforeAll(async () => {
  const catalogue = await loadCatalogue();
  prices = {
    ready: () => undefined,
    price(upstream, model, usage, atMs = Date.now()) {
      const costMicroUsd = catalogue.costMicroUsd(upstream, model, usage, atMs);
      return costMicroUsd === undefined ? undefined : { costMicroUsd, version: "1" };
    },
    contextWindow: (upstream, model) => catalogue.findModel(upstream, model)?.contextWindow,
  };
});

/** Each provider at its own address, and one that is not. */
const upstreams: Upstreams = {
  get(name) {
    return name === "nobody" ? undefined : ({ config: { kind: name, isOfficial: name !== "lab" } } as Upstream);
  },
};

function worstOf(path: string, body: object, { upstream }: { readonly upstream?: string } = {}) {
  const target = targetOfProxy(path, "", (name) => name as "openai") as Target;
  const bytes = Buffer.from(JSON.stringify(body));
  const question = target.operation === "use" ? readUse(target, bytes) : readQuestion(target, bytes);
  const call = { incoming: { method: "POST" } };
  const step = { upstream: upstream ?? target.upstream ?? "", model: question.model, reason: "test" };
  return worstCase({ target, question, call } as unknown as Asked, step, { prices, upstreams });
}

describe("the worst case", () => {
  const chat = (fields: object) => worstOf("/openai/v1/chat/completions", { model: "gpt-4o-mini", ...fields });

  test("is that of all answers together", () => {
    expect(chat({ max_tokens: 16_000, n: 125 })).toMatchObject({ outputTokens: 2_000_000, costMicroUsd: 1_200_002 });
    const config = { maxOutputTokens: 1_000, candidateCount: 8 };
    const gemini = worstOf("/gemini/v1beta/models/gemini-2.5-pro:generateContent", { generationConfig: config });
    expect(gemini.outputTokens).toBe(8_000);
  });

  test("without a bound is all that the model can write, and counts as a long answer for limits a minute", () => {
    expect(chat({ n: 4 })).toMatchObject({
      outputTokens: 65_536,
      costMicroUsd: chat({ max_tokens: 16_384, n: 4 }).costMicroUsd,
    });
    const unbound = worstOf("/openai/v1/chat/completions", { model: "gpt-5" });
    const whole = worstOf("/openai/v1/chat/completions", { model: "gpt-5", max_tokens: 128_000 });
    expect(unbound).toMatchObject({ outputTokens: 32_000 });
    expect(unbound.costMicroUsd).toBeGreaterThan((whole.costMicroUsd ?? 0) - 10);
  });

  test("is that of the larger of two bounds, each answer no longer than the model can write", () => {
    expect(chat({ max_completion_tokens: 1, max_tokens: 100_000 }).outputTokens).toBe(100_000);
    expect(chat({ max_tokens: 100_000, max_completion_tokens: 1 }).outputTokens).toBe(100_000);
    expect(chat({ max_tokens: 1_000_000, n: 2 }).outputTokens).toBe(256_000);
  });

  test("is that of the least bound that the dialect takes which OpenAI is asked in", () => {
    expect(worstOf("/openai/v1/messages", { model: "gpt-5.4", max_tokens: 1 }).outputTokens).toBe(16);
  });

  test("is seen in each spelling that Google takes, and of several it is the largest", () => {
    const gemini = (fields: object) =>
      worstOf("/gemini/v1beta/models/gemini-2.5-pro:generateContent", fields).outputTokens;
    expect(gemini({ generationConfig: { max_output_tokens: 65_000 } })).toBe(65_000);
    expect(gemini({ generationConfig: { maxOutputTokens: "65000" } })).toBe(65_000);
    expect(gemini({ generationConfig: { maxOutputTokens: "6.5e4" } })).toBe(65_000);
    expect(gemini({ generationConfig: { maxOutputTokens: 1, max_output_tokens: 65_000 } })).toBe(65_000);
    expect(gemini({ generationConfig: {}, generation_config: { maxOutputTokens: 65_000 } })).toBe(65_000);
    expect(gemini({ generation_config: { max_output_tokens: 9 }, generationConfig: { maxOutputTokens: 7 } })).toBe(9);
    for (const candidates of [{ candidateCount: "8" }, { candidate_count: 8 }]) {
      expect(gemini({ generationConfig: { maxOutputTokens: 1_000, ...candidates } })).toBe(8_000);
    }
    expect(gemini({ generationConfig: { maxOutputTokens: "many" } })).toBe(32_000);
  });

  test("counts a bound that stands there as a text or with a fraction, as lenient servers do", () => {
    expect(chat({ max_tokens: "100000" }).outputTokens).toBe(100_000);
    expect(chat({ max_tokens: 99_999.5, n: "2" }).outputTokens).toBe(200_000);
  });

  test("is of all that the model can read where the provider adds what it has kept", () => {
    const responses = (fields: object) => worstOf("/openai/v1/responses", { model: "gpt-4o-mini", ...fields });
    expect(responses({ input: "x" }).inputTokens).toBeLessThan(20);
    expect(responses({ input: "x", previous_response_id: null }).inputTokens).toBeLessThan(30);
    const compact = worstOf("/openai/v1/responses/compact", { model: "gpt-4o-mini", previous_response_id: null });
    expect(compact.inputTokens).toBeLessThan(30);
    for (const fields of [{ previous_response_id: "resp_1" }, { conversation: { id: "c" } }, { prompt: { id: "p" } }]) {
      expect(responses(fields).inputTokens).toBe(128_000);
    }
    const path = "/gemini/v1beta/models/gemini-2.5-pro:generateContent";
    expect(worstOf(path, { cachedContent: "cachedContents/1" }).inputTokens).toBe(1_000_000);
  });

  test("has no more of a prompt than models can read, but for what is many prompts", () => {
    const input = "word ".repeat(1_000_000);
    const chat = { model: "gpt-4o-mini", max_tokens: 9, messages: [{ role: "user", content: input }] };
    expect(worstOf("/openai/v1/chat/completions", chat).inputTokens).toBe(1_000_000);
    const many = worstOf("/openai/v1/embeddings", { model: "text-embedding-3-small", input: [input, input] });
    expect(many.inputTokens).toBeGreaterThan(1_000_000);
  });

  describe("with pictures", () => {
    const png = (bytes: number) => Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(bytes)]);
    const SCREENSHOT = png(2_000_000).toString("base64");
    const IHDR = Buffer.from("0000000d494844520000078000000438", "hex");
    const FULL_HD = Buffer.concat([png(0), IHDR, Buffer.alloc(2_000_000)]).toString("base64");
    const image = (data: string) => ({ type: "image", source: { type: "base64", media_type: "image/png", data } });
    const claude = (...content: object[]) => ({ model: "claude-opus-5", messages: [{ role: "user", content }] });
    const gpt = (model: string, data = SCREENSHOT) => {
      const url = `data:image/png;base64,${data}`;
      return { model, messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] };
    };
    const inputOf = (...args: Parameters<typeof worstOf>) => worstOf(...args).inputTokens;
    const CLAUDE = "/anthropic/v1/messages";
    const CHAT = "/openai/v1/chat/completions";

    test("is what they cost at most at the maker of the model that reads them, all of them together", () => {
      expect(inputOf(CLAUDE, claude(image(SCREENSHOT)))).toBeLessThan(5_100);
      expect(inputOf(CLAUDE, claude(image(SCREENSHOT), image(SCREENSHOT)))).toBeGreaterThan(10_000);
      expect(inputOf(CHAT, gpt("gpt-4o-mini"))).toBeGreaterThan(48_169);
      expect(inputOf(CHAT, gpt("gpt-4o-mini"))).toBeLessThan(48_300);
      expect(inputOf(CHAT, gpt("gpt-5.4"))).toBeLessThan(25_100);
      expect(inputOf(CHAT, gpt("gpt-6-astra", FULL_HD))).toBeGreaterThan(60 * 34 * 2.5);
      expect(inputOf(CHAT, gpt("gpt-6-astra", FULL_HD))).toBeLessThan(60 * 34 * 2.5 + 100);
      const parts = [{ inlineData: { mimeType: "image/png", data: SCREENSHOT } }];
      const gemini = "/gemini/v1beta/models/gemini-3.1-pro-preview:generateContent";
      expect(inputOf(gemini, { contents: [{ parts }] })).toBeLessThan(2_600);
    });

    test("is that of the model that a step goes to, which may be of another maker", () => {
      const asked = { ...claude(image(SCREENSHOT)), model: "gpt-5.4" };
      expect(inputOf(CLAUDE, asked, { upstream: "openai" })).toBeGreaterThan(25_000);
      expect(inputOf(CLAUDE, asked, { upstream: "openai" })).toBeLessThan(25_100);
    });

    test("is that of their bytes where nobody says what they cost", () => {
      for (const upstream of ["lab", "zai", "nobody"]) {
        expect(inputOf(CLAUDE, claude(image(SCREENSHOT)), { upstream })).toBeGreaterThan(600_000);
      }
      expect(inputOf(CHAT, gpt("gpt-6-astra"))).toBeGreaterThan(600_000);
    });

    test("is never more than that of their bytes", () => {
      const [small, large] = [1_000, 14_000].map((bytes) => claude(image(png(bytes).toString("base64"))));
      for (const body of [small, large]) {
        expect(inputOf(CLAUDE, body as object)).toBe(Math.ceil(JSON.stringify(body).length / 4));
      }
    });

    test("is known of requests in Loom's own words, too", () => {
      const content = [{ type: "image", mediaType: "image/png", data: SCREENSHOT }];
      const results = [{ type: "tool_result", toolCallId: "t", content, isError: false }];
      const request = { model: "claude-opus-5", maxTokens: 100, system: "", tools: [], stopSequences: [] };
      const call = { type: "tool_use", id: "t", name: "look", input: {} };
      const asked = { role: "user", content: [{ type: "text", text: "Look." }] };
      const messages = [asked, { role: "assistant", content: [call] }, { role: "user", content: results }];
      expect(inputOf("/anthropic/complete", { ...request, messages })).toBeLessThan(5_200);
      const text = [{ role: "user", content: [{ type: "text", text: SCREENSHOT }] }];
      expect(inputOf("/anthropic/complete", { ...request, messages: text })).toBeGreaterThan(600_000);
    });
  });

  test.each([
    ["/openai/v1/embeddings", { model: "text-embedding-3-small", input: "x" }, 0],
    ["/openai/v1/completions", { model: "gpt-3.5-turbo-instruct", prompt: "x" }, 16],
    ["/openai/v1/completions", { model: "m", prompt: [[1], [2]], n: 3, best_of: 5, max_tokens: 7 }, 70],
    ["/openai/v1/responses/compact", { model: "gpt-4o-mini", input: [] }, 32_000],
    ["/gemini/v1beta/models/gemini-embedding-001:embedContent", {}, 0],
    ["/openai/v1/moderations", { input: "x" }, 0],
  ])("of other work at %s is known before", (path, body, outputTokens) => {
    const worst = worstOf(path, body);
    expect(worst.outputTokens).toBe(outputTokens);
    expect(worst).not.toHaveProperty("isUnbounded");
  });

  test("of moderation is nothing at OpenAI itself, and at another address that of a prompt", () => {
    const moderation = (upstream: string) =>
      worstOf("/openai/v1/moderations", { model: "gpt-4o-mini", input: "x".repeat(400_000) }, { upstream });
    expect(moderation("openai")).toEqual({ inputTokens: 0, outputTokens: 0, costMicroUsd: 0 });
    for (const upstream of ["lab", "zai", "nobody"]) expect(moderation(upstream).inputTokens).toBeGreaterThan(100_000);
  });

  test.each([
    ["/openai/v1/audio/speech", { model: "tts-1", input: "x" }],
    ["/vertex/v1/projects/p/locations/l/publishers/google/models/imagen-4:predict", { instances: [] }],
  ])("of other work at %s is known to nobody", (path, body) => {
    expect(worstOf(path, body)).toMatchObject({ isUnbounded: true });
    expect(worstOf(path, body)).not.toHaveProperty("costMicroUsd");
  });
});
