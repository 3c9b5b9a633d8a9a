import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { routingOf, to } from "../routing/routing.testing.ts";
import { ask, startGateway, type TestGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { LeadingComments } from "./leading-comments.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const COMMENT = ": OPENROUTER PROCESSING\n\n";
const ERROR = 'data: {"error":{"code":502,"message":"Later."}}\n\n';
const chunk = (choice: object, more = {}) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [choice], ...more })}\n\n`;
const ANSWER = `${chunk({ index: 0, delta: { content: "Hello" }, finish_reason: null })}${chunk(
  { index: 0, delta: {}, finish_reason: "stop" },
  { usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } },
)}data: [DONE]\n\n`;

type Answer = (response: ServerResponse) => void;
type Options = { readonly seconds?: string; readonly keepAliveMs?: number; readonly type?: string };

/** Two servers in a row, of which the second answers well. */
async function start(first: Answer, { seconds = "30", keepAliveMs, type = "text/event-stream" }: Options = {}) {
  const one = await startUpstream((response) => {
    response.writeHead(200, { "content-type": type });
    first(response);
  });
  const two = await startUpstream((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).end(ANSWER);
  });
  closing.push(one, two);
  const env = {
    LOOM_SERVER_COMPATIBLE_ONE_BASE_URL: `${one.url}/v1`,
    LOOM_SERVER_COMPATIBLE_ONE_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_COMPATIBLE_TWO_BASE_URL: `${two.url}/v1`,
    LOOM_SERVER_COMPATIBLE_TWO_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_FIRST_EVENT_TIMEOUT: seconds,
    LOOM_SERVER_GAP_TIMEOUT: seconds,
  };
  const routing = await routingOf(env, [{ name: "two", definition: to("one/m", "two/m") }]);
  const gateway = await startGateway({ env, routing, ...(keepAliveMs === undefined ? {} : { keepAliveMs }) });
  closing.push(gateway);
  return gateway;
}

const CLIENTS = [
  ["passed on", "/openai/v1/chat/completions"],
  ["translated", "/anthropic/v1/messages"],
] as const;

function stream(gateway: TestGateway, path: string) {
  const body = { model: "two", stream: true, max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };
  return ask(gateway.url + path, { headers: { authorization: `Bearer ${gateway.token}` }, body });
}

/** Comments every few milliseconds, for as long as somebody listens. */
function commentsFor(response: ServerResponse): void {
  const timer = setInterval(() => response.write(COMMENT), 20);
  response.once("close", () => clearInterval(timer));
}

describe.each(CLIENTS)("behind comments, of a stream that is %s,", (_name, path) => {
  test.each<readonly [string, Answer]>([
    ["an error", (response) => response.end(COMMENT + ERROR)],
    [
      "an error that comes by itself",
      (response) => {
        response.write(COMMENT);
        setTimeout(() => response.end(ERROR), 30);
      },
    ],
    [
      "a cut",
      (response) => {
        response.write(COMMENT);
        setTimeout(() => response.destroy(), 30);
      },
    ],
    ["an end", (response) => response.end(COMMENT + COMMENT)],
    [
      "a web page",
      (response) => {
        response.write(COMMENT.slice(0, 9));
        setTimeout(() => response.end(`${COMMENT.slice(9)}<html>gateway down</html>`), 30);
      },
    ],
  ])("%s is answered by the next target", async (_what, first) => {
    const gateway = await start(first);
    const answer = await stream(gateway, path);
    expect(answer.headers["x-loom-attempts"]).toBe("2");
    expect(answer.text).toContain("Hello");
    expect(answer.text).not.toMatch(/html|OPENROUTER/);
  });

  test("nothing but more of them is a first event that does not come", async () => {
    const gateway = await start(commentsFor, { seconds: "0.3" });
    const answer = await stream(gateway, path);
    expect(answer.headers["x-loom-attempts"]).toBe("2");
    expect(answer.headers["x-loom-route"]).toMatch(/fallback after timeout of one\/m/);
    expect(answer.text).toContain("Hello");
  });

  test("nothing comes in time for a client that was told to wait, which hears so", async () => {
    const gateway = await start(commentsFor, { seconds: "0.6", keepAliveMs: 100 });
    const answer = await stream(gateway, path);
    expect(answer.headers["x-loom-attempts"]).toBe("1");
    expect(answer.text).toMatch(/first event time-out/);
    expect(gateway.entries).toMatchObject([{ errorCode: "timeout" }]);
  });

  test("an answer is the answer", async () => {
    const gateway = await start((response) => response.end(COMMENT + COMMENT + ANSWER));
    const answer = await stream(gateway, path);
    expect(answer.headers["x-loom-attempts"]).toBe("1");
    expect(answer.text).toContain("Hello");
    expect(gateway.entries).toMatchObject([{ outcome: "completed", usage: { outputTokens: 1 }, estimated: false }]);
  });
});

test.each(["text/event-stream", "text/plain"])(
  "comments of a good stream reach its client, of the type %s",
  async (type) => {
    const text = COMMENT + COMMENT + ANSWER.replace("data: [DONE]", `${COMMENT}data: [DONE]`);
    for (const [keepAliveMs, gapMs] of [
      [5_000, 0],
      [20, 100],
    ] as const) {
      const gateway = await start(
        (response) => {
          response.write(text.slice(0, 12));
          setTimeout(() => response.end(text.slice(12)), gapMs);
        },
        { keepAliveMs, type },
      );
      expect((await stream(gateway, "/openai/v1/chat/completions")).text.replace(/data: \{[^\n]*usage.*\n\n/, "")).toBe(
        text.replace(/data: \{[^\n]*usage.*\n\n/, ""),
      );
    }
  },
);

test("comments are told from what follows, however they are cut", () => {
  const text = Buffer.from("\uFEFF\r\n: a: {}\r: b\r\n\n  data: x");
  const start = text.indexOf("data");
  for (let cut = 0; cut <= start; cut += 1) {
    const comments = new LeadingComments();
    expect(comments.startIn(text.subarray(0, cut))).toBe(-1);
    expect(comments.startIn(text.subarray(cut))).toBe(start - cut);
  }
});
