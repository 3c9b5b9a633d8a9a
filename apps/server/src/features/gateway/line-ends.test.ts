import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { ask, makersAt, startGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function answerOf(path: string, body: object, end: (response: ServerResponse) => void) {
  const upstream = await startUpstream((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    end(response);
  });
  const gateway = await startGateway({
    env: {
      ...makersAt(upstream),
    },
  });
  closing.push(upstream, gateway);
  const answer = await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  const [row] = await gateway.waitForEntries(1);
  return { answer, row };
}

const data = (...events: readonly object[]): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

/** The same events, with their JSON as people read it. */
const inSeveralLines = (stream: string): string =>
  stream.replaceAll(/^data: (\{.*)$/gm, (_line, json: string) =>
    JSON.stringify(JSON.parse(json), null, 1).replaceAll(/^/gm, "data: "),
  );

const MESSAGES = [{ role: "user", content: "Hello?" }];

const DIALECTS = {
  Anthropic: {
    path: "/anthropic/v1/messages",
    body: { model: "claude-x", max_tokens: 100, stream: true, messages: MESSAGES },
    text: data(
      { type: "message_start", message: { model: "claude-x", usage: { input_tokens: 7, output_tokens: 1 } } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hi" } },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 8 } },
      { type: "message_stop" },
    ),
  },
  "Chat Completions": {
    path: "/openai/v1/chat/completions",
    body: { model: "gpt-x", stream: true, stream_options: { include_usage: true }, messages: MESSAGES },
    text: `${data(
      { choices: [{ index: 0, delta: { content: "Hi" } }] },
      { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
      { choices: [], usage: { prompt_tokens: 7, completion_tokens: 8 } },
    )}data: [DONE]\n\n`,
  },
  Responses: {
    path: "/openai/v1/responses",
    body: { model: "gpt-x", stream: true, input: "Hello?" },
    text: data(
      { type: "response.created", response: { id: "r", status: "in_progress", usage: null } },
      { type: "response.output_text.delta", delta: "Hi" },
      {
        type: "response.completed",
        response: { id: "r", model: "gpt-x", output: [], usage: { input_tokens: 7, output_tokens: 8 } },
      },
    ),
  },
  Gemini: {
    path: "/gemini/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
    body: { contents: [{ role: "user", parts: [{ text: "Hello?" }] }] },
    text: data(
      { candidates: [{ content: { parts: [{ text: "Hi" }] } }], usageMetadata: { promptTokenCount: 7 } },
      { candidates: [{ finishReason: "STOP" }], usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 8 } },
    ),
  },
};

const WAYS = [
  ["lines that end in a CR", (text: string) => text.replaceAll("\n", "\r")],
  ["lines that end in CR and LF", (text: string) => text.replaceAll("\n", "\r\n")],
  ["several lines of data", inSeveralLines],
  ["several lines of data that end in a CR", (text: string) => inSeveralLines(text).replaceAll("\n", "\r")],
] as const;

const WHOLE = { outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 8 } };

describe.each(Object.entries(DIALECTS))("a whole stream of %s", (_name, { path, body, text }) => {
  test.each(WAYS)("is passed on as it is and counted, in %s", async (_way, written) => {
    const sent = written(text);
    const { answer, row } = await answerOf(path, body, (response) => void response.end(sent));
    expect(answer).toMatchObject({ status: 200, complete: true, text: sent });
    expect(row).toMatchObject(WHOLE);
  });

  test.each(WAYS)("is counted where its events come in pieces, in %s", async (_way, written) => {
    const sent = written(text);
    const pieces = sent.match(/.{1,60}/gs) ?? [];
    const { answer, row } = await answerOf(path, body, (response) => {
      const next = (): void => {
        const piece = pieces.shift();
        if (piece === undefined) response.end();
        else response.write(piece, () => setImmediate(next));
      };
      next();
    });
    expect(answer).toMatchObject({ status: 200, complete: true, text: sent });
    expect(row).toMatchObject(WHOLE);
  });
});

test.each([WAYS[0], WAYS[3]])(
  "who keeps the connection open behind a whole stream is not waited for, in %s",
  async (_way, written) => {
    const began = performance.now();
    // Gemini has no mark that nothing comes behind.
    const { Gemini: _, ...marked } = DIALECTS;
    const answers = Object.values(marked).map(async ({ path, body, text }) => {
      const { answer, row } = await answerOf(path, body, (response) => void response.write(written(text)));
      expect(answer).toMatchObject({ status: 200, complete: true, text: written(text) });
      expect(row).toMatchObject(WHOLE);
    });
    await Promise.all(answers);
    expect(performance.now() - began).toBeLessThan(4_000);
  },
);

test("the counts that a client of Chat Completions did not ask for are left out of lines that end in CRs", async () => {
  const { path, body, text } = DIALECTS["Chat Completions"];
  const events = text.replaceAll("\n", "\r").split(/(?<=\r\r)/);
  const { stream_options: _, ...question } = body;
  const { answer } = await answerOf(path, question, (response) => void response.end(events.join("")));
  expect(answer).toMatchObject({ complete: true, text: events.filter((event) => !event.includes("usage")).join("") });
});

test("a stream whose lines end in CRs is seen to be cut", async () => {
  const { path, body, text } = DIALECTS.Anthropic;
  const cut = text.slice(0, text.indexOf("message_delta")).replaceAll("\n", "\r");
  const { answer, row } = await answerOf(path, body, (response) => void response.end(cut));
  expect(answer.text).toContain("event: error\n");
  expect(row).toMatchObject({ outcome: "cut_off" });
});
