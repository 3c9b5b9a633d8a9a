import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Budgets } from "../../gateway-types.ts";
import { ask, startGateway, type TestGateway } from "../gateway/gateway.testing.ts";
import { type SeenRequest, startUpstream } from "../gateway/upstream.testing.ts";
import { BREAKER_OPTIONS } from "./breaker.ts";
import type { NamedRoute } from "./route-table.ts";
import { environmentOf, routingOf, to, type Upstreams } from "./routing.testing.ts";

const JSON_TYPE = { "content-type": "application/json" };
const SSE = { "content-type": "text/event-stream" };
const MESSAGE =
  '{"id":"m","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"from anthropic"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}';
const COMPLETION =
  '{"id":"c","object":"chat.completion","model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"from openai"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}';
const CANDIDATE =
  '{"candidates":[{"content":{"role":"model","parts":[{"text":"from gemini"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}';

type Respond = (response: ServerResponse, request: SeenRequest) => void;

const answering = {
  anthropic: ((response) => void response.writeHead(200, JSON_TYPE).end(MESSAGE)) as Respond,
  openai: ((response) => void response.writeHead(200, JSON_TYPE).end(COMPLETION)) as Respond,
  gemini: ((response) => void response.writeHead(200, JSON_TYPE).end(CANDIDATE)) as Respond,
};

function refusing(status: number, body = "{}"): Respond {
  return (response) => void response.writeHead(status, JSON_TYPE).end(body);
}

let behave: { anthropic: Respond; openai: Respond; gemini: Respond };
let upstreams: Upstreams;
const closing: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  behave = { ...answering };
  upstreams = {
    anthropic: await startUpstream((response, request) => behave.anthropic(response, request)),
    openai: await startUpstream((response, request) => behave.openai(response, request)),
    gemini: await startUpstream((response, request) => behave.gemini(response, request)),
  };
  closing.push(...Object.values(upstreams));
});
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function gatewayWith(
  routes: readonly NamedRoute[],
  options: { readonly now?: () => number; readonly budgets?: Budgets } = {},
): Promise<TestGateway> {
  const env = environmentOf(upstreams);
  const { budgets } = options;
  const routing = await routingOf(env, routes, options);
  const gateway = await startGateway({ env, routing, ...(budgets === undefined ? {} : { budgets }) });
  closing.push(gateway);
  return gateway;
}

function chat(gateway: TestGateway, body: object = {}, headers: Record<string, string> = {}) {
  return ask(`${gateway.url}/openai/v1/chat/completions`, {
    body: { model: "oracle", messages: [{ role: "user", content: "Hello" }], ...body },
    headers: { authorization: `Bearer ${gateway.token}`, ...headers },
  });
}

const ORACLE: NamedRoute = { name: "oracle", definition: to("anthropic/claude-x", "openai/gpt-x", "gemini/gemini-x") };

describe("a chain of models", () => {
  test("goes on across dialects, and says so in the answer and in the ledger", async () => {
    behave.anthropic = refusing(529);
    const gateway = await gatewayWith([ORACLE]);
    const answer = await chat(gateway);
    expect(answer).toMatchObject({ status: 200, text: COMPLETION });
    const reason = "alias oracle; fallback after overloaded of anthropic/claude-x";
    expect(answer.headers).toMatchObject({ "x-loom-route": `openai/gpt-x; ${reason}`, "x-loom-attempts": "2" });
    expect(upstreams.anthropic.seen[0]?.path).toBe("/v1/messages");
    expect(JSON.parse(String(upstreams.openai.seen[0]?.body))).toMatchObject({ model: "gpt-x" });
    expect(await gateway.waitForEntries(1)).toMatchObject([
      { requestedModel: "oracle", upstream: "openai", route: reason, attempts: 2, outcome: "completed" },
    ]);
  });

  test.each([
    ["overloaded", refusing(529)],
    ["in trouble", refusing(500, "<html>")],
    ["limiting the rate", refusing(429)],
    ["not willing to take the key", refusing(401)],
    ["without the model", refusing(404)],
    ["cut off", (response: ServerResponse) => void response.destroy()],
  ])("goes on where a provider is %s", async (_what, respond) => {
    behave.anthropic = respond;
    behave.openai = respond;
    const gateway = await gatewayWith([ORACLE]);
    const answer = await chat(gateway, { stream: false });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain("from gemini");
    expect([upstreams.anthropic, upstreams.openai, upstreams.gemini].map(({ seen }) => seen.length)).toEqual([1, 1, 1]);
    expect(answer.headers["x-loom-attempts"]).toBe("3");
  });

  test.each([
    ["an HTTP error", refusing(529)],
    [
      "an event",
      (response: ServerResponse) =>
        void response
          .writeHead(200, SSE)
          .end('event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'),
    ],
  ])("goes on where a stream begins with %s", async (_how, respond) => {
    const stream =
      'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
    behave.anthropic = respond;
    const output = [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi" }] }];
    const done = { type: "response.completed", response: { status: "completed", model: "gpt-x", output } };
    const other = `data: ${JSON.stringify(done)}\n\n`;
    behave.openai = (response, { path }) =>
      void response.writeHead(200, SSE).end(path.endsWith("/responses") ? other : stream);
    const gateway = await gatewayWith([ORACLE]);
    const answer = await chat(gateway, { stream: true });
    expect(answer.text).toBe(stream);
    expect(answer.headers["x-loom-route"]).toContain("fallback after overloaded of anthropic/claude-x");
    const messages = await ask(`${gateway.url}/anthropic/v1/messages`, {
      body: { model: "oracle", stream: true, max_tokens: 9, messages: [{ role: "user", content: "Hello" }] },
      headers: { "x-api-key": gateway.token },
    });
    expect(messages.text).toContain("event: message_stop");
    expect(messages.text).toContain("Hi");
    expect(messages.text).not.toContain("Overloaded");
  });

  test("goes on where something else than a provider answers", async () => {
    behave.anthropic = (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>");
    const gateway = await gatewayWith([ORACLE]);
    const answer = await chat(gateway);
    expect(answer.text).toBe(COMPLETION);
    expect(answer.headers["x-loom-route"]).toContain("fallback after invalid_response of anthropic/claude-x");
  });

  test("goes on where a provider falls silent, after the time that the route gives it", async () => {
    behave.anthropic = () => {};
    const gateway = await gatewayWith([
      { name: "oracle", definition: { ...ORACLE.definition, timeouts: { headers: 1, complete: 1 } } },
    ]);
    const answer = await chat(gateway);
    expect(answer).toMatchObject({ status: 200, text: COMPLETION });
    expect(answer.headers["x-loom-route"]).toContain("fallback after timeout of anthropic/claude-x");
  });

  test.each([
    ["is wrong", 400, '{"error":{"message":"no such field"}}'],
    ["breaks the provider's rules", 400, '{"error":{"code":"content_policy_violation","message":"no"}}'],
    ["is too large", 413, "{}"],
  ])("ends where the request itself %s", async (_what, status, body) => {
    behave.openai = refusing(status, body);
    const gateway = await gatewayWith([{ name: "oracle", definition: to("openai/gpt-x", "gemini/gemini-x") }]);
    expect(await chat(gateway)).toMatchObject({ status, text: body });
    expect(upstreams.gemini.seen).toHaveLength(0);
  });

  test.each([
    ["larger", "gemini/gemini-2.5-flash", 200],
    ["of unknown size", "gemini/gemini-of-nobody", 400],
  ])(
    "a prompt that does not fit goes on to a model only if that is known to be larger (%s)",
    async (_how, next, status) => {
      behave.openai = refusing(400, '{"error":{"code":"context_length_exceeded","message":"too long"}}');
      const gateway = await gatewayWith([{ name: "oracle", definition: to("openai/gpt-4o", next) }]);
      const answer = await chat(gateway);
      expect(answer.status).toBe(status);
      expect(upstreams.gemini.seen).toHaveLength(status === 200 ? 1 : 0);
      if (status === 200) expect(answer.headers["x-loom-route"]).toContain("openai/gpt-4o was too small");
    },
  );

  test("ends with the first byte that the client got", async () => {
    behave.openai = (response) => {
      response.writeHead(200, SSE);
      response.write('data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n', () =>
        setImmediate(() => response.destroy()),
      );
    };
    const gateway = await gatewayWith([{ name: "oracle", definition: to("openai/gpt-x", "gemini/gemini-x") }]);
    const answer = await chat(gateway, { stream: true });
    expect(answer.text).toContain('"code":"network"');
    expect(upstreams.gemini.seen).toHaveLength(0);
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "cut_off", attempts: 1 }]);
  });

  test("asks nobody twice, and tells what the last one said", async () => {
    for (const name of ["anthropic", "openai", "gemini"] as const) behave[name] = refusing(529);
    const gateway = await gatewayWith([ORACLE]);
    const answer = await chat(gateway);
    expect(answer.status).toBe(503);
    expect(answer.headers["x-loom-attempts"]).toBe("3");
    expect([upstreams.anthropic, upstreams.openai, upstreams.gemini].map(({ seen }) => seen.length)).toEqual([1, 1, 1]);
  });

  test("passes over a model in whose dialect the request cannot be said", async () => {
    const gateway = await gatewayWith([ORACLE]);
    const answer = await chat(gateway, { response_format: { type: "json_object" } });
    expect(answer).toMatchObject({ status: 200, text: COMPLETION });
    expect(upstreams.anthropic.seen).toHaveLength(0);
    expect(answer.headers).toMatchObject({ "x-loom-route": "openai/gpt-x; alias oracle", "x-loom-attempts": "1" });
  });
});

describe("whoever may not use a model", () => {
  const only = (allowed: string): Budgets => ({
    reserve: ({ model }) =>
      model === allowed
        ? { ok: true, headers: {}, reservation: { settle: () => {}, touch: () => {} } }
        : { ok: false, reason: "model", message: "Not this model.", headers: {} },
  });

  test("gets the first of the chain that is allowed", async () => {
    const gateway = await gatewayWith([ORACLE], { budgets: only("gpt-x") });
    const answer = await chat(gateway);
    expect(answer).toMatchObject({ status: 200, text: COMPLETION });
    expect(answer.headers["x-loom-attempts"]).toBe("1");
    expect(upstreams.anthropic.seen).toHaveLength(0);
  });

  test("hears what was wrong with the one that is, or that none is", async () => {
    behave.anthropic = refusing(529);
    const one = await chat(await gatewayWith([ORACLE], { budgets: only("claude-x") }));
    expect(one.status).toBe(503);
    expect(one.headers).toMatchObject({ "x-loom-route": "anthropic/claude-x; alias oracle", "x-loom-attempts": "1" });
    expect(upstreams.openai.seen).toHaveLength(0);
    expect((await chat(await gatewayWith([ORACLE], { budgets: only("none") }))).status).toBe(403);
  });
});

test("a model that is limited leaves the provider's other models", async () => {
  behave.openai = (response, { body }) => {
    if (body.includes("gpt-large")) response.writeHead(429, JSON_TYPE).end("{}");
    else response.writeHead(200, JSON_TYPE).end(COMPLETION);
  };
  const gateway = await gatewayWith([{ name: "oracle", definition: to("openai/gpt-large", "openai/gpt-small") }]);
  const answer = await chat(gateway);
  expect(answer.headers["x-loom-route"]).toBe(
    "openai/gpt-small; alias oracle; fallback after rate_limited of openai/gpt-large",
  );
});

describe("the same provider", () => {
  const ONLY: NamedRoute = { name: "oracle", definition: to("openai/gpt-x") };

  test("is not asked again for an answer where it may have got the request", async () => {
    behave.openai = (response) => void response.destroy();
    const gateway = await gatewayWith([ONLY]);
    const answer = await chat(gateway);
    expect(answer.status).toBe(502);
    expect(answer.headers["x-should-retry"]).toBe("true");
    expect(upstreams.openai.seen).toHaveLength(1);
  });

  test("not even on a connection that was kept", async () => {
    const gateway = await gatewayWith([ONLY]);
    expect((await chat(gateway)).status).toBe(200);
    behave.openai = (response) => void response.destroy();
    expect((await chat(gateway)).status).toBe(502);
    expect(upstreams.openai.seen).toHaveLength(2);
  });

  test("is asked again for what costs nothing", async () => {
    behave.anthropic = (response, request) => {
      if (upstreams.anthropic.seen.length === 1) response.destroy();
      else response.writeHead(200, JSON_TYPE).end(request.method);
    };
    const gateway = await gatewayWith([]);
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answer = await ask(`${gateway.url}/proxy/anthropic/v1/models`, { method: "GET", headers });
    expect(answer).toMatchObject({ status: 200, text: "GET" });
    expect(gateway.entries).toMatchObject([{ attempts: 2 }]);
  });
});

describe("a session", () => {
  const SPLIT: NamedRoute = {
    name: "oracle",
    definition: {
      tiers: [
        [
          { target: "openai/gpt-a", weight: 70 },
          { target: "openai/gpt-b", weight: 30 },
        ],
      ],
    },
  };

  test("stays on its target, and over many sessions the weights are kept", async () => {
    const gateway = await gatewayWith([SPLIT]);
    const modelOf = async (session: string): Promise<string> => {
      const { headers } = await chat(gateway, {}, { "x-loom-session": session });
      return String(headers["x-loom-route"]).split(";")[0] ?? "";
    };
    const sessions = Array.from({ length: 60 }, (_, index) => `session-${index}`);
    const first = await Promise.all(sessions.map(modelOf));
    expect(await Promise.all(sessions.map(modelOf))).toEqual(first);
    const share = first.filter((model) => model === "openai/gpt-a").length / sessions.length;
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(0.9);
  });

  test("says in the answer which share its target has", async () => {
    const gateway = await gatewayWith([SPLIT]);
    expect((await chat(gateway)).headers["x-loom-route"]).toMatch(
      /^openai\/gpt-(a; alias oracle, weight 70|b; alias oracle, weight 30) of 100$/,
    );
  });
});

describe("a circuit breaker", () => {
  test("keeps requests away, lets one through after a while, and closes when it is answered", async () => {
    let now = 0;
    behave.anthropic = refusing(529);
    const gateway = await gatewayWith([ORACLE], { now: () => now });
    for (let count = 0; count < BREAKER_OPTIONS.failuresInARow; count += 1) await chat(gateway);
    expect(upstreams.anthropic.seen).toHaveLength(BREAKER_OPTIONS.failuresInARow);

    const skipped = await chat(gateway);
    expect(skipped.headers).toMatchObject({
      "x-loom-route": "openai/gpt-x; alias oracle; skipped anthropic/claude-x (breaker open)",
      "x-loom-attempts": "1",
    });
    expect(upstreams.anthropic.seen).toHaveLength(BREAKER_OPTIONS.failuresInARow);

    now += BREAKER_OPTIONS.backoffMs;
    await Promise.all([chat(gateway), chat(gateway), chat(gateway)]);
    expect(upstreams.anthropic.seen).toHaveLength(BREAKER_OPTIONS.failuresInARow + 1);

    now += BREAKER_OPTIONS.backoffMs * 2;
    behave.anthropic = answering.anthropic;
    expect((await chat(gateway)).text).toContain("from anthropic");
    expect((await chat(gateway)).headers["x-loom-route"]).toBe("anthropic/claude-x; alias oracle");
  });

  test("does not keep them from the only one that there is", async () => {
    behave.openai = refusing(529);
    const gateway = await gatewayWith([{ name: "oracle", definition: to("openai/gpt-x") }]);
    for (let count = 0; count < 10; count += 1) expect((await chat(gateway)).status).toBe(529);
    expect(upstreams.openai.seen).toHaveLength(10);
  });

  test("does not mind clients that leave or are wrong", async () => {
    behave.anthropic = refusing(400);
    const gateway = await gatewayWith([ORACLE]);
    for (let count = 0; count < 10; count += 1) expect((await chat(gateway)).status).toBe(400);
    expect(upstreams.anthropic.seen).toHaveLength(10);
  });
});
