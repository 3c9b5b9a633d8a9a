import { setTimeout as pause } from "node:timers/promises";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import {
  type Answer,
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

const SSE = { "content-type": "text/event-stream; charset=utf-8" };
const MESSAGES = "/proxy/anthropic/v1/messages";
const ANSWER =
  '{"type":"message","model":"claude-x","usage":{"input_tokens":10,"output_tokens":2},"new_field":[1.0,"ä"]}';

async function upstreamWith(answer: Parameters<typeof startUpstream>[0]): Promise<TestUpstream> {
  const upstream = await startUpstream(answer);
  closing.push(upstream);
  return upstream;
}

async function gatewayFor(upstream: TestUpstream, options: Omit<TestGatewayOptions, "env"> = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    ...options,
    env: {
      ...makersAt(upstream),
      LOOM_SERVER_ZAI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_ZAI_BASE_URL: upstream.url,
      LOOM_SERVER_VERTEX_PROJECT: "my-project",
      LOOM_SERVER_VERTEX_BASE_URL: upstream.url,
      LOOM_SERVER_COMPATIBLE_LOCAL_BASE_URL: `${upstream.url}/v1`,
    },
  });
  closing.push(gateway);
  return gateway;
}

function post(
  gateway: TestGateway,
  path: string,
  body: string | Uint8Array | object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}`, ...headers } });
}

const answerJson =
  (text: string): Parameters<typeof startUpstream>[0] =>
  (response) =>
    void response.writeHead(200, { "content-type": "application/json" }).end(text);

describe.each([{ pooled: true }, { pooled: false }])("a provider's own path ($pooled)", (transport) => {
  test("takes the client's bytes there and the provider's back, unknown fields and odd spelling included", async () => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream, transport);
    const body =
      '{ "model":"claude-x",\n "max_tokens" : 5, "messages":[], "from_the_future":{"a":1.50,"b":"\\u00e4"} }';
    const answer = await post(gateway, `${MESSAGES}?beta=true`, body, {
      "anthropic-beta": "one,two",
      "anthropic-version": "2023-06-01",
      "x-unknown": "stays",
      "user-agent": "claude-cli/2.1.5 (external)",
    });
    expect(answer).toMatchObject({ status: 200, text: ANSWER });
    expect(upstream.seen[0]).toMatchObject({
      method: "POST",
      path: "/v1/messages?beta=true",
      body: Buffer.from(body),
      headers: {
        "anthropic-beta": "one,two",
        "x-unknown": "stays",
        "accept-encoding": "identity",
        "x-api-key": UPSTREAM_KEY,
      },
    });
    expect(upstream.seen[0]?.headers.host).toBe(new URL(upstream.url).host);
    expect(JSON.stringify(upstream.seen[0]?.headers)).not.toContain(gateway.token);
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({
      client: "claude-cli/2.1.5",
      dialect: "anthropic",
      upstream: "anthropic",
      model: "claude-x",
      status: 200,
      outcome: "completed",
      attempts: 1,
      estimated: false,
      usage: { inputTokens: 10, outputTokens: 2 },
    });
  });

  test("passes a stream event by event, comments and unknown events too", async () => {
    const events = [
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n',
      ": a comment\n\n",
      'event: ping\ndata: {"type":"ping"}\n\n',
      'event: future\ndata: {"type":"future","x":1.0}\n\n',
      'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":9}}\n\n',
      'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ];
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, SSE);
      for (const event of events) response.write(event);
      response.end();
    });
    const gateway = await gatewayFor(upstream, transport);
    const answer = await post(gateway, MESSAGES, { model: "claude-x", stream: true, messages: [] });
    expect(answer.text).toBe(events.join(""));
    expect(answer.headers["x-accel-buffering"]).toBe("no");
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({ usage: { inputTokens: 7, outputTokens: 9 }, estimated: false, outcome: "completed" });
  });

  test("has the searches of the provider in what it cost", async () => {
    const usage = { input_tokens: 100, output_tokens: 50, server_tool_use: { web_search_requests: 100 } };
    const upstream = await upstreamWith(answerJson(JSON.stringify({ id: "1", model: "claude-opus-5", usage })));
    const gateway = await gatewayFor(upstream, transport);
    await post(gateway, MESSAGES, { model: "claude-opus-5", max_tokens: 50, messages: [] });
    expect(await gateway.waitForEntries(1)).toMatchObject([
      { costMicroUsd: 1_001_750, details: { webSearches: 100 }, usage: { inputTokens: 100 } },
    ]);
  });

  test("knows what the first answers cost, though they be faster than the prices", async () => {
    const usage = { input_tokens: 100, output_tokens: 50 };
    const upstream = await upstreamWith(answerJson(JSON.stringify({ id: "1", model: "claude-opus-5", usage })));
    const gateway = await gatewayFor(upstream, { ...transport, pricesAfter: () => pause(100) });
    await Promise.all([1, 2].map(() => post(gateway, MESSAGES, { model: "claude-opus-5", messages: [] })));
    expect(await gateway.waitForEntries(2)).toMatchObject([{ costMicroUsd: 1_750 }, { costMicroUsd: 1_750 }]);
  });

  test("forwards a body of 30 MB that comes in chunks", async () => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream, transport);
    const body = Buffer.from(JSON.stringify({ model: "claude-x", messages: ["x".repeat(30 * 1024 * 1024)] }));
    const answer = await post(gateway, MESSAGES, body, { "transfer-encoding": "chunked" });
    expect(answer.status).toBe(200);
    expect(upstream.seen[0]?.body.equals(body)).toBe(true);
  });

  test("passes trailers, and nothing of an early 103", async () => {
    const upstream = await upstreamWith((response) => {
      response.writeEarlyHints({ link: "</x>; rel=preload" });
      response.writeHead(200, { "content-type": "application/json", trailer: "x-checksum" });
      response.write(ANSWER);
      response.addTrailers({ "x-checksum": "abc" });
      response.end();
    });
    const gateway = await gatewayFor(upstream, transport);
    const answer = await post(gateway, MESSAGES, { model: "claude-x", messages: [] });
    expect(answer).toMatchObject({ status: 200, text: ANSWER, trailers: { "x-checksum": "abc" } });
  });

  test("passes no trailer that speaks of the message, or in Loom's name, and no word to browsers", async () => {
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, { "content-type": "application/json", "content-security-policy": "default-src *" });
      response.write(ANSWER);
      const forged = {
        "content-type": "text/html",
        "cache-control": "public",
        "set-cookie": "a=b",
        "x-loom-route": "x",
      };
      response.addTrailers({ ...forged, "x-checksum": "abc" });
      response.end();
    });
    const gateway = await gatewayFor(upstream, transport);
    const answer = await post(gateway, MESSAGES, { model: "claude-x", messages: [] });
    expect(answer).toMatchObject({ status: 200, text: ANSWER });
    expect(answer.trailers).toEqual({ "x-checksum": "abc" });
    expect(answer.headers).not.toHaveProperty("content-security-policy");
  });

  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
  ] as const)(
    "passes an answer that is compressed unasked (%s) and still reads its counts",
    async (encoding, compress) => {
      const packed = compress(Buffer.from(ANSWER));
      const upstream = await upstreamWith((response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": encoding }).end(packed);
      });
      const gateway = await gatewayFor(upstream, transport);
      const answer = await post(gateway, MESSAGES, { model: "claude-x", messages: [] });
      expect(answer.bytes.equals(packed)).toBe(true);
      const [entry] = await gateway.waitForEntries(1);
      expect(entry).toMatchObject({ usage: { inputTokens: 10, outputTokens: 2 }, estimated: false });
    },
  );
});

test.each(["x-claude-code-session-id", "session_id", "x-session-id", "x-loom-session"])(
  "a client says with %s which of its sessions a request belongs to",
  async (header) => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream);
    await post(gateway, MESSAGES, { model: "claude-x", messages: [] }, { [header]: "ses_1" });
    expect(await gateway.waitForEntries(1)).toMatchObject([{ session: "ses_1" }]);
  },
);

test.each([
  ["claude-cli/2.1.5 (external, cli)", "claude-cli/2.1.5"],
  ["GeminiCLI-tui/0.61.0/gemini-3.5-flash (linux; x64; terminal)", "GeminiCLI-tui/0.61.0"],
  ["curl", "curl"],
])("a client is its product and version, whatever else %j says", async (userAgent, client) => {
  const upstream = await upstreamWith(answerJson(ANSWER));
  const gateway = await gatewayFor(upstream);
  await post(gateway, MESSAGES, { model: "claude-x", messages: [] }, { "user-agent": userAgent });
  expect(await gateway.waitForEntries(1)).toMatchObject([{ client }]);
});

describe("what goes to a provider", () => {
  test("has the model that an alias means, and every other byte as it was", async () => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, MESSAGES, '{"messages":[ ] , "model":"fast","x":1.0}');
    expect(upstream.seen[0]?.body.toString()).toBe('{"messages":[ ] , "model":"claude-haiku-4-5","x":1.0}');
    expect(answer.headers["x-loom-route"]).toBe("anthropic/claude-haiku-4-5; alias fast");
  });

  test("asks a chat stream for its counts, and takes them out again for a client that did not", async () => {
    const chunk = 'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n';
    const counts = 'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1}}\n\n';
    const upstream = await upstreamWith((response) => {
      response.writeHead(200, SSE).end(`${chunk}${counts}data: [DONE]\n\n`);
    });
    const gateway = await gatewayFor(upstream);
    const body = { model: "gpt-x", stream: true, messages: [] };
    const answer = await post(gateway, "/proxy/openai/v1/chat/completions", body);
    expect(answer.text).toBe(`${chunk}data: [DONE]\n\n`);
    expect(JSON.parse(String(upstream.seen[0]?.body))).toEqual({ ...body, stream_options: { include_usage: true } });
    const asked = await post(gateway, "/proxy/openai/v1/chat/completions", {
      ...body,
      stream_options: { include_usage: true },
    });
    expect(asked.text).toBe(`${chunk}${counts}data: [DONE]\n\n`);
    const entries = await gateway.waitForEntries(2);
    expect(entries.map(({ usage }) => usage.inputTokens)).toEqual([5, 5]);
  });

  test("does not ask for counts again where that was refused", async () => {
    const upstream = await upstreamWith((response, { body }) => {
      if (body.includes("stream_options")) {
        response
          .writeHead(400, { "content-type": "application/json" })
          .end('{"error":{"message":"Unknown field: stream_options"}}');
      } else response.writeHead(200, SSE).end('data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
    });
    const gateway = await gatewayFor(upstream);
    for (const expected of [2, 3]) {
      const answer = await post(gateway, "/proxy/local/v1/chat/completions", {
        model: "m",
        stream: true,
        messages: [],
      });
      expect(answer.status).toBe(200);
      expect(upstream.seen).toHaveLength(expected);
    }
  });

  test.each([
    ["/proxy/openai/v1/responses", "/v1/responses", { model: "gpt-x", input: "Hi" }],
    ["/proxy/openai/responses", "/v1/responses", { model: "gpt-x", input: "Hi" }],
    ["/proxy/local/chat/completions", "/v1/chat/completions", { model: "m", messages: [] }],
    ["/proxy/local/v1/chat/completions", "/v1/chat/completions", { model: "m", messages: [] }],
    ["/proxy/zai/v1/messages", "/api/anthropic/v1/messages", { model: "glm-5.3", messages: [] }],
    ["/proxy/zai/chat/completions", "/api/paas/v4/chat/completions", { model: "glm-5.3", messages: [] }],
    [
      "/proxy/zai/api/coding/paas/v4/chat/completions",
      "/api/coding/paas/v4/chat/completions",
      { model: "glm-5.3", messages: [] },
    ],
    [
      "/proxy/gemini/v1beta/models/gemini-x:generateContent",
      "/v1beta/models/gemini-x:generateContent",
      { contents: [] },
    ],
    ["/proxy/gemini/v1/models/fast:countTokens", "/v1/models/gemini-3.5-flash:countTokens", { contents: [] }],
    [
      "/proxy/vertex/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
      "/v1/projects/my-project/locations/global/publishers/anthropic/models/count-tokens:rawPredict",
      { model: "claude-x", messages: [] },
    ],
    [
      "/proxy/gemini/v1beta/models/fast:generateContent",
      "/v1beta/models/gemini-3.5-flash:generateContent",
      { contents: [] },
    ],
    [
      "/proxy/vertex/v1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent",
      "/v1/projects/my-project/locations/global/publishers/google/models/gemini-x:generateContent",
      { contents: [] },
    ],
    [
      "/anthropic/v1/messages",
      "/v1/projects/my-project/locations/global/publishers/anthropic/models/claude-x:rawPredict",
      { model: "vertex/claude-x", messages: [] },
    ],
  ])("from %s goes to %s", async (path, expected, body) => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream);
    expect((await post(gateway, path, body)).status).toBe(200);
    expect(upstream.seen[0]?.path).toBe(expected);
  });

  test("for Claude on Vertex AI has a version in the place of the model", async () => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream);
    await post(gateway, "/anthropic/v1/messages", '{"model":"vertex/claude-x","max_tokens":1,"messages":[]}');
    expect(upstream.seen[0]?.body.toString()).toBe(
      '{"anthropic_version":"vertex-2023-10-16","max_tokens":1,"messages":[]}',
    );
  });

  test("is counted by the provider itself where it can count", async () => {
    const upstream = await upstreamWith(answerJson('{"input_tokens":42}'));
    const gateway = await gatewayFor(upstream);
    const native = await post(gateway, `${MESSAGES}/count_tokens`, { model: "claude-x", messages: [] });
    expect(native.text).toBe('{"input_tokens":42}');
    const anywhere = await post(gateway, "/anthropic/v1/messages/count_tokens", { model: "claude-x", messages: [] });
    expect(anywhere.text).toBe('{"input_tokens":42}');
    const googles = await post(gateway, "/gemini/v1beta/models/gemini/fast:countTokens", { contents: [] });
    expect(googles.text).toBe('{"input_tokens":42}');
    expect(upstream.seen.map(({ path }) => path)).toEqual([
      "/v1/messages/count_tokens",
      "/v1/messages/count_tokens",
      "/v1beta/models/gemini-3.5-flash:countTokens",
    ]);
    const foreign = await post(gateway, `${MESSAGES}/count_tokens`, { model: "openai/gpt-x", messages: [] });
    expect(JSON.parse(foreign.text).input_tokens).toBeGreaterThan(0);
    expect(foreign.headers["x-loom-estimated"]).toBe("true");
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({ usage: { inputTokens: 0, outputTokens: 0 } });
    expect(entry).not.toHaveProperty("costMicroUsd");
  });

  test("keeps its method and its query for lists of models", async () => {
    const upstream = await upstreamWith(answerJson('{"data":[]}'));
    const gateway = await gatewayFor(upstream);
    const answer = await ask(`${gateway.url}/proxy/anthropic/v1/models?limit=5`, {
      method: "GET",
      headers: { "x-api-key": gateway.token },
    });
    expect(answer.text).toBe('{"data":[]}');
    expect(upstream.seen[0]).toMatchObject({ method: "GET", path: "/v1/models?limit=5" });
  });
});

describe("a path that Loom does not know", () => {
  test("is passed on with its method and its body, piece by piece", async () => {
    const upstream = await upstreamWith((response, { body }) => void response.writeHead(201).end(body));
    const gateway = await gatewayFor(upstream);
    const body = Buffer.alloc(3 * 1024 * 1024, "x");
    const answer = await ask(`${gateway.url}/proxy/openai/v1/files?purpose=x`, {
      method: "PUT",
      headers: {
        authorization: `Bearer ${gateway.token}`,
        "content-type": "multipart/form-data",
        "transfer-encoding": "chunked",
      },
      body,
    });
    expect(answer).toMatchObject({ status: 201 });
    expect(answer.bytes.equals(body)).toBe(true);
    expect(upstream.seen[0]).toMatchObject({ method: "PUT", path: "/v1/files?purpose=x" });
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({ outcome: "completed", usage: { inputTokens: 0, outputTokens: 0 } });
  });

  test("is tried once where its body is gone with the first attempt", async () => {
    const gateway = await gatewayFor({ url: "http://127.0.0.1:1", seen: [], close: async () => {} });
    const answer = await ask(`${gateway.url}/proxy/openai/v1/files`, {
      headers: { authorization: `Bearer ${gateway.token}` },
      body: "x",
    });
    expect(answer.status).toBe(502);
    expect(gateway.entries).toMatchObject([{ attempts: 1 }]);
  });

  test("belongs to those who may administer", async () => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream, { scopes: ["llm:use"] });
    const headers = { authorization: `Bearer ${gateway.token}` };
    const files = await ask(`${gateway.url}/proxy/openai/v1/files`, { method: "GET", headers });
    expect([files.status, JSON.parse(files.text).error]).toEqual([
      403,
      expect.objectContaining({
        message:
          "At a provider, all but asking models and listing them, such as files, batches and fine-tuning, is for the owner and for tokens with the scope admin: ask with one of those.",
      }),
    ]);
    expect((await ask(`${gateway.url}/proxy/openai/v1/responses/r`, { method: "GET", headers })).status).toBe(403);
    expect((await ask(`${gateway.url}/proxy/openai/v1/models/m`, { method: "DELETE", headers })).status).toBe(403);
    for (const method of ["batchGenerateContent", "asyncBatchEmbedContent", "predictLongRunning"]) {
      const path = `/proxy/gemini/v1beta/models/gemini-x:${method}`;
      expect((await post(gateway, path, { batch: {} })).status).toBe(403);
    }
    expect((await ask(`${gateway.url}/proxy/openai/v1/models`, { method: "GET", headers })).status).toBe(200);
    expect(upstream.seen).toHaveLength(1);
  });
});

describe("what no model does", () => {
  test.each([
    ["POST", "/openai/v1/files", /\/proxy\/openai\/v1\/files; there, all but .* for tokens with the scope admin\.$/],
    ["GET", "/anthropic/v1/files", /\/proxy\/anthropic\/v1\/files; there, all but .* scope admin\.$/],
    ["DELETE", "/openai/v1/models/ft:x", /^There is nothing at this path: /],
    ["POST", "/openai/v1/v1/chat/completions", /the base URL has one \/v1 too many/],
  ])("is where its provider is, and %s %s says so to whoever asks", async (method, path, sentence) => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    for (const scopes of [["llm:use"], ["admin"]] as const) {
      const gateway = await gatewayFor(upstream, { scopes });
      const headers = { authorization: `Bearer ${gateway.token}` };
      const answer = await ask(gateway.url + path, { method, headers });
      expect([answer.status, JSON.parse(answer.text).error.message]).toEqual([404, expect.stringMatching(sentence)]);
    }
    expect(upstream.seen).toEqual([]);
  });
});

describe("a token", () => {
  test.each([
    [MESSAGES, "x-api-key", ""],
    [MESSAGES, "authorization", "Bearer "],
    ["/proxy/gemini/v1beta/models/gemini-x:generateContent", "x-goog-api-key", ""],
    ["/proxy/openai/v1/chat/completions", "api-key", ""],
  ])("for %s is taken from %s", async (path, header, before) => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream);
    const answer = await ask(gateway.url + path, {
      headers: { [header]: before + gateway.token },
      body: { model: "m", contents: [] },
    });
    expect(answer.status).toBe(200);
    expect(JSON.stringify(upstream.seen)).not.toContain(gateway.token);
  });

  test("in the query of a Gemini request goes no further", async () => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream);
    const path = `/proxy/gemini/v1beta/models/gemini-x:generateContent?alt=json&key=${gateway.token}&prettyPrint=false`;
    expect((await ask(gateway.url + path, { body: { contents: [] } })).status).toBe(200);
    expect(upstream.seen[0]?.path).toBe("/v1beta/models/gemini-x:generateContent?alt=json&prettyPrint=false");
    expect(JSON.stringify(upstream.seen)).not.toContain(gateway.token);
  });

  test("that is wrong or missing is refused in the client's own words", async () => {
    const upstream = await upstreamWith(answerJson(ANSWER));
    const gateway = await gatewayFor(upstream);
    const wrong = { headers: { authorization: "Bearer wrong" }, body: { model: "m" } };
    const messages = await ask(gateway.url + MESSAGES, wrong);
    expect(messages.status).toBe(401);
    expect(JSON.parse(messages.text)).toMatchObject({ type: "error", error: { type: "authentication_error" } });
    const chat = await ask(`${gateway.url}/openai/v1/chat/completions`, wrong);
    expect(JSON.parse(chat.text)).toMatchObject({ error: { code: "invalid_api_key" } });
    const generate = await ask(`${gateway.url}/gemini/v1beta/models/m:generateContent`, { body: {} });
    expect(JSON.parse(generate.text)).toMatchObject({ error: { code: 401, status: "UNAUTHENTICATED" } });
    expect(upstream.seen).toHaveLength(0);
  });
});

test("an answer of the provider loses what is between it and Loom, and nothing else", async () => {
  const upstream = await upstreamWith((response) => {
    response.writeHead(200, {
      "content-type": "application/json",
      "request-id": "req_provider",
      "x-request-id": "provider-1",
      "anthropic-ratelimit-requests-remaining": "9",
      "set-cookie": "a=b",
      "alt-svc": "h3",
      "x-new": "ä",
    });
    response.end(ANSWER);
  });
  const gateway = await gatewayFor(upstream);
  const { headers } = await post(gateway, MESSAGES, { model: "claude-x", messages: [] });
  expect(headers).toMatchObject({
    "request-id": "req_provider",
    "x-upstream-request-id": "provider-1",
    "anthropic-ratelimit-requests-remaining": "9",
    "x-loom-route": "anthropic/claude-x; model",
  });
  expect(headers["x-request-id"]).toMatch(/^req-/);
  expect(headers).not.toHaveProperty("set-cookie");
  expect(headers).not.toHaveProperty("alt-svc");
});

describe("the dialects of OpenAI", () => {
  const QUESTION = '{"model":"openai/gpt-x", "input":"Hi"}';

  test("stay what they are at another address of it", async () => {
    const upstream = await upstreamWith(answerJson('{"object":"response","output":[]}'));
    const gateway = await gatewayFor(upstream);
    const answer = await post(gateway, "/openai/v1/responses", QUESTION);
    expect(answer).toMatchObject({ status: 200, text: '{"object":"response","output":[]}' });
    expect(upstream.seen.map(({ path, body }) => [path, String(body)])).toEqual([
      ["/v1/responses", '{"model":"gpt-x", "input":"Hi"}'],
    ]);
  });

  test("are Chat Completions alone with a server that knows nothing else", async () => {
    const upstream = await upstreamWith(
      answerJson('{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}'),
    );
    const gateway = await startGateway({ env: { LOOM_OPENAI_BASE_URL: `${upstream.url}/v1` } });
    closing.push(gateway);
    const answer = await post(gateway, "/openai/v1/responses", QUESTION);
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([200, { object: "response", status: "completed" }]);
    expect(upstream.seen).toMatchObject([{ path: "/v1/chat/completions" }]);
  });
});
