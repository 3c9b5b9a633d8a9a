import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { ask, startGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const data = (...events: readonly object[]): string[] => events.map((event) => `data: ${JSON.stringify(event)}\n\n`);

const MESSAGES = [{ role: "user", content: "Hello?" }];
const CONTENTS = [{ role: "user", parts: [{ text: "Hello?" }] }];
const STREAM = "streamGenerateContent?alt=sse";
const CHAT = "/openai/v1/chat/completions";

/** Answers that are all there, but for a mark or the end of the body. */
const ANSWERS = {
  gemini: data(
    { candidates: [{ content: { parts: [{ text: "Hi" }] } }], usageMetadata: { promptTokenCount: 7 } },
    {
      candidates: [{ content: { parts: [{ text: "!" }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 9 },
    },
  ),
  chat: data(
    { choices: [{ index: 0, delta: { content: "Hi!" } }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
    { choices: [], usage: { prompt_tokens: 7, completion_tokens: 9 } },
  ),
} as const;

type Way = readonly [name: string, answer: readonly string[], path: string, body: object];

const WAYS: readonly Way[] = [
  ["Gemini, as it comes", ANSWERS.gemini, `/gemini/v1beta/models/gemini-x:${STREAM}`, { contents: CONTENTS }],
  ["Gemini, translated", ANSWERS.gemini, CHAT, { model: "gemini/gemini-x", stream: true, messages: MESSAGES }],
  ["chat, as it comes", ANSWERS.chat, CHAT, { model: "openai/gpt-x", stream: true, messages: MESSAGES }],
  ["chat, translated", ANSWERS.chat, `/gemini/v1beta/models/local/gpt-x:${STREAM}`, { contents: CONTENTS }],
];

const ENDS: readonly (readonly [name: string, end: (response: ServerResponse) => void])[] = [
  ["stays open", () => undefined],
  ["breaks", (response) => void response.destroy()],
];

async function start(answer: (response: ServerResponse) => void, gapSeconds = 120) {
  const upstream = await startUpstream(answer);
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
      LOOM_SERVER_COMPATIBLE_LOCAL_BASE_URL: `${upstream.url}/v1`,
      LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
      LOOM_SERVER_GAP_TIMEOUT: String(gapSeconds),
    },
  });
  closing.push(upstream, gateway);
  return gateway;
}

describe.each(ENDS)("where the connection %s behind an answer with its reason and its counts", (_how, end) => {
  test.each(WAYS)("the answer is whole: %s", async (_name, events, path, body) => {
    const gateway = await start((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const write = (index: number): void => {
        const event = events[index];
        if (event === undefined) end(response);
        else response.write(event, () => setImmediate(() => write(index + 1)));
      };
      write(0);
    }, 1);
    const answer = await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
    expect(answer).toMatchObject({ status: 200, complete: true });
    expect(answer.text).not.toContain("error");
    expect(await gateway.waitForEntries(1)).toMatchObject([
      { outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 9 } },
    ]);
  });
});

test("an answer with its reason and its counts is not waited for as long as for one without", async () => {
  const whole = WAYS.map(async ([, events, path, body]) => {
    const gateway = await start((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(events.join(""));
    });
    const answer = await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
    expect(answer).toMatchObject({ status: 200, complete: true });
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "completed", estimated: false }]);
  });
  await Promise.all(whole);
}, 30_000);

const CHAT_WAYS = WAYS.filter(([, answer]) => answer === ANSWERS.chat);
const stopped = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
const counted = (tokens: number) => ({ usage: { prompt_tokens: 7, completion_tokens: tokens } });

describe.each([
  ["came before it", [{ choices: [{ index: 0, delta: { content: "Hi!" } }], ...counted(0) }, stopped]],
  ["came with it", [{ choices: [{ index: 0, delta: { content: "Hi!" } }] }, { ...stopped, ...counted(3) }]],
])("where counts %s, the last ones and the mark are waited for behind the reason to stop", (_name, events) => {
  test.each(CHAT_WAYS)("%s", async (_way, _answer, path, body) => {
    const gateway = await start((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const late = `${data({ choices: [], ...counted(9) })[0]}data: [DONE]\n\n`;
      response.write(data(...events).join(""), () => void setTimeout(() => response.end(late), 2_000));
    });
    const answer = await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
    expect(answer.complete).toBe(true);
    if (path === CHAT) expect(answer.text).toContain("[DONE]");
    expect(await gateway.waitForEntries(1)).toMatchObject([
      { outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 9 } },
    ]);
  });
});

test.each(CHAT_WAYS)("a count of no output beside a text is no count of it: %s", async (_name, _answer, path, body) => {
  const text = { choices: [{ index: 0, delta: { content: "x".repeat(400) } }], ...counted(0) };
  const gateway = await start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(`${data(text, stopped).join("")}data: [DONE]\n\n`);
  });
  await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  const [row] = await gateway.waitForEntries(1);
  expect(row).toMatchObject({ outcome: "completed", estimated: true, usage: { inputTokens: 7 } });
  expect(row?.usage.outputTokens).toBeGreaterThanOrEqual(100);
});

test.each(WAYS)("a reason to stop in every event says nothing: %s", async (_name, answer, path, body) => {
  const words =
    answer === ANSWERS.chat
      ? ["Hi", "!"].map((content, index) => ({
          choices: [{ index: 0, delta: { content }, finish_reason: "stop" }],
          ...counted(index + 1),
        }))
      : ["Hi", "!"].map((text, index) => ({
          candidates: [{ content: { parts: [{ text }] }, finishReason: "STOP" }],
          usageMetadata: { promptTokenCount: 7, candidatesTokenCount: index + 1 },
        }));
  const gateway = await start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(data(...words).join(""), () => setImmediate(() => response.destroy()));
  });
  await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "cut_off", errorCode: "network" }]);
});

test("an answer that was packed is whole without the end of what it was packed in", async () => {
  const packed = gzipSync(ANSWERS.gemini.join(""));
  const gateway = await start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
    response.write(packed.subarray(0, -8));
  });
  const body = { model: "gemini/gemini-x", stream: true, messages: MESSAGES };
  const answer = await ask(gateway.url + CHAT, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  expect(answer.text).toMatch(/Hi!.*\[DONE\]/s);
  expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "completed", estimated: false }]);
});

test("a prompt that was blocked is an answer, though nothing went out before its end", async () => {
  const gateway = await start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(data({ promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 7 } })[0]);
  });
  const body = { model: "gemini/gemini-x", stream: true, messages: MESSAGES };
  const answer = await ask(gateway.url + CHAT, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  expect(answer.text).toMatch(/"finish_reason":"content_filter".*\[DONE\]/s);
  expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "completed", usage: { inputTokens: 7 } }]);
});

test("a reason that stands in what the model wrote is none", async () => {
  const call = { functionCall: { name: "stop", args: { finishReason: "done" } } };
  const [first = "", ...rest] = data({
    candidates: [{ content: { parts: [call] } }],
    usageMetadata: { promptTokenCount: 7 },
  });
  const late = ANSWERS.gemini.join("");
  const gateway = await start((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    // Longer than the end of a body is waited for, once all of an answer is there.
    response.write(first + rest.join(""), () => void setTimeout(() => response.end(late), 2_000));
  });
  const answer = await ask(`${gateway.url}/gemini/v1beta/models/gemini-x:${STREAM}`, {
    body: { contents: CONTENTS },
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  expect(answer.text).toBe(first + late);
});
