import Anthropic from "@anthropic-ai/sdk";
import { type ScriptedModel, startScriptedModel } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoomServer, startLoomServer } from "./loom-server.testing.ts";
import { createScriptedTurns, GREETING, PROMPT, USAGE } from "./scripted-turns.testing.ts";
import { anthropicSdk } from "./sdk/anthropic.testing.ts";
import { clientOf, MODELS_OF, SDKS } from "./sdk/sdks.testing.ts";

let model: ScriptedModel;
let server: LoomServer;
beforeAll(async () => {
  model = await startScriptedModel({ script: createScriptedTurns() });
  server = await startLoomServer(model.url);
});
afterAll(async () => {
  await server.close();
  await model.close();
});

function clientAt(sdk: (typeof SDKS)[number], path?: string) {
  return clientOf(sdk, { url: server.url, token: server.token, path });
}

describe("the list of models", () => {
  test.each(SDKS)("names, for %s, the aliases and the models of every provider", async (sdk) => {
    const models = await clientAt(sdk).models();
    expect(models).toEqual(
      expect.arrayContaining(["default", "fast", "anthropic/claude-sonnet-5", "openai/gpt-5.4", "zai/glm-5.3"]),
    );
    for (const name of models) await clientAt(sdk).ask({ model: name, prompt: PROMPT.greet, stream: false });
  });

  test.each([
    ["anthropic", "/proxy/anthropic"],
    ["chat", "/proxy/openai/v1"],
    ["google", "/proxy/gemini"],
  ] as const)("is, for %s at %s, the provider's own", async (sdk, path) => {
    expect(await clientAt(sdk, path).models()).toEqual(["scripted-model"]);
  });
});

describe("tokens are counted", () => {
  test.each([
    ["anthropic", "/proxy/anthropic"],
    ["google", "/proxy/gemini"],
  ] as const)("for %s by its own provider", async (sdk, path) => {
    const before = model.requests.length;
    expect(await clientAt(sdk, path).countTokens?.(MODELS_OF[sdk][0], "Hello")).toBeGreaterThan(0);
    expect(model.requests.length).toBe(before + 1);
  });

  test.each(["anthropic", "google"] as const)("for %s roughly, where the model's provider cannot", async (sdk) => {
    const before = model.requests.length;
    const [short = 0, long = 0] = await Promise.all(
      [10, 4_000].map((length) => clientAt(sdk).countTokens?.("gpt-5.4", "x".repeat(length))),
    );
    expect(long - short).toBeGreaterThan(900);
    expect(model.requests.length).toBe(before);
  });
});

test("a token works in each header that an SDK has for one", async () => {
  const baseURL = `${server.url}/anthropic`;
  for (const access of [
    { apiKey: server.token, authToken: null },
    { apiKey: null, authToken: server.token },
  ]) {
    const client = new Anthropic({ baseURL, maxRetries: 0, ...access });
    const heard = await anthropicSdk(client).ask({ model: "default", prompt: PROMPT.greet, stream: false });
    expect(heard.text).toBe(GREETING);
  }
  const url = `${server.url}/gemini/v1beta/models/fast:generateContent?key=${server.token}`;
  const body = JSON.stringify({ contents: [{ parts: [{ text: PROMPT.greet }] }] });
  expect(await (await fetch(url, { method: "POST", body })).text()).toContain(GREETING);
});

test("the ledger knows each SDK by its product, and what it used and cost", async () => {
  const token = await server.createToken({ name: "ledger-test" });
  for (const sdk of SDKS) {
    const client = clientOf(sdk, { url: server.url, token });
    for (const stream of [true, false]) await client.ask({ model: MODELS_OF[sdk][0], prompt: PROMPT.greet, stream });
  }
  const { groups } = await server.usage("groupBy=client&subject=ledger-test");
  expect(groups.map(({ key }) => key[0]).sort()).toEqual([
    expect.stringMatching(/^Anthropic\/JS/),
    expect.stringMatching(/^OpenAI\/JS/),
    expect.stringMatching(/^google-genai-sdk\/3/),
  ]);
  for (const group of groups) {
    const tokens = { input: USAGE.inputTokens * group.requests, output: USAGE.outputTokens * group.requests };
    expect(group).toMatchObject({ errors: 0, unpriced: 0, tokens });
    expect(group.costMicroUsd).toBeGreaterThan(0);
  }
});
