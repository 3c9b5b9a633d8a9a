import { loadCatalogue } from "@loom/llm";
import { beforeAll, describe, expect, test } from "vitest";
import type { Prices } from "../ledger/prices.ts";
import type { Asked } from "./passage.ts";
import { readQuestion } from "./question.ts";
import { type Target, targetOfProxy } from "./target.ts";
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

function worstOf(path: string, body: object) {
  const target = targetOfProxy(path, "", (name) => name as "openai") as Target;
  const bytes = Buffer.from(JSON.stringify(body));
  const question = target.operation === "use" ? readUse(target, bytes) : readQuestion(target, bytes);
  const call = { incoming: { method: "POST" } };
  const step = { upstream: target.upstream ?? "", model: question.model, reason: "test" };
  return worstCase({ target, question, call } as unknown as Asked, step, prices);
}

describe("the worst case", () => {
  const chat = (fields: object) => worstOf("/openai/v1/chat/completions", { model: "gpt-4o-mini", ...fields });

  test("is that of all answers together", () => {
    expect(chat({ max_tokens: 16_000, n: 125 })).toMatchObject({ outputTokens: 2_000_000, costMicroUsd: 1_200_002 });
    expect(chat({ n: 4 }).outputTokens).toBe(128_000);
    const config = { maxOutputTokens: 1_000, candidateCount: 8 };
    const gemini = worstOf("/gemini/v1beta/models/gemini-2.5-pro:generateContent", { generationConfig: config });
    expect(gemini.outputTokens).toBe(8_000);
  });

  test("is that of the larger of two bounds, each answer no longer than the model can write", () => {
    expect(chat({ max_completion_tokens: 1, max_tokens: 100_000 }).outputTokens).toBe(100_000);
    expect(chat({ max_tokens: 100_000, max_completion_tokens: 1 }).outputTokens).toBe(100_000);
    expect(chat({ max_tokens: 1_000_000, n: 2 }).outputTokens).toBe(256_000);
  });

  test("is that of the least bound that every dialect takes", () => {
    expect(worstOf("/openai/v1/messages", { model: "gpt-5.4", max_tokens: 1 }).outputTokens).toBe(16);
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

  test.each([
    ["/openai/v1/audio/speech", { model: "tts-1", input: "x" }],
    ["/vertex/v1/projects/p/locations/l/publishers/google/models/imagen-4:predict", { instances: [] }],
  ])("of other work at %s is known to nobody", (path, body) => {
    expect(worstOf(path, body)).toMatchObject({ isUnbounded: true });
    expect(worstOf(path, body)).not.toHaveProperty("costMicroUsd");
  });
});
