import { describe, expect, onTestFinished, test } from "vitest";
import { ask, rawExchange, startGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const ANSWER = JSON.stringify({
  candidates: [{ content: { role: "model", parts: [{ text: "Hi" }] }, finishReason: "STOP", index: 0 }],
  usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
});

async function start(answer: Parameters<typeof startUpstream>[0] = (response) => void response.end(ANSWER)) {
  const upstream = await startUpstream(answer);
  onTestFinished(() => upstream.close());
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: "test-key",
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_GEMINI_API_KEY: "test-key",
      LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
      LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: `${upstream.url}/lab/v1`,
    },
  });
  onTestFinished(() => gateway.close());
  const authorization = `Bearer ${gateway.token}`;
  return {
    upstream,
    gateway,
    post: (path: string, body: object | undefined, method = "POST") =>
      ask(gateway.url + path, { method, headers: { authorization }, ...(body === undefined ? {} : { body }) }),
    raw: (line: string) =>
      rawExchange(
        gateway.url,
        `${line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
      ),
  };
}

const QUESTION = { contents: [{ role: "user", parts: [{ text: "Hi" }] }] };

test("headers that a provider means for its connection stay there", async () => {
  const { post } = await start((response) => {
    response.writeHead(200, { connection: "keep-alive, X-Hop", "x-hop": "1", "x-kept": "2" }).end(ANSWER);
  });
  const { headers } = await post("/proxy/gemini/v1beta/models/gemini-x:generateContent", QUESTION);
  expect(headers).toMatchObject({ "x-kept": "2" });
  expect(headers).not.toHaveProperty("x-hop");
});

test("TRACE goes to no provider, who would send the key back", async () => {
  const { upstream, raw } = await start();
  const text = await raw("TRACE /proxy/anthropic/v1/files");
  expect(text).toMatch(/^HTTP\/1\.1 405 /);
  expect(text).toContain("TRACE is not passed on");
  expect(upstream.seen).toEqual([]);
});

describe("a client of Gemini that belongs to no provider", () => {
  test.each([
    ["/gemini/v1/models/gemini-x:generateContent", "/v1/models/gemini-x:generateContent"],
    ["/gemini/v1beta/models/gemini/gemini-x:generateContent", "/v1beta/models/gemini-x:generateContent"],
    ["/gemini/v1/models/gemini-x:streamGenerateContent?alt=sse", "/v1/models/gemini-x:streamGenerateContent?alt=sse"],
    ["/gemini/models/gemini-x:generateContent", "/v1beta/models/gemini-x:generateContent"],
  ])("keeps the version that it names: %s", async (path, there) => {
    const { upstream, post } = await start();
    await post(path, QUESTION);
    expect(upstream.seen[0]?.path).toBe(there);
  });

  test("is told what is wrong in its own words", async () => {
    const { post } = await start();
    const parts = [{ executableCode: { language: "PYTHON", code: "1" } }];
    const body = { contents: [...QUESTION.contents, { role: "model", parts }, ...QUESTION.contents] };
    const { status, text } = await post("/gemini/v1beta/models/lab/qwen:generateContent", body);
    expect(status).toBe(400);
    expect(JSON.parse(text).error.message).toMatch(/^contents holds a part \(executableCode\) that only Gemini/);
  });
});

test.each(["/anthropic/v1/models", "/openai/v1/models", "/gemini/v1beta/models", "/openai/v1/models/default"])(
  "HEAD %s is GET without a body",
  async (path) => {
    const { raw } = await start((response) => void response.end("{}"));
    const [head = "", body] = (await raw(`HEAD ${path}`)).split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(head).toMatch(/\r\ncontent-length: [1-9]/i);
    expect(body).toBe("");
  },
);

describe("where there is nothing", () => {
  test.each([
    ["/openai/v1/files", "as in /proxy/openai/v1/files"],
    ["/gemini/v1beta/files", "as in /proxy/gemini/v1beta/files"],
    [
      "/gemini/v1beta/models/gemini-embedding-001:embedContent",
      "/proxy/gemini/v1beta/models/gemini-embedding-001:embed",
    ],
    ["/anthropic/v1/messages/batches", "as in /proxy/anthropic/v1/messages/batches"],
    ["/openai/v1//chat/completions", "two slashes in a row"],
    ["/openai/v1/chat/completions/", "ends with a slash"],
    ["/proxy/openai/v1/chat/completions/", "ends with a slash"],
    ["/anthropic/v1/v1/messages", "the base URL has one /v1 too many"],
    ["/openai/v1/a%2Fb", "could be read in two ways"],
  ])("%s is told what may be meant", async (path, hint) => {
    const { upstream, post } = await start();
    const { status, text } = await post(path, { model: "m", input: "x" });
    expect(status).toBe(404);
    expect(text).toContain(hint);
    expect(upstream.seen).toEqual([]);
  });
});

describe("a model's name in a path", () => {
  test.each([
    ["/gemini/v1beta/models/lab%2Fqwen:generateContent", "qwen"],
    ["/gemini/v1beta/lab/qwen:generateContent", "qwen"],
    ["/gemini/v1beta/models/lab%2FMy%20Model%20(Q4):generateContent", "My Model (Q4)"],
    ["/gemini/v1beta/models/lab%2FC%3A%5Cm%5Cx.gguf%3AgenerateContent", "C:\\m\\x.gguf"],
  ])("may be encoded: %s", async (path, model) => {
    const { upstream, post } = await start();
    await post(path, QUESTION);
    expect(JSON.parse(String(upstream.seen[0]?.body))).toMatchObject({ model });
  });

  test.each([
    ["POST", "/proxy/gemini/v1beta/models/gemini-x%3AgenerateContent", "/v1beta/models/gemini-x%3AgenerateContent"],
    ["POST", "/proxy/gemini/v1beta/models/fast%3AgenerateContent", "/v1beta/models/gemini-3.5-flash%3AgenerateContent"],
    ["GET", "/proxy/lab/v1/models/meta-llama%2Fllama-3", "/models/meta-llama%2Fllama-3"],
  ])("goes to its provider as it is written: %s %s", async (method, path, there) => {
    const { upstream, post } = await start();
    await post(path, method === "GET" ? undefined : QUESTION, method);
    expect(upstream.seen[0]?.path).toMatch(new RegExp(`${there}$`));
  });
});

test("a provider that is not there is answered with those that are, also those with names of their own", async () => {
  const { post } = await start();
  const { text } = await post("/proxy/nobody/v1/chat/completions", { model: "m", messages: [] });
  expect(text).toContain("use anthropic, openai, gemini, vertex, zai, lab or default");
});
