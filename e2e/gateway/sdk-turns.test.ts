import { type ScriptedModel, startScriptedModel } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoomServer, startLoomServer } from "./loom-server.testing.ts";
import {
  CALLS,
  createScriptedTurns,
  FORECAST,
  GREETING,
  PROMPT,
  SEAL,
  THOUGHT,
  USAGE,
} from "./scripted-turns.testing.ts";
import { PNG, type SdkClient } from "./sdk/sdk-client.testing.ts";
import { clientOf, SDKS, type SdkName } from "./sdk/sdks.testing.ts";

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

type Target = { readonly model: string; readonly at: string; readonly path?: string };

/** One model of every provider, and at which of its doors it has to be asked. */
const TARGETS: readonly Target[] = [
  { model: "claude-sonnet-5", at: "/v1/messages" },
  { model: "gpt-5.4", at: "/v1/responses" },
  // Of the version that the client names, if it is one of Gemini.
  { model: "gemini-3.1-pro-preview", at: "/models/gemini-3.1-pro-preview:" },
  { model: "zai/glm-5.3", at: "/api/" },
  { model: "local/qwen3", at: "/v1/chat/completions" },
  { model: "vertex/gemini-3.1-pro-preview", at: "/publishers/google/models/gemini-3.1-pro-preview" },
  { model: "vertex/claude-sonnet-5", at: "/publishers/anthropic/models/claude-sonnet-5" },
];

const PAIRS = SDKS.flatMap((sdk) =>
  TARGETS.flatMap(({ model, at: usual }) => {
    // OpenAI speaks the other of its dialects, too, with those who do.
    const at = sdk === "chat" && model === "gpt-5.4" ? "/v1/chat/completions" : usual;
    return [true, false].map((stream) => ({ model, at, sdk, stream, path: undefined }));
  }),
);

/** The provider's own path, where the provider's own SDK belongs. */
const NATIVE = [
  { sdk: "anthropic", path: "/proxy/anthropic", model: "claude-sonnet-5", at: "/v1/messages" },
  { sdk: "chat", path: "/proxy/openai/v1", model: "gpt-5.4", at: "/v1/chat/completions" },
  { sdk: "responses", path: "/proxy/openai/v1", model: "gpt-5.4", at: "/v1/responses" },
  { sdk: "google", path: "/proxy/gemini", model: "gemini-3.1-pro-preview", at: "/models/gemini-3.1-pro-preview:" },
  { sdk: "chat", path: "/proxy/zai/api/paas/v4", model: "glm-5.3", at: "/api/paas/v4/chat/completions" },
  { sdk: "anthropic", path: "/proxy/zai/api/anthropic", model: "glm-5.3", at: "/api/anthropic/v1/messages" },
  { sdk: "chat", path: "/proxy/local/v1", model: "qwen3", at: "/v1/chat/completions" },
] as const;

const NATIVE_PAIRS = NATIVE.flatMap((pair) => [true, false].map((stream) => ({ ...pair, stream })));

function clientFor({ sdk, path }: { readonly sdk: SdkName; readonly path: string | undefined }): SdkClient {
  return clientOf(sdk, { url: server.url, token: server.token, path });
}

function lastBody(): string {
  return JSON.stringify(model.requests.at(-1)?.body);
}

describe.each([...NATIVE_PAIRS, ...PAIRS])("$sdk on $model (stream: $stream, path: $path)", (pair) => {
  const { stream } = pair;

  test("hears the text, its end and its counts", async () => {
    const heard = await clientFor(pair).ask({ model: pair.model, prompt: PROMPT.greet, stream });
    expect(heard).toMatchObject({
      text: GREETING,
      stop: "end",
      calls: [],
      usage: { input: USAGE.inputTokens + USAGE.cacheReadTokens, output: USAGE.outputTokens, cacheRead: 30 },
    });
    expect(model.requests.at(-1)?.path).toContain(pair.at);
  });

  test("gets two calls at once and sends their results back, with the model's own thoughts", async () => {
    const ask = { model: pair.model, prompt: PROMPT.tools, stream, withTools: true, withThinking: true };
    const heard = await clientFor(pair).ask(ask);
    expect(heard).toMatchObject({ stop: "tools", text: "Let me see.", calls: CALLS });
    if (pair.sdk !== "chat") expect(heard.thinking).toBe(THOUGHT);
    if (stream) expect(heard.argumentPieces).toBeGreaterThanOrEqual(2);
    const then = await heard.reply(({ name }) => `result of ${name}`);
    expect(then).toMatchObject({
      text: "get_weather: result of get_weather; get_time: result of get_time",
      stop: "end",
    });
    const [last] = model.requests.slice(-1);
    expect(last?.conversation?.toolResults.map(({ input }) => input)).toEqual(CALLS.map(({ input }) => input));
    if (/claude|gemini/.test(pair.model) || pair.at === "/v1/responses") expect(lastBody()).toContain(SEAL);
  });

  test("shows a picture", async () => {
    const heard = await clientFor(pair).ask({ model: pair.model, prompt: PROMPT.picture, stream, withImage: true });
    expect(heard.text).toBe(`I see image/png of ${PNG.length}.`);
  });

  test("asks for an answer by a schema", async () => {
    const heard = await clientFor(pair).ask({ model: pair.model, prompt: PROMPT.forecast, stream, withSchema: true });
    expect(JSON.parse(heard.text)).toEqual(FORECAST);
    expect(lastBody()).toContain('"degrees":{"type":"integer"}');
  });

  test("learns that an answer was cut at its bound", async () => {
    const heard = await clientFor(pair).ask({ model: pair.model, prompt: PROMPT.endless, stream });
    expect(heard).toMatchObject({ stop: "length", text: "And on" });
    expect(model.requests.at(-1)?.conversation?.maxTokens).toBe(4_096);
  });
});
