import { createServer } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ask, rawExchange, startGateway, type TestGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream, type TestUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function start(
  answer: Parameters<typeof startUpstream>[0],
): Promise<{ readonly upstream: TestUpstream; readonly gateway: TestGateway }> {
  const upstream = await startUpstream(answer);
  closing.push(upstream);
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      // It speaks Chat Completions only: Responses have to be understood for it.
      OPENAI_API_KEY: UPSTREAM_KEY,
      LOOM_OPENAI_BASE_URL: `${upstream.url}/v1`,
      LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
    },
  });
  closing.push(gateway);
  return { upstream, gateway };
}

const MESSAGES = "/proxy/anthropic/v1/messages";
const MEGABYTE = 1024 * 1024;

const COMPLETION = JSON.stringify({
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "gpt-x",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

test("a client that asks whether it may send its body is told to, and the provider hears nothing of that", async () => {
  const { upstream, gateway } = await start((response) => response.end(COMPLETION));
  const body = '{"model":"claude-x","messages":[]}';
  const head = [
    `POST ${MESSAGES} HTTP/1.1`,
    "Host: localhost",
    `Authorization: Bearer ${gateway.token}`,
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "Expect: 100-continue",
    "Connection: close",
  ];
  const text = await rawExchange(gateway.url, `${head.join("\r\n")}\r\n\r\n${body}`);
  expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  expect(upstream.seen[0]?.headers).not.toHaveProperty("expect");
});

describe("a body of 100 MB", () => {
  test.each([{ headers: {} }, { headers: { "transfer-encoding": "chunked" } }])(
    "is refused and not passed on ($headers)",
    async ({ headers }) => {
      const { upstream, gateway } = await start((response) => response.end(COMPLETION));
      const authorization = `Bearer ${gateway.token}`;
      const body = Buffer.alloc(100 * MEGABYTE, " ");
      const answer = await ask(gateway.url + MESSAGES, { headers: { authorization, ...headers }, body });
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.text)).toMatchObject({ error: { type: "request_too_large" } });
      expect(upstream.seen).toHaveLength(0);
    },
  );
});

describe("a body of one dialect on the path of another", () => {
  const chat = { model: "gpt-x", messages: [{ role: "user", content: "Hi" }] };
  const gemini = { model: "gpt-x", contents: [{ role: "user", parts: [{ text: "Hi" }] }] };
  test.each([
    ["Chat Completions' as Responses", "/openai/v1/responses", chat],
    ["Gemini's as Anthropic's", "/anthropic/v1/messages", gemini],
    ["Chat Completions' as Gemini's", "/gemini/v1beta/models/gpt-x:generateContent", chat],
    ["Gemini's as Chat Completions'", "/openai/v1/chat/completions", { ...gemini, model: "claude-x" }],
  ])("is refused where it would have to be understood: %s", async (_name, path, body) => {
    const { upstream, gateway } = await start((response) => response.end(COMPLETION));
    const answer = await ask(gateway.url + path, { headers: { authorization: `Bearer ${gateway.token}` }, body });
    expect(answer.status).toBe(400);
    expect(upstream.seen).toHaveLength(0);
  });
});

describe("what is nested too deeply, or has too many values, is not parsed to know that", () => {
  const DEPTH = MEGABYTE;
  const deep = `${"[".repeat(DEPTH)}${"]".repeat(DEPTH)}`;
  const many = `[${Array(250_000).fill("{}")}]`;

  /** Of all texts that were parsed while `work` went on. */
  async function longestParsed(work: () => Promise<void>): Promise<number> {
    const parse = vi.spyOn(JSON, "parse");
    await work();
    const lengths = parse.mock.calls.map(([text]) => String(text).length);
    parse.mockRestore();
    return Math.max(0, ...lengths);
  }

  test.each([
    ["nested too deeply", "/openai/v1/chat/completions", `{"model":"claude-x","messages":${deep}}`],
    ["too many values", "/openai/v1/chat/completions", `{"model":"claude-x","messages":${many}}`],
    ["nested too deeply", "/proxy/anthropic/stream", `{"model":"claude-x","messages":${deep}}`],
    ["too many values", "/proxy/anthropic/stream", `{"model":"claude-x","messages":${many}}`],
    [
      "nested too deeply",
      "/gemini/v1beta/models/gemini-x:generateContent",
      `{"contents":[],"generationConfig":${deep}}`,
    ],
    ["too many values", "/proxy/openai/v1/completions", `{"model":"gpt-x","prompt":${many}}`],
  ])("a request with %s on %s", async (problem, path, body) => {
    const { upstream, gateway } = await start((response) => response.end(COMPLETION));
    const headers = { authorization: `Bearer ${gateway.token}`, "content-type": "application/json" };
    const longest = await longestParsed(async () => {
      const answer = await ask(gateway.url + path, { headers, body: Buffer.from(body) });
      expect(answer.text).toContain(problem);
      expect(answer.status).toBe(400);
    });
    expect(longest).toBeLessThan(MEGABYTE / 4);
    expect(upstream.seen).toHaveLength(0);
  });

  /** Objects in objects, as JSON. */
  const nested = (key: string, depth: number): string => `${`{"${key}":`.repeat(depth)}{}${"}".repeat(depth)}`;

  test.each(["claude-x", "gpt-x", "gemini-x"])("the deepest that may be is said to %s", async (model) => {
    const { upstream, gateway } = await start((response) => response.writeHead(500).end("{}"));
    const input = nested("a", 500);
    const schema = `{"type":"object","properties":${nested("a", 500)}}`;
    const chatCall = `{"id":"c","type":"function","function":{"name":"t","arguments":${JSON.stringify(input)}}}`;
    const bodies = {
      "/anthropic/v1/messages": `{"model":"${model}","max_tokens":9,"tools":[{"name":"t","input_schema":${schema}}],"messages":[
        {"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"t","input":${input}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"ok"}]}]}`,
      "/openai/v1/chat/completions": `{"model":"${model}","tools":[{"type":"function","function":{"name":"t","parameters":${schema}}}],
        "messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[${chatCall}]},
        {"role":"tool","tool_call_id":"c","content":"ok"}]}`,
    };
    const headers = { authorization: `Bearer ${gateway.token}` };
    for (const [path, body] of Object.entries(bodies)) {
      const before = upstream.seen.length;
      const answer = await ask(gateway.url + path, { headers, body });
      expect([path, answer.text, upstream.seen.length > before]).toEqual([
        path,
        expect.not.stringMatching(/mistake/),
        true,
      ]);
    }
  });

  test.each([
    ["an answer", false, `{"id":"c","choices":${deep}}`],
    ["a stream", true, `data: {"id":"c","choices":${deep}}\n\n`],
  ])("%s that is translated", async (_name, stream, text) => {
    const { gateway } = await start((response) => {
      response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" }).end(text);
    });
    const body = { model: "gpt-x", stream, max_tokens: 10, messages: [{ role: "user", content: "Hi" }] };
    const headers = { authorization: `Bearer ${gateway.token}` };
    const longest = await longestParsed(async () => {
      expect((await ask(`${gateway.url}/anthropic/v1/messages`, { headers, body })).status).toBe(502);
    });
    expect(longest).toBeLessThan(MEGABYTE / 4);
  });

  test.each([
    ["an answer", false, `{"id":"c","choices":[],"usage":${deep}}`],
    ["a stream", true, `data: {"id":"c","choices":[],"usage":${deep}}\n\ndata: [DONE]\n\n`],
  ])("%s that is passed on as it is", async (_name, stream, text) => {
    const { gateway } = await start((response) => {
      response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" }).end(text);
    });
    const headers = { authorization: `Bearer ${gateway.token}` };
    const body = { model: "gpt-x", stream, messages: [] };
    const longest = await longestParsed(async () => {
      expect((await ask(`${gateway.url}/proxy/openai/v1/chat/completions`, { headers, body })).status).toBe(200);
    });
    expect(longest).toBeLessThan(MEGABYTE / 4);
  });
});

test("an image at an address is the provider's to fetch: Loom opens no connection to it, translated or not", async () => {
  let fetched = 0;
  const inside = createServer((_incoming, response) => {
    fetched += 1;
    response.end();
  });
  await new Promise<void>((resolve) => inside.listen(0, "127.0.0.1", resolve));
  closing.push({ close: () => new Promise((resolve) => inside.close(() => resolve())) });
  const address = inside.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/secret.png`;
  const { upstream, gateway } = await start((response) => response.end(COMPLETION));
  const image = { type: "image", source: { type: "url", url } };
  for (const model of ["gpt-x", "claude-x"]) {
    const body = { model, max_tokens: 10, messages: [{ role: "user", content: [image] }] };
    const headers = { authorization: `Bearer ${gateway.token}` };
    expect((await ask(`${gateway.url}/anthropic/v1/messages`, { headers, body })).status).toBe(200);
  }
  expect(upstream.seen.map(({ body }) => body.includes(url))).toEqual([true, true]);
  expect(fetched).toBe(0);
});

test.each([
  { mebibytes: 10, how: "ends" },
  { mebibytes: 40, how: "is too long" },
])("a translated stream whose line of $mebibytes MiB $how is an error for its client", async ({ mebibytes }) => {
  const { gateway } = await start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: ");
    response.end(Buffer.alloc(mebibytes * MEGABYTE, "x"));
  });
  const body = { model: "gpt-x", stream: true, max_tokens: 10, messages: [{ role: "user", content: "Hi" }] };
  const headers = { authorization: `Bearer ${gateway.token}` };
  const answer = await ask(`${gateway.url}/anthropic/v1/messages`, { headers, body });
  expect(answer.status).toBe(502);
  expect(answer.bytes.length).toBeLessThan(4_096);
  expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "failed" }]);
});

test.each(["text/event-stream", "application/json"])(
  "what comes in place of an answer (%s) is charged as no more than the client has allowed",
  async (type) => {
    const junk = `{"type":"content_block_delta","x":"${"x".repeat(MEGABYTE)}`;
    const { gateway } = await start((response) => response.writeHead(200, { "content-type": type }).end(junk));
    const body = { model: "claude-x", stream: true, max_tokens: 10, messages: [] };
    const headers = { authorization: `Bearer ${gateway.token}` };
    await ask(gateway.url + MESSAGES, { headers, body });
    const [entry] = await gateway.waitForEntries(1);
    expect(entry?.estimated).toBe(true);
    expect(entry?.usage.outputTokens).toBeLessThanOrEqual(10);
  },
);
