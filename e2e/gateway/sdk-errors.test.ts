import Anthropic from "@anthropic-ai/sdk";
import { ApiError } from "@google/genai";
import { type ScriptedModel, startScriptedModel } from "@loom/testkit";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type LoomServer, PROVIDER_KEYS, startLoomServer } from "./loom-server.testing.ts";
import { createScriptedTurns, GREETING, PROMPT, RETRY_AFTER_SECONDS } from "./scripted-turns.testing.ts";
import { anthropicOptions } from "./sdk/anthropic.testing.ts";
import { googleClient } from "./sdk/google-genai.testing.ts";
import { openAiClient } from "./sdk/openai-chat.testing.ts";
import { clientOf, MODELS_OF, SDKS, type SdkName } from "./sdk/sdks.testing.ts";

let model: ScriptedModel;
/** Where no provider ever fails. */
let server: LoomServer;
/** Each with a failure of its own: a server remembers who failed it, and asks them no more for a while. */
let rushed: LoomServer;
let overloaded: LoomServer;
let broken: LoomServer;
beforeAll(async () => {
  model = await startScriptedModel({ script: createScriptedTurns() });
  [server, rushed, overloaded, broken] = await Promise.all([
    startLoomServer(model.url),
    startLoomServer(model.url),
    startLoomServer(model.url),
    startLoomServer(model.url),
  ]);
});
afterAll(async () => {
  for (const each of [server, rushed, overloaded, broken]) await each.close();
  await model.close();
});

/** The class that the SDK has for a status; one class for all of Google's. */
const CLASSES = {
  400: [Anthropic.BadRequestError, OpenAI.BadRequestError],
  401: [Anthropic.AuthenticationError, OpenAI.AuthenticationError],
  402: [Anthropic.APIError, OpenAI.APIError],
  403: [Anthropic.PermissionDeniedError, OpenAI.PermissionDeniedError],
  404: [Anthropic.NotFoundError, OpenAI.NotFoundError],
  429: [Anthropic.RateLimitError, OpenAI.RateLimitError],
  503: [Anthropic.InternalServerError, OpenAI.InternalServerError],
} as const;

type Raised = Error & { readonly status?: number; readonly headers?: Headers };

async function raised(promise: Promise<unknown>): Promise<Raised> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("Nothing was raised.");
}

function expectClass(error: Raised, sdk: SdkName, status: keyof typeof CLASSES): void {
  const [anthropic, openAi] = CLASSES[status];
  expect(error).toBeInstanceOf(sdk === "google" ? ApiError : sdk === "anthropic" ? anthropic : openAi);
}

const CASES = SDKS.flatMap((sdk) =>
  MODELS_OF[sdk].flatMap((name) => [true, false].map((stream) => ({ sdk, name, stream }))),
);

describe.each(CASES)("$sdk on $name (stream: $stream)", ({ sdk, name, stream }) => {
  function failing(prompt: string, { url, token }: { url: string; token: string } = server): Promise<Raised> {
    return raised(clientOf(sdk, { url, token }).ask({ model: name, prompt, stream }));
  }

  test("raises its own error for a provider's rate limit, with the time to wait", async () => {
    const error = await failing(PROMPT.tooFast, rushed);
    expectClass(error, sdk, 429);
    expect(error.status).toBe(429);
    if (sdk === "google") return;
    // As the provider said it, and less of it as long as Loom itself says it.
    const seconds = Number(error.headers?.get("retry-after"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(RETRY_AFTER_SECONDS);
  });

  test("raises its own error for a model that the provider does not have", async () => {
    const error = await failing(PROMPT.unknownModel);
    expectClass(error, sdk, 404);
    expect(error.status).toBe(404);
  });

  test("raises its own error for a provider that is overloaded", async () => {
    const error = await failing(PROMPT.overloaded, overloaded);
    expectClass(error, sdk, 503);
    expect(error.status).toBeGreaterThanOrEqual(500);
  });

  test("raises its own error for a wrong token, and says nothing of it", async () => {
    const error = await failing(PROMPT.greet, { url: server.url, token: "lt_wrong-token-0123456789" });
    expectClass(error, sdk, 401);
    expect(error.status).toBe(401);
    expect(error.message).not.toContain("lt_wrong-token-0123456789");
  });

  test("is told whose money is used up, before anybody is asked", async () => {
    const token = await server.createToken({
      name: `poor-${sdk}-${name.slice(0, 3)}-${stream}`,
      limits: { totalMicroUsd: 1 },
    });
    const before = model.requests.length;
    const error = await failing(PROMPT.greet, { url: server.url, token });
    expectClass(error, sdk, 402);
    expect(error).toMatchObject({ status: 402, message: expect.stringContaining("total") });
    expect(model.requests).toHaveLength(before);
  });

  test("is told when a token may ask again", async () => {
    const token = await server.createToken({
      name: `slow-${sdk}-${name.slice(0, 3)}-${stream}`,
      limits: { requestsPerMinute: 1 },
    });
    const client = clientOf(sdk, { url: server.url, token });
    await client.ask({ model: name, prompt: PROMPT.greet, stream });
    const error = await failing(PROMPT.greet, { url: server.url, token });
    expectClass(error, sdk, 429);
    if (sdk !== "google") expect(Number(error.headers?.get("retry-after"))).toBeGreaterThan(0);
  });

  test("never hears the key that was used for it", async () => {
    const errors = await Promise.all([
      failing(PROMPT.tooFast, rushed),
      failing(PROMPT.unknownModel),
      failing(PROMPT.overloaded, overloaded),
    ]);
    const heard = errors.map((error) => `${error.message} ${JSON.stringify(error)} ${[...(error.headers ?? [])]}`);
    for (const key of Object.values(PROVIDER_KEYS)) expect(heard.join()).not.toContain(key);
  });

  test("takes an answer that breaks off for no answer", async () => {
    const pieces: string[] = [];
    const client = clientOf(sdk, broken);
    const onText = (piece: string) => void pieces.push(piece);
    await expect(client.ask({ model: name, prompt: PROMPT.breakOff, stream, onText })).rejects.toThrow();
    expect(pieces.join("")).not.toBe(GREETING);
  });
});

describe("an SDK's own second try", () => {
  let before = 0;
  beforeEach(() => {
    before = model.requests.length;
  });
  const tries = () => model.requests.length - before;

  test.each(MODELS_OF.anthropic)("of Anthropic's gets an answer of %s", async (name) => {
    const client = new Anthropic({
      ...anthropicOptions({ baseUrl: `${server.url}/anthropic`, token: server.token }),
      maxRetries: 2,
    });
    const messages = [{ role: "user" as const, content: PROMPT.tooFastOnce }];
    const { content } = await client.messages.create({ model: name, max_tokens: 99, messages });
    expect(content).toMatchObject([{ type: "text", text: GREETING }]);
    expect(tries()).toBe(2);
  });

  test.each(MODELS_OF.chat)("of OpenAI's gets an answer of %s", async (name) => {
    const client = openAiClient({ baseUrl: `${server.url}/openai/v1`, token: server.token }).withOptions({
      maxRetries: 2,
    });
    const messages = [{ role: "user" as const, content: PROMPT.tooFastOnce }];
    const { choices } = await client.chat.completions.create({ model: name, messages });
    expect(choices[0]?.message.content).toBe(GREETING);
    const { output_text } = await client.responses.create({ model: name, input: PROMPT.tooFastOnce });
    expect(output_text).toBe(GREETING);
    expect(tries()).toBe(4);
  });

  test.each(MODELS_OF.google)("of Google's gets an answer of %s", async (name) => {
    const client = googleClient({ baseUrl: `${server.url}/gemini`, token: server.token });
    const httpOptions = { retryOptions: { attempts: 2, initialDelay: 0.01 } };
    const answer = await client.models.generateContent({
      model: name,
      contents: PROMPT.tooFastOnce,
      config: { httpOptions },
    });
    expect(answer.text).toBe(GREETING);
    expect(tries()).toBe(2);
  });
});
