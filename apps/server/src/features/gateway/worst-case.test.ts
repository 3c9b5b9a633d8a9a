import { expect, test } from "vitest";
import type { Admission, Budgets, WorstCase } from "../../gateway-types.ts";
import { ask, startGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

/** What is held for a request, in the order of the requests. */
async function held(requests: readonly (readonly [path: string, body: object])[]): Promise<WorstCase[]> {
  const upstream = await startUpstream((response) => void response.end("{}"));
  const reserved: WorstCase[] = [];
  const budgets: Budgets = {
    reserve({ worst }): Admission {
      reserved.push(worst);
      return { ok: true, reservation: { settle() {}, touch() {} }, headers: {} };
    },
  };
  const gateway = await startGateway({
    budgets,
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: "k",
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_OPENAI_API_KEY: "k",
      LOOM_SERVER_OPENAI_BASE_URL: upstream.url,
    },
  });
  for (const [path, body] of requests) {
    await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  }
  await gateway.close();
  await upstream.close();
  return reserved;
}

const MESSAGES = "/anthropic/v1/messages";
const CHAT = "/openai/v1/chat/completions";
const messages = [{ role: "user", content: "x".repeat(400_000) }];

test("a prompt is held at the price of a cache that keeps it for an hour, where there is such a price", async () => {
  const [claude] = await held([[MESSAGES, { model: "claude-haiku-4-5", max_tokens: 1_000, messages }]]);
  // 1 USD a million, 2 USD to keep it for an hour, 5 USD for output.
  expect(claude?.costMicroUsd).toBe(2 * (claude?.inputTokens ?? 0) + 5 * 1_000);
});

test("no more output is held than the model could give", async () => {
  const [huge, unbounded] = await held([
    [MESSAGES, { model: "claude-haiku-4-5", max_tokens: 100_000_000, messages }],
    [CHAT, { model: "anthropic/claude-haiku-4-5", messages }],
  ]);
  expect(huge?.outputTokens).toBe(200_000);
  expect(unbounded?.outputTokens).toBe(32_000);
});

test("a model without a price has no cost, which is not the same as none", async () => {
  const [unknown] = await held([[CHAT, { model: "openai/nobody-knows-it", messages }]]);
  expect(unknown).toEqual({ inputTokens: expect.any(Number), outputTokens: 32_000 });
});
