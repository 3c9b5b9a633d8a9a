import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type {
  Budgets,
  CredentialLease,
  CredentialOutcome,
  Credentials,
  Reservation,
  Routing,
} from "../../gateway-types.ts";
import {
  ask,
  makersAt,
  startGateway,
  type TestGateway,
  type TestGatewayOptions,
  UPSTREAM_KEY,
} from "./gateway.testing.ts";
import { startUpstream, type TestUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const SSE = { "content-type": "text/event-stream" };
const JSON_TYPE = { "content-type": "application/json" };
const ANSWER = '{"model":"m","usage":{"input_tokens":1,"output_tokens":1}}';

async function upstreamWith(answer: Parameters<typeof startUpstream>[0]): Promise<TestUpstream> {
  const upstream = await startUpstream(answer);
  closing.push(upstream);
  return upstream;
}

async function gatewayFor(
  upstream: { readonly url: string },
  options: Omit<TestGatewayOptions, "env"> & { readonly env?: Record<string, string> } = {},
): Promise<TestGateway> {
  const gateway = await startGateway({
    ...options,
    env: {
      ...makersAt(upstream),
      LOOM_SERVER_COMPATIBLE_OTHER_BASE_URL: `${upstream.url}/other`,
      ...options.env,
    },
  });
  closing.push(gateway);
  return gateway;
}

const DIALECTS = {
  anthropic: {
    path: "/proxy/anthropic/v1/messages",
    body: { model: "claude-x", stream: true, messages: [] },
    first:
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n',
    last: 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    broken: /\n\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error","message":"[^"]+"\}\}\n\n$/,
  },
  chat: {
    path: "/proxy/openai/v1/chat/completions",
    body: { model: "gpt-x", stream: true, messages: [] },
    first: 'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n',
    last: 'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    broken: /\n\ndata: \{"error":\{"message":"[^"]+","type":"server_error","param":null,"code":"network"\}\}\n\n$/,
  },
  responses: {
    path: "/proxy/openai/v1/responses",
    body: { model: "gpt-x", stream: true, input: "Hi" },
    first: 'event: response.created\ndata: {"type":"response.created","response":{}}\n\n',
    last: 'event: response.completed\ndata: {"type":"response.completed","response":{"usage":{"input_tokens":1}}}\n\n',
    broken:
      /\n\nevent: response\.failed\ndata: \{"type":"response\.failed","response":\{.*"status":"failed".*\}\}\n\n$/,
  },
  gemini: {
    path: "/proxy/gemini/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
    body: { contents: [] },
    first: 'data: {"candidates":[{"content":{"parts":[{"text":"Hello"}]}}]}\n\n',
    last: 'data: {"candidates":[{"finishReason":"STOP"}]}\n\n',
    broken: /\n\n\{"error":\{"code":502,"message":"[^"]+","status":"UNAVAILABLE"\}\}\n$/,
  },
} as const;

function post(gateway: TestGateway, path: string, body: object) {
  return ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
}

describe.each(Object.entries(DIALECTS))("a stream of %s that breaks", (_name, { path, body, first, last, broken }) => {
  test.each([
    ["in the middle of an event", (response: import("node:http").ServerResponse) => void response.destroy()],
    ["by ending too early", (response: import("node:http").ServerResponse) => void response.end()],
  ])("%s ends with an error that its clients know", async (_how, end) => {
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, SSE);
      response.write(`${first}data: {"half`, () => setImmediate(() => end(response)));
    });
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, path, body);
    expect(answer.text).toMatch(broken);
    expect(answer.text).not.toContain("[DONE]");
    expect(answer.complete).toBe(true);
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({ outcome: "cut_off", errorCode: "network", estimated: true });
    expect(upstream.seen).toHaveLength(1);
  });

  test("only after its end is a whole one", async () => {
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, SSE);
      response.write(first + last, () => setImmediate(() => response.destroy()));
    });
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, path, body);
    expect(answer).toMatchObject({ text: first + last, complete: true });
    expect((await gateway.waitForEntries(1))[0]).toMatchObject({ outcome: "completed" });
  });

  test("by falling silent ends when the gap is over", async () => {
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, SSE);
      response.write(first);
    });
    const gateway = await gatewayFor(upstream, { env: { LOOM_SERVER_GAP_TIMEOUT: "0.2" } });
    const answer = await post(gateway, path, body);
    expect(answer.text).toMatch(/stopped in the middle of its answer for 0\.2 s/);
    expect(gateway.entries[0]).toMatchObject({ outcome: "cut_off", errorCode: "timeout" });
  });
});

test.each(["anthropic", "chat", "responses"] as const)(
  "a stream of %s is over soon after its end, although its connection stays open",
  async (dialect) => {
    const { path, body, first, last } = DIALECTS[dialect];
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, SSE);
      response.write(first, () => setImmediate(() => response.write(last)));
    });
    const gateway = await gatewayFor(upstream);
    expect(await post(gateway, path, body)).toMatchObject({ text: first + last, complete: true });
    expect((await gateway.waitForEntries(1))[0]).toMatchObject({ outcome: "completed" });
  },
);

describe("before anything was sent", () => {
  test("a provider that is silent is a time-out in the client's words", async () => {
    const upstream = await upstreamWith(() => {});
    const gateway = await gatewayFor(upstream, { env: { LOOM_SERVER_HEADERS_TIMEOUT: "0.2" } });
    const answer = await post(gateway, DIALECTS.anthropic.path, DIALECTS.anthropic.body);
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.text)).toMatchObject({ type: "error", error: { type: "timeout_error" } });
    expect(gateway.entries).toMatchObject([{ outcome: "failed", errorCode: "timeout", status: 504 }]);
  });

  test("so is one that sends a head and no event", async () => {
    const upstream = await upstreamWith((response) => void response.writeHead(200, SSE).flushHeaders());
    const gateway = await gatewayFor(upstream, { env: { LOOM_SERVER_FIRST_EVENT_TIMEOUT: "0.2" } });
    expect((await post(gateway, DIALECTS.chat.path, DIALECTS.chat.body)).status).toBe(504);
  });

  test("a provider's error passes as it came", async () => {
    const body = '{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"},"x":1.0}';
    const upstream = await upstreamWith((response) => {
      response.writeHead(429, { ...JSON_TYPE, "retry-after": "7", "x-new": "1" }).end(body);
    });
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, DIALECTS.anthropic.path, DIALECTS.anthropic.body);
    expect(answer).toMatchObject({ status: 429, text: body });
    expect(answer.headers).toMatchObject({ "retry-after": "7", "x-new": "1" });
    expect(gateway.entries).toMatchObject([{ outcome: "failed", errorCode: "rate_limited", status: 429, attempts: 1 }]);
  });

  test.each([401, 403])("a %i about the server's key is not the client's", async (status) => {
    const upstream = await upstreamWith((response, { headers }) => {
      response
        .writeHead(status, JSON_TYPE)
        .end(JSON.stringify({ error: { message: `bad key ${headers["x-api-key"]}` } }));
    });
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, DIALECTS.anthropic.path, DIALECTS.anthropic.body);
    expect(answer.status).toBe(502);
    expect(answer.headers["x-should-retry"]).toBe("false");
    expect(answer.text).not.toContain(UPSTREAM_KEY);
  });

  test("the key never passes, wherever a provider repeats it", async () => {
    const upstream = await upstreamWith((response, { headers }) => {
      const key = String(headers["x-api-key"]);
      response
        .writeHead(400, { ...JSON_TYPE, "x-echo": key })
        .end(JSON.stringify({ error: { message: `no: ${key}` } }));
    });
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, DIALECTS.anthropic.path, DIALECTS.anthropic.body);
    expect(answer.status).toBe(400);
    expect(answer.text + JSON.stringify(answer.headers)).not.toContain(UPSTREAM_KEY);
  });

  test("a redirect is not followed and not passed on", async () => {
    const upstream = await upstreamWith(
      (response) => void response.writeHead(307, { location: "http://169.254.169.254/" }).end(),
    );
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, DIALECTS.anthropic.path, DIALECTS.anthropic.body);
    expect(answer.status).toBe(502);
    expect(answer.headers).not.toHaveProperty("location");
    expect(upstream.seen).toHaveLength(1);
  });

  test("a connection that nobody accepts is tried once more", async () => {
    const gateway = await gatewayFor({ url: "http://127.0.0.1:1" });
    const answer = await post(gateway, DIALECTS.anthropic.path, DIALECTS.anthropic.body);
    expect(answer.status).toBe(502);
    expect(gateway.entries).toMatchObject([{ attempts: 2, errorCode: "network" }]);
  });
});

describe("what a provider may bill although there is no answer", () => {
  const QUESTION = { model: "gpt-5", messages: [{ role: "user", content: "x".repeat(4_000) }] };
  const TRANSLATED = { ...QUESTION, model: "anthropic/claude-opus-5", max_tokens: 100 };
  const CHAT = "/openai/v1/chat/completions";
  type Case = readonly [string, string, object, Parameters<typeof startUpstream>[0], boolean];
  const half: Case[3] = (response) =>
    void response.writeHead(200, { ...JSON_TYPE, "content-length": "20" }).end('{"model":"m","choice');
  const text: Case[3] = (response) => void response.writeHead(200, JSON_TYPE).end("Hm");
  const noStream: Case[3] = (response) => void response.writeHead(200, SSE).end("Hm");
  const page: Case[3] = (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>");
  const packedPage: Case[3] = (response) =>
    void response.writeHead(200, { ...JSON_TYPE, "content-encoding": "gzip" }).end(gzipSync("<html>Sign in</html>"));
  const health: Case[3] = (response) => {
    response.writeHead(200, JSON_TYPE);
    response.write('{"sta', () => setImmediate(() => response.end('tus":"ok","checks":[{"id":1}]}')));
  };
  const packedHealth: Case[3] = (response) =>
    void response.writeHead(200, { ...JSON_TYPE, "content-encoding": "gzip" }).end(gzipSync('{"status":"ok"}'));
  const otherEvents: Case[3] = (response) => {
    response.writeHead(200, SSE);
    response.write('data: {"status":"ok"}\n\n', () => setImmediate(() => response.end('data: {"x":1}\n\n')));
  };
  const cases: readonly Case[] = [
    ["half an answer", DIALECTS.chat.path, QUESTION, half, true],
    ["other JSON", DIALECTS.chat.path, QUESTION, health, false],
    ["other JSON, compressed", DIALECTS.chat.path, QUESTION, packedHealth, false],
    ["other JSON in place of a stream", DIALECTS.chat.path, { ...QUESTION, stream: true }, health, false],
    ["other JSON to translate", CHAT, TRANSLATED, health, false],
    ["other JSON in place of a stream to translate", CHAT, { ...TRANSLATED, stream: true }, health, false],
    ["other events", DIALECTS.chat.path, { ...QUESTION, stream: true }, otherEvents, false],
    ["other events to translate", CHAT, { ...TRANSLATED, stream: true }, otherEvents, false],
    ["half an answer to translate", CHAT, TRANSLATED, half, true],
    ["no answer", DIALECTS.chat.path, QUESTION, text, false],
    ["no answer to translate", CHAT, TRANSLATED, text, false],
    ["no stream", DIALECTS.chat.path, { ...QUESTION, stream: true }, noStream, false],
    ["no stream to translate", CHAT, { ...TRANSLATED, stream: true }, noStream, false],
    ["a web page", DIALECTS.chat.path, QUESTION, page, false],
    ["a web page to translate", CHAT, { ...TRANSLATED, stream: true }, page, false],
    ["a compressed web page that says it is JSON", DIALECTS.chat.path, QUESTION, packedPage, false],
    ["a compressed web page that says it is JSON, to translate", CHAT, TRANSLATED, packedPage, false],
    ["a connection that breaks", DIALECTS.chat.path, QUESTION, (response) => void response.destroy(), true],
    ["a refusal", DIALECTS.chat.path, QUESTION, (response) => void response.writeHead(400, JSON_TYPE).end("{}"), false],
  ];
  test.each(cases)("is estimated and charged: %s", async (_name, path, question, answer, isBilled) => {
    const settled: (number | undefined)[] = [];
    const budgets: Budgets = {
      reserve: () => {
        const settle: Reservation["settle"] = (actual) => void settled.push(actual?.costMicroUsd);
        return { ok: true, reservation: { settle, touch() {} }, headers: {} };
      },
    };
    const gateway = await gatewayFor(await upstreamWith(answer), { budgets });
    expect((await post(gateway, path, question)).status).toBeGreaterThanOrEqual(400);
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({ outcome: "failed", estimated: isBilled });
    expect((entry?.usage.inputTokens ?? 0) >= 1_000).toBe(isBilled);
    expect((entry?.costMicroUsd ?? 0) > 0).toBe(isBilled);
    expect(settled).toEqual([entry?.costMicroUsd]);
  });
});

function stepsRouting(...upstreams: readonly string[]): Routing {
  return {
    plan: ({ model }) => ({
      ok: true,
      steps: upstreams.map((upstream, index) => ({ upstream, model, reason: index === 0 ? "first" : "fallback" })),
    }),
    enter: () => true,
    report: () => {},
    aliases: () => [],
  };
}

describe("an attempt that another one took the place of", () => {
  const QUESTION = { model: "gpt-5", messages: [{ role: "user", content: "x".repeat(4_000) }] };

  test.each([
    ["broke off", "network", (response: import("node:http").ServerResponse) => void response.destroy()],
    [
      "was half an answer",
      "network",
      (response: import("node:http").ServerResponse) =>
        void response.writeHead(200, { ...JSON_TYPE, "content-length": "20" }).end('{"model":"m","choice'),
    ],
  ])("is charged and has a row of its own where it %s", async (_how, errorCode, lose) => {
    const upstream = await upstreamWith((response, { path }) => {
      if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end('{"choices":[],"usage":{}}');
      else lose(response);
    });
    const settled: (number | undefined)[] = [];
    let held = 0;
    const budgets: Budgets = {
      reserve: () => {
        held += 1;
        const settle: Reservation["settle"] = (actual) => {
          held -= 1;
          settled.push(actual?.costMicroUsd);
        };
        return { ok: true, reservation: { settle, touch() {} }, headers: {} };
      },
    };
    const gateway = await gatewayFor(upstream, { budgets, routing: stepsRouting("openai", "other") });
    expect(await post(gateway, "/openai/v1/chat/completions", QUESTION)).toMatchObject({ status: 200 });
    const [attempt, request] = await gateway.waitForEntries(2);
    expect(attempt).toMatchObject({ upstream: "openai", model: "gpt-5", route: "first", attempts: 1, estimated: true });
    expect(attempt).toMatchObject({ id: `${request?.id}.1`, outcome: "replaced", status: 0, errorCode });
    expect(attempt?.usage.inputTokens).toBeGreaterThanOrEqual(1_000);
    expect(attempt?.costMicroUsd).toBeGreaterThan(0);
    expect(request).toMatchObject({ upstream: "other", outcome: "completed", attempts: 2, status: 200 });
    expect(settled).toEqual([attempt?.costMicroUsd, request?.costMicroUsd]);
    expect(held).toBe(0);
  });

  test("is none where the provider refused it or was not there", async () => {
    const upstream = await upstreamWith((response, { path }) => {
      if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end('{"choices":[]}');
      else response.writeHead(529, JSON_TYPE).end("{}");
    });
    const env = { LOOM_SERVER_COMPATIBLE_NOWHERE_BASE_URL: "http://127.0.0.1:1/v1" };
    const gateway = await gatewayFor(upstream, { env, routing: stepsRouting("openai", "nowhere", "other") });
    await post(gateway, "/openai/v1/chat/completions", QUESTION);
    expect(await gateway.waitForEntries(1)).toMatchObject([{ upstream: "other", attempts: 3, outcome: "completed" }]);
  });
});

describe("another upstream", () => {
  test.each([
    ["is overloaded", 529, "{}", "overloaded"],
    ["does not know the model", 404, "{}", "unknown_model"],
    ["is in trouble", 500, "<html>", "overloaded"],
  ])("is asked where the first %s", async (_what, status, text, code) => {
    const upstream = await upstreamWith((response, { path }) => {
      if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end('{"choices":[]}');
      else response.writeHead(status, JSON_TYPE).end(text);
    });
    const gateway = await gatewayFor(upstream, { routing: stepsRouting("openai", "other") });
    const answer = await post(gateway, "/openai/v1/chat/completions", { model: "m", messages: [] });
    expect(answer).toMatchObject({ status: 200, text: '{"choices":[]}' });
    expect(answer.headers).toMatchObject({
      "x-loom-route": `other/m; fallback; fallback after ${code} of openai/m`,
      "x-loom-attempts": "2",
    });
    const route = `fallback; fallback after ${code} of openai/m`;
    expect(gateway.entries).toMatchObject([{ upstream: "other", route, attempts: 2, outcome: "completed" }]);
  });

  test.each([
    ["and has no other credential", stepsRouting("gemini", "anthropic"), "anthropic/m", "2"],
    ["and was alone", stepsRouting("anthropic"), "anthropic/m", "1"],
    ["and the next one is not there", stepsRouting("anthropic", "elsewhere"), "anthropic/m", "1"],
  ])("did not help where the last one refuses %s: what it did not hear of is named", async (_how, routing, ...said) => {
    const upstream = await upstreamWith((response) => void response.writeHead(429, JSON_TYPE).end("{}"));
    const gateway = await gatewayFor(upstream, { routing });
    const question = { model: "m", messages: [{ role: "user", content: "Hi" }], frequency_penalty: 1 };
    const { status, headers } = await post(gateway, "/openai/v1/chat/completions", question);
    expect([status, headers["x-loom-left-out"]]).toEqual([429, "frequency_penalty"]);
    const [route, attempts] = said;
    expect(headers).toMatchObject({ "x-loom-route": expect.stringMatching(`^${route}`), "x-loom-attempts": attempts });
  });

  test("has its own price held for it, although its model has the same name", async () => {
    const upstream = await upstreamWith((response, { path }) => {
      if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end('{"choices":[]}');
      else response.writeHead(529, JSON_TYPE).end("{}");
    });
    const held: (number | undefined)[] = [];
    const budgets: Budgets = {
      reserve({ worst }) {
        held.push(worst.costMicroUsd);
        return { ok: true, reservation: { settle() {}, touch() {} }, headers: {} };
      },
    };
    const gateway = await gatewayFor(upstream, { budgets, routing: stepsRouting("openai", "other") });
    await post(gateway, "/openai/v1/chat/completions", { model: "gpt-5", messages: [] });
    expect(held).toEqual([expect.any(Number), undefined]);
  });

  test.each([true, false])("is asked where the first has a web page for an answer ($0)", async (stream) => {
    const upstream = await upstreamWith((response, { path }) => {
      if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end('{"choices":[]}');
      else response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>Sign in</html>");
    });
    const gateway = await gatewayFor(upstream, { routing: stepsRouting("openai", "other") });
    const answer = await post(gateway, "/openai/v1/chat/completions", { model: "m", stream, messages: [] });
    expect(answer.text).not.toContain("Sign in");
    expect(answer.headers["x-loom-route"]).toContain("fallback after invalid_response of openai/m");
    const alone = await gatewayFor(upstream);
    expect((await post(alone, DIALECTS.chat.path, { model: "m", stream, messages: [] })).status).toBe(502);
    expect(alone.entries).toMatchObject([{ outcome: "failed", errorCode: "invalid_response" }]);
  });

  /** And whether a model may have been at work. */
  const NO_ANSWERS: readonly (readonly [string, object, string, boolean])[] = [
    ["plain text", { "content-type": "text/plain" }, "Service is starting.", false],
    ["plain text that says it is JSON", JSON_TYPE, "Service is starting.", false],
    ["a health check", JSON_TYPE, '{"status":"ok"}', false],
    ["somebody's greeting, in no hurry", {}, '\n{"message":"hello","version":{"id":1}}', false],
    ["an object with nothing in it", {}, "{ }", false],
    ["a list with nothing in it", JSON_TYPE, "[]\n", false],
    ["events of something else", SSE, 'data: {"status":"ok"}\n\ndata: {"status":"gone"}\n\n', false],
    ["no body", JSON_TYPE, "", true],
    ["no body and no type", {}, "", true],
    ["JSON that is cut", { ...JSON_TYPE, "content-length": "20" }, '{"model":"m","choice', true],
    ["a stream without an event", SSE, "", true],
  ];
  test.each(NO_ANSWERS)("is asked where the first has %s for an answer", async (_name, headers, body, isBilled) => {
    const upstream = await upstreamWith((response, { path }) => {
      if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end('{"choices":[]}');
      else response.writeHead(200, { ...headers }).end(body);
    });
    const question = { model: "m", messages: [] };
    const gateway = await gatewayFor(upstream, { routing: stepsRouting("openai", "other") });
    const answer = await post(gateway, "/openai/v1/chat/completions", question);
    expect(answer).toMatchObject({ status: 200, text: '{"choices":[]}' });
    expect(gateway.entries).toMatchObject([
      ...(isBilled ? [{ upstream: "openai", attempts: 1, outcome: "replaced" }] : []),
      { upstream: "other", attempts: 2, outcome: "completed" },
    ]);
    const alone = await gatewayFor(upstream);
    const refused = await post(alone, DIALECTS.chat.path, question);
    expect(refused.status).toBe(502);
    expect(refused.text).not.toContain("Service is starting");
    expect(alone.entries).toMatchObject([{ outcome: "failed", status: 502, estimated: isBilled }]);
  });

  test("hears of an answer in pieces that is cut, although its bytes had gone out; the row says so", async () => {
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, JSON_TYPE);
      response.write('{"model":"m","choices":[{"message":{"content":"He', () => response.end());
    });
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, DIALECTS.chat.path, { model: "m", messages: [] });
    expect([answer.status, answer.complete]).toEqual([200, false]);
    expect(await gateway.waitForEntries(1)).toMatchObject([
      { outcome: "cut_off", errorCode: "network", estimated: true },
    ]);
  });

  test.each([
    ["blanks around it", '\n {"choices":[]} \r\n'],
    ["a byte order mark before it", '\uFEFF{"choices":[]}'],
    ["a member that is there twice", '{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":1},"choices":[]}'],
    ["an array around it", '[{"candidates":[]}]'],
  ])("gets an answer with %s as it is", async (_name, text) => {
    const upstream = await upstreamWith((response) => response.writeHead(200, JSON_TYPE).end(text));
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, DIALECTS.chat.path, { model: "m", messages: [] });
    expect(answer).toMatchObject({ status: 200, text, complete: true });
    expect(gateway.entries).toMatchObject([{ outcome: "completed" }]);
  });

  test("is asked where a stream begins with an error", async () => {
    const upstream = await upstreamWith((response, { path }) => {
      response.writeHead(200, SSE);
      if (path.startsWith("/other")) response.end('data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
      else response.end('data: {"error":{"message":"Overloaded","type":"overloaded_error"}}\n\n');
    });
    const gateway = await gatewayFor(upstream, { routing: stepsRouting("openai", "other") });
    const answer = await post(gateway, "/openai/v1/chat/completions", { model: "m", stream: true, messages: [] });
    expect(answer.text).toContain("[DONE]");
    expect(answer.text).not.toContain("Overloaded");
  });

  test("reserves only when what the first held is released", async () => {
    const upstream = await upstreamWith((response, { path }) => {
      if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end('{"choices":[]}');
      else response.writeHead(529, JSON_TYPE).end("{}");
    });
    let [held, mostHeld, reserved] = [0, 0, 0];
    const budgets: Budgets = {
      reserve() {
        held += 1;
        reserved += 1;
        mostHeld = Math.max(mostHeld, held);
        let settled = false;
        const settle = (): void => {
          if (!settled) held -= 1;
          settled = true;
        };
        return { ok: true, headers: {}, reservation: { settle, touch: () => {} } };
      },
    };
    const routing: Routing = {
      plan: () => ({
        ok: true,
        steps: ["openai", "other"].map((name) => ({ upstream: name, model: `m-of-${name}`, reason: "step" })),
      }),
      enter: () => true,
      report: () => {},
      aliases: () => [],
    };
    const gateway = await gatewayFor(upstream, { routing, budgets });
    await post(gateway, "/openai/v1/chat/completions", { model: "m", messages: [] });
    await gateway.waitForEntries(1);
    expect({ held, mostHeld, reserved }).toEqual({ held: 0, mostHeld: 1, reserved: 2 });
  });

  test("is not asked once anything was sent", async () => {
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, SSE);
      response.write(DIALECTS.chat.first, () => setImmediate(() => response.destroy()));
    });
    const gateway = await gatewayFor(upstream, { routing: stepsRouting("openai", "other") });
    await post(gateway, "/openai/v1/chat/completions", { model: "m", stream: true, messages: [] });
    expect(upstream.seen).toHaveLength(1);
  });

  test("is not asked where the request itself is wrong", async () => {
    const upstream = await upstreamWith(
      (response) => void response.writeHead(400, JSON_TYPE).end('{"error":{"message":"no"}}'),
    );
    const gateway = await gatewayFor(upstream, { routing: stepsRouting("openai", "other") });
    expect((await post(gateway, "/openai/v1/chat/completions", { model: "m", messages: [] })).status).toBe(400);
    expect(upstream.seen).toHaveLength(1);
  });
});

describe("another credential", () => {
  function credentialsWith(ids: readonly string[]): {
    credentials: Credentials;
    outcomes: Record<string, CredentialOutcome[]>;
  } {
    const outcomes: Record<string, CredentialOutcome[]> = {};
    const leaseOf = (credentialId: string): CredentialLease => ({
      credentialId,
      headers: async () => ({ "x-api-key": `key-of-${credentialId}` }),
      report: (outcome) => {
        outcomes[credentialId] = [...(outcomes[credentialId] ?? []), outcome];
      },
    });
    const credentials: Credentials = {
      lease: (_upstream, { exclude }) => {
        const id = ids.find((candidate) => exclude?.includes(candidate) !== true);
        return id === undefined ? undefined : leaseOf(id);
      },
      health: () => ({ available: 0, coolingDown: 1, disabled: 0 }),
    };
    return { credentials, outcomes };
  }

  test.each([
    [429, '{"error":{"type":"rate_limit_error","message":"Your quota is used up"}}', true],
    [401, "{}", false],
  ])("is used where one gets a %i, and the pool is told once", async (status, text, quotaExhausted) => {
    const upstream = await upstreamWith((response, { headers }) => {
      if (headers["x-api-key"] === "key-of-b") response.writeHead(200, JSON_TYPE).end(ANSWER);
      else response.writeHead(status, JSON_TYPE).end(text);
    });
    const { credentials, outcomes } = credentialsWith(["a", "b"]);
    const gateway = await gatewayFor(upstream, { credentials });
    const answer = await post(gateway, DIALECTS.anthropic.path, { model: "claude-x", messages: [] });
    expect(answer).toMatchObject({ status: 200, text: ANSWER });
    expect(outcomes).toMatchObject({ a: [{ type: "failed", quotaExhausted }], b: [{ type: "ok" }] });
    expect(gateway.entries).toMatchObject([{ credentialId: "b", attempts: 2 }]);
  });

  test("that is not there leaves the provider's own words", async () => {
    const upstream = await upstreamWith(
      (response) => void response.writeHead(429, JSON_TYPE).end('{"error":{"message":"slow"}}'),
    );
    const { credentials } = credentialsWith(["a", "b"]);
    const gateway = await gatewayFor(upstream, { credentials });
    const answer = await post(gateway, DIALECTS.anthropic.path, { model: "claude-x", messages: [] });
    expect(answer).toMatchObject({ status: 429, text: '{"error":{"message":"slow"}}' });
    expect(upstream.seen).toHaveLength(2);
  });

  test("that never was there is said", async () => {
    const upstream = await upstreamWith(() => {});
    const { credentials } = credentialsWith([]);
    const gateway = await gatewayFor(upstream, { credentials });
    expect((await post(gateway, DIALECTS.anthropic.path, { model: "claude-x", messages: [] })).status).toBe(429);
  });
});
