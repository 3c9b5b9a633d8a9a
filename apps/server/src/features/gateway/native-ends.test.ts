import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { ask, startGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const CHAT = "/openai/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";
const QUESTION = { messages: [{ role: "user", content: "Hello?" }], max_tokens: 100 };

async function answerOf(path: string, body: object, answer: (response: ServerResponse) => void, keepAliveMs = 15_000) {
  const upstream = await startUpstream(answer);
  const gateway = await startGateway({
    keepAliveMs,
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
    },
  });
  closing.push(upstream, gateway);
  const answer_ = await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  const [row] = await gateway.waitForEntries(1);
  return { answer: answer_, row };
}

const data = (...events: readonly object[]): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

describe("events under the type of something else", () => {
  const text = data(
    { choices: [{ index: 0, delta: { content: "Hi" } }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  );
  const counts = data({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 9 } });
  const body = { model: "gpt-x", stream: true, ...QUESTION };

  test.each([["application/json"], ["text/plain"], [undefined]])(
    "are the stream that was asked for: %s",
    async (type) => {
      const { answer, row } = await answerOf(CHAT, body, (response) => {
        response.writeHead(200, type === undefined ? {} : { "content-type": type });
        response.end(`${text}${counts}data: [DONE]\n\n`);
      });
      // The counts, which nobody asked for, are left out.
      expect(answer).toMatchObject({ status: 200, complete: true, text: `${text}data: [DONE]\n\n` });
      expect(answer.headers["content-type"]).toBe(type);
      expect(row).toMatchObject({ outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 9 } });
    },
  );

  test("are the stream that was asked for: packed", async () => {
    const packed = gzipSync(`${text}${counts}data: [DONE]\n\n`);
    const { answer, row } = await answerOf(CHAT, body, (response) => {
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
      response.end(packed);
    });
    expect(answer.bytes).toEqual(packed);
    expect(row).toMatchObject({ outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 9 } });
  });

  test("are cut where the stream is", async () => {
    const { answer, row } = await answerOf(CHAT, body, (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(data({ choices: [{ index: 0, delta: { content: "Hi" } }] }));
    });
    expect(answer.text).toContain('data: {"error":');
    expect(row).toMatchObject({ outcome: "cut_off", estimated: true });
  });

  test("are no answer where none were asked for", async () => {
    const { answer } = await answerOf(CHAT, { model: "gpt-x", ...QUESTION }, (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`${text}data: [DONE]\n\n`);
    });
    expect(answer.status).toBe(502);
  });
});

describe("a provider's error in its stream", () => {
  const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  const start = data({
    type: "message_start",
    message: { id: "m", model: "claude-x", usage: { input_tokens: 5, output_tokens: 1 } },
  });
  const unavailable = { error: { message: "Try later.", type: "server_error", code: 503 } };
  const word = data({ choices: [{ index: 0, delta: { content: "Hi" } }] });

  test.each([
    ["Anthropic", MESSAGES, "claude-x", `event: error\n${data(overloaded)}`],
    ["Anthropic, behind a ping", MESSAGES, "claude-x", `: ping\n\nevent: error\n${data(overloaded)}`],
    ["chat", CHAT, "gpt-x", data(unavailable)],
    [
      "Responses",
      "/openai/v1/responses",
      "gpt-x",
      `event: response.failed\n${data({
        type: "response.failed",
        response: { id: "r", status: "failed", error: { code: "server_error", message: "Overloaded" }, usage: null },
      })}`,
    ],
  ])("is a failure that costs nothing where it is all that came: %s", async (_name, path, model, sent) => {
    const { answer, row } = await answerOf(path, { model, stream: true, ...QUESTION, input: "Hello?" }, (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(sent);
    });
    expect(answer).toMatchObject({ status: 200, text: sent });
    expect(row).toMatchObject({
      outcome: "failed",
      errorCode: "overloaded",
      estimated: false,
      usage: { inputTokens: 0, outputTokens: 0 },
    });
  });

  test.each([
    [
      "Anthropic",
      MESSAGES,
      "claude-x",
      `${start}event: error\n${data(overloaded)}`,
      { inputTokens: 5, outputTokens: 1 },
    ],
    ["chat", CHAT, "gpt-x", `${word}${data(unavailable)}`, { outputTokens: 1 }],
  ])("is a failure behind what is charged: %s", async (_name, path, model, sent, usage) => {
    const { row } = await answerOf(path, { model, stream: true, ...QUESTION }, (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(sent);
    });
    expect(row).toMatchObject({ outcome: "failed", errorCode: "overloaded", estimated: true, usage });
  });

  test.each([
    ["Anthropic", MESSAGES, "claude-x", `${start}event: error\n${data(overloaded)}`],
    ["chat", CHAT, "gpt-x", `${word}${data(unavailable)}`],
  ])("is that failure where the connection breaks behind it: %s", async (_name, path, model, sent) => {
    const { answer, row } = await answerOf(path, { model, stream: true, ...QUESTION }, (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(sent, () => setImmediate(() => response.destroy()));
    });
    expect(answer).toMatchObject({ status: 200, complete: true, text: sent });
    expect(row).toMatchObject({ outcome: "failed", errorCode: "overloaded", estimated: true });
  });

  test("costs nothing where only signs of life went before it, translated", async () => {
    const body = { model: "anthropic/claude-x", stream: true, ...QUESTION };
    const fail = (response: ServerResponse) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      // Long enough for one.
      setTimeout(() => response.end(`event: error\n${data(overloaded)}`), 500);
    };
    const { answer, row } = await answerOf(CHAT, body, fail, 50);
    expect(answer.status).toBe(200);
    expect(row).toMatchObject({
      outcome: "failed",
      errorCode: "overloaded",
      estimated: false,
      usage: { inputTokens: 0 },
    });
  });

  test("is none where a model writes of one", async () => {
    const call = { index: 0, delta: { content: '"error"', error: {} } };
    const sent = `${data({ choices: [call] }, { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], error: {} })}data: [DONE]\n\n`;
    const { row } = await answerOf(CHAT, { model: "gpt-x", stream: true, ...QUESTION }, (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(sent);
    });
    expect(row).toMatchObject({ outcome: "completed" });
  });
});

test("that nothing has changed is no answer of a model", async () => {
  const { answer, row } = await answerOf(CHAT, { model: "gpt-x", ...QUESTION }, (response) => {
    response.writeHead(304).end();
  });
  expect(answer.status).toBe(502);
  expect(answer.text).toContain("answered that nothing has changed (HTTP 304)");
  expect(row).toMatchObject({ outcome: "failed", status: 502, errorCode: "invalid_response" });
});
