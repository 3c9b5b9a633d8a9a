import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { ask, startGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const FIRST =
  'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Half an answer."}\n\n';
const RESPONSE = {
  id: "r",
  model: "gpt-5",
  status: "completed",
  output: [{ type: "message", content: [{ type: "output_text", text: "y".repeat(100_000) }] }],
  usage: { input_tokens: 7, output_tokens: 8, total_tokens: 15 },
};
const LAST = `event: response.completed\ndata: ${JSON.stringify({ type: "response.completed", response: RESPONSE })}\n\n`;

/** What comes of a stream whose last event goes out to its byte `cut`, before `then` is called. */
async function answerCutAt(cut: number, then: (response: ServerResponse) => void) {
  const upstream = await startUpstream((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(FIRST, () => response.write(LAST.slice(0, cut), () => setImmediate(() => then(response))));
  });
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
    },
  });
  closing.push(upstream, gateway);
  const answer = await ask(`${gateway.url}/openai/v1/responses`, {
    headers: { authorization: `Bearer ${gateway.token}` },
    body: { model: "gpt-5", input: "Hi", stream: true },
  });
  const [row] = await gateway.waitForEntries(1);
  return { answer, row };
}

const BREAKS: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  ["is reset", (response) => void response.destroy()],
  ["ends", (response) => void response.end()],
];
const CUTS = [
  ["behind its name", "event: response.completed\n".length],
  ["in the middle", 30_000],
  ["behind a brace within it", LAST.indexOf("}") + 1],
] as const;

describe.each(BREAKS)("the last event of Responses, where the connection %s", (_how, end) => {
  test.each(CUTS)("%s, is no end", async (_where, cut) => {
    const { answer, row } = await answerCutAt(cut, end);
    expect(answer.text).toContain("event: response.failed\n");
    expect(row).toMatchObject({ outcome: "cut_off", errorCode: "network", estimated: true });
  });

  test("behind its line, is the end", async () => {
    const { answer, row } = await answerCutAt(LAST.length - 1, end);
    expect(answer).toMatchObject({ complete: true, text: FIRST + LAST.slice(0, -1) });
    expect(row).toMatchObject({ outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 8 } });
  });
});

test("the rest of the last event of Responses is waited for as any other is", async () => {
  const cut = 30_000;
  // Longer than the end of a body is waited for, once all of an answer is there.
  const late = (response: ServerResponse) => void setTimeout(() => response.end(LAST.slice(cut)), 2_000);
  const { answer, row } = await answerCutAt(cut, late);
  expect(answer).toMatchObject({ complete: true, text: FIRST + LAST });
  expect(row).toMatchObject({ outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 8 } });
});

test("who keeps the connection open behind the last event of Responses is not waited for", async () => {
  const { answer, row } = await answerCutAt(LAST.length, () => {});
  expect(answer).toMatchObject({ complete: true, text: FIRST + LAST });
  expect(row).toMatchObject({ outcome: "completed", estimated: false, usage: { inputTokens: 7, outputTokens: 8 } });
});
