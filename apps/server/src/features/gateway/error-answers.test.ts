import type { ServerResponse } from "node:http";
import { brotliCompressSync, constants, createGzip, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { Routing } from "../../gateway-types.ts";
import { ask, makersAt, open, startGateway, type TestGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const JSON_TYPE = { "content-type": "application/json" };
const SSE = { "content-type": "text/event-stream" };
const CHAT = "/openai/v1/chat/completions";
const QUESTION = { model: "gpt-5", messages: [{ role: "user", content: "x".repeat(4_000) }] };
const COMPLETION =
  '{"model":"gpt-5","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":6}}';

/** Two upstreams of one dialect, of which the first one answers as the test says. */
async function twoUpstreams(
  answer: (response: ServerResponse) => void,
  steps: readonly string[],
): Promise<TestGateway> {
  const upstream = await startUpstream((response, { path }) => {
    if (path.startsWith("/other")) response.writeHead(200, JSON_TYPE).end(COMPLETION);
    else answer(response);
  });
  const routing: Routing = {
    plan: ({ model }) => ({ ok: true, steps: steps.map((name) => ({ upstream: name, model, reason: name })) }),
    enter: () => true,
    report: () => {},
    aliases: () => [],
  };
  const gateway = await startGateway({
    routing,
    env: {
      ...makersAt(upstream),
      LOOM_SERVER_COMPATIBLE_OTHER_BASE_URL: `${upstream.url}/other`,
    },
  });
  closing.push(upstream, gateway);
  return gateway;
}

function post(gateway: TestGateway, path: string, body: object) {
  return ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
}

const PACKED = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync } as const;

type Way = (response: ServerResponse, text: string) => void;
const inPieces: Way = (response, text) => {
  response.writeHead(200, JSON_TYPE);
  response.write(text.slice(0, 20), () => setImmediate(() => response.end(text.slice(20))));
};
const WAYS: readonly (readonly [string, Way])[] = [
  ["in one piece", (response, text) => void response.writeHead(200, JSON_TYPE).end(text)],
  ["in pieces", inPieces],
  ...Object.entries(PACKED).map(([encoding, pack]): readonly [string, Way] => [
    `as ${encoding}`,
    (response, text) => {
      const bytes = pack(Buffer.from(text));
      response.writeHead(200, { ...JSON_TYPE, "content-encoding": encoding });
      response.write(bytes.subarray(0, 12), () => setImmediate(() => response.end(bytes.subarray(12))));
    },
  ]),
];

const ERRORS = {
  anthropic: ["/anthropic/v1/messages", '{"type":"error","error":{"type":"overloaded_error","message":"Later."}}'],
  openai: [CHAT, '{ "error": {"message":"Later.","type":"server_error","code":"engine_overloaded_error"} }'],
  gemini: [
    "/gemini/v1beta/models/gpt-5:generateContent",
    '{\n  "error": {"code":503,"message":"Later.","status":"UNAVAILABLE"}}',
  ],
} as const;

describe.each(Object.entries(ERRORS))("an error of %s with a status of success", (name, [path, text]) => {
  const asked =
    name === "gemini" ? { contents: [{ role: "user", parts: [{ text: "Hi" }] }] } : { ...QUESTION, max_tokens: 9 };

  test.each(WAYS)("that comes %s is no answer: somebody else is asked", async (_how, send) => {
    const gateway = await twoUpstreams((response) => send(response, text), [name, "other"]);
    const answer = await post(gateway, path, asked);
    expect(answer).toMatchObject({ status: 200, headers: { "x-loom-attempts": "2" } });
    expect(answer.text).not.toContain("Later.");
    // It was refused, so that nothing is charged for it.
    expect(gateway.entries).toMatchObject([{ outcome: "completed", upstream: "other", attempts: 2 }]);
  });

  test.each(WAYS)("that comes %s is an error where nobody else is there", async (_how, send) => {
    const gateway = await twoUpstreams((response) => send(response, text), [name]);
    const answer = await post(gateway, path, asked);
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.text).toContain("Later.");
    const row = { outcome: "failed", errorCode: "overloaded", estimated: false, usage: { inputTokens: 0 } };
    expect(gateway.entries).toMatchObject([row]);
  });

  test("is none for a client of another dialect either, and is not charged", async () => {
    const other = name === "openai" ? ERRORS.anthropic[0] : CHAT;
    const gateway = await twoUpstreams(
      (response) => void response.writeHead(200, JSON_TYPE).end(text),
      [name, "other"],
    );
    expect(await post(gateway, other, { ...QUESTION, max_tokens: 9 })).toMatchObject({ status: 200 });
    expect(gateway.entries).toMatchObject([{ outcome: "completed", upstream: "other", attempts: 2 }]);
  });
});

describe("an answer", () => {
  test.each([
    '{"created":1,"choices":[{"message":{"content":"Hi"}}]}',
    '{"system_fingerprint":null,"usage":{"prompt_tokens":1,"completion_tokens":1}}',
    '{"reply":"Hi","id":"7"}',
  ])("is one although it begins like none: %s", async (text) => {
    const gateway = await twoUpstreams((response) => inPieces(response, text), ["openai", "other"]);
    expect(await post(gateway, CHAT, QUESTION)).toMatchObject({ status: 200, text });
    expect(gateway.entries).toMatchObject([{ outcome: "completed", upstream: "openai", attempts: 1 }]);
  });

  test("that turns out to be an error when a part of it has gone out is marked as failed", async () => {
    const text = '{"model":"m","n":7,"error":{"message":"Later."}}';
    const gateway = await twoUpstreams(
      (response) => {
        response.writeHead(200, JSON_TYPE);
        response.write(text.slice(0, 14), () => setTimeout(() => response.end(text.slice(14)), 20));
      },
      ["openai", "other"],
    );
    expect(await post(gateway, CHAT, QUESTION)).toMatchObject({ status: 200, text });
    expect(await gateway.waitForEntries(1)).toMatchObject([
      { outcome: "failed", errorCode: "overloaded", attempts: 1 },
    ]);
  });

  test.each([
    '{"error":null,"model":"gpt-5","choices":[{"message":{"content":"Hi"}}]}',
    '{"error":{},"choices":[{"message":{"content":"Hi"}}]}',
  ])("is one although it has a place for an error: %s", async (text) => {
    const gateway = await twoUpstreams((response) => inPieces(response, text), ["openai", "other"]);
    expect(await post(gateway, CHAT, QUESTION)).toMatchObject({ status: 200, text });
    expect(gateway.entries).toMatchObject([{ outcome: "completed", upstream: "openai", attempts: 1 }]);
  });
});

test("an error of Gemini in a list, for who asks for a stream that is none of events, is an error", async () => {
  const text = '[{\n  "error": {"code":503,"message":"Later.","status":"UNAVAILABLE"}}\n]';
  const gateway = await twoUpstreams((response) => void response.writeHead(200, JSON_TYPE).end(text), ["gemini"]);
  const question = { contents: [{ role: "user", parts: [{ text: "Hi" }] }] };
  const answer = await post(gateway, "/gemini/v1beta/models/gemini-x:streamGenerateContent", question);
  expect(answer).toMatchObject({ status: 503, text: expect.stringContaining("Later.") });
  expect(gateway.entries).toMatchObject([{ outcome: "failed", errorCode: "overloaded", estimated: false }]);
});

test.each(WAYS)(
  "a list of answers of Gemini whose last item is an error, %s, passes and has failed",
  async (_how, send) => {
    const said = '{"candidates":[{"content":{"parts":[{"text":"Hello"}]}}],"usageMetadata":{"promptTokenCount":5}}';
    const text = `[${said},\r\n{"error":{"code":503,"message":"Later.","status":"UNAVAILABLE"}}]`;
    const gateway = await twoUpstreams((response) => send(response, text), ["gemini"]);
    const question = { contents: [{ role: "user", parts: [{ text: "Hi" }] }] };
    const answer = await post(gateway, "/gemini/v1beta/models/gemini-x:streamGenerateContent", question);
    expect(answer.status).toBe(200);
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({ outcome: "failed", errorCode: "overloaded", usage: { inputTokens: 5 } });
  },
);

describe("a list of answers of Gemini that is compressed", () => {
  const path = "/gemini/v1beta/models/gemini-x:streamGenerateContent";
  const question = { contents: [{ role: "user", parts: [{ text: "Hi" }] }] };
  const first = '[{"candidates":[{"content":{"parts":[{"text":"Hello"}]}}]}\n,\r\n';
  const rest =
    '{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":6}}]';
  const head = { ...JSON_TYPE, "content-encoding": "gzip" };
  const laterError = '[{\n  "error": {"code":503,"message":"Later.","status":"UNAVAILABLE"}}\n]';

  test("is passed on while it comes", async () => {
    const passed = Promise.withResolvers<void>();
    const gateway = await twoUpstreams(
      (response) => {
        response.writeHead(200, head);
        const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
        gzip.pipe(response);
        gzip.write(first);
        void passed.promise.then(() => gzip.end(rest));
      },
      ["gemini"],
    );
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answer = await open(gateway.url + path, { headers, body: question });
    expect(answer.status).toBe(200);
    passed.resolve();
    const usage = { inputTokens: 5, outputTokens: 6 };
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "completed", estimated: false, usage }]);
  });

  test.each([
    ["an error", head, gzipSync(laterError), 503, "overloaded"],
    ["cut, and short", { ...head, "content-length": "9999" }, gzipSync(first).subarray(0, -12), 502, "network"],
  ])("is an error where it is %s", async (_what, headers, bytes, status, errorCode) => {
    const gateway = await twoUpstreams(
      (response) => {
        response.writeHead(200, headers);
        response.write(bytes.subarray(0, -4), () =>
          setImmediate(() => (errorCode === "network" ? response.destroy() : response.end(bytes.subarray(-4)))),
        );
      },
      ["gemini"],
    );
    expect(await post(gateway, path, question)).toMatchObject({ status });
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "failed", errorCode }]);
  });
});

test("an answer in an encoding that nobody here knows passes as it came", async () => {
  const headers = { ...SSE, "content-encoding": "x-own" };
  const gateway = await twoUpstreams(
    (response) => void response.writeHead(200, headers).end("\x01\x02"),
    ["openai", "other"],
  );
  expect(await post(gateway, CHAT, QUESTION)).toMatchObject({ status: 200, text: "\x01\x02" });
});

describe("a stream", () => {
  test.each(["<html>Sign in</html>", "x".repeat(100_000), '{"choices":[]}'])(
    "that does not begin like one (%#) is no answer: somebody else is asked",
    async (text) => {
      const gateway = await twoUpstreams(
        (response) => void response.writeHead(200, SSE).end(text),
        ["openai", "other"],
      );
      expect(await post(gateway, CHAT, QUESTION)).toMatchObject({ status: 200, text: COMPLETION });
    },
  );

  test.each([": ping\n\n", "\n", "\xef\xbb\xbf", "d", "id: 7\n", "retry: 5\n", "event:message\n"])(
    "that begins with %j is one",
    async (beginning) => {
      const rest = beginning === "d" ? 'ata: {"choices":[]}\n\ndata: [DONE]\n\n' : "data: [DONE]\n\n";
      const gateway = await twoUpstreams(
        (response) => {
          response.writeHead(200, SSE);
          response.write(beginning, "latin1", () => setTimeout(() => response.end(rest), 20));
        },
        ["openai", "other"],
      );
      const answer = await post(gateway, CHAT, { ...QUESTION, stream: true });
      expect(answer.bytes.toString("latin1")).toBe(beginning + rest);
      expect(gateway.entries).toMatchObject([{ outcome: "completed", attempts: 1 }]);
    },
  );
});

test("a stream that begins with something else passes, from its first known event on", async () => {
  const events = ['data: {"status":"queued"}\n\n', 'data: {"choices":[]}\n\n', "data: [DONE]\n\n"];
  const known = Promise.withResolvers<void>();
  const gateway = await twoUpstreams(
    (response) => {
      response.writeHead(200, SSE);
      response.write(events[0], () => setTimeout(() => response.write(events[1]), 20));
      void known.promise.then(() => response.end(events[2]));
    },
    ["openai", "other"],
  );
  const headers = { authorization: `Bearer ${gateway.token}` };
  const answer = await open(gateway.url + CHAT, { headers, body: { ...QUESTION, stream: true } });
  await answer.waitFor(events.slice(0, 2).join(""));
  known.resolve();
  expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "completed", upstream: "openai" }]);
});

describe.each(Object.entries(PACKED))("an answer as %s", (encoding, pack) => {
  const headers = { "content-encoding": encoding };
  const stream = `data: {"choices":[{"delta":{"content":"Hello ${"x".repeat(30_000)}"}}]}\n\ndata: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`;

  test.each([
    ["plain text", { ...JSON_TYPE, ...headers }, () => pack(Buffer.from("Service is starting."))],
    ["JSON that is cut", { ...JSON_TYPE, ...headers }, () => pack(Buffer.from(COMPLETION.slice(0, 30)))],
    ["bytes that are cut", { ...JSON_TYPE, ...headers }, () => pack(Buffer.from(COMPLETION)).subarray(0, -12)],
    ["something else", { ...JSON_TYPE, ...headers }, () => Buffer.from("no such thing")],
    ["a stream of nothing", { ...SSE, ...headers }, () => pack(Buffer.from(""))],
    ["an error", { ...SSE, ...headers }, () => pack(Buffer.from('data: {"error":{"message":"Later."}}\n\n'))],
  ])("is none where it is %s: somebody else is asked", async (_what, head, bytes) => {
    const gateway = await twoUpstreams(
      (response) => void response.writeHead(200, head).end(bytes()),
      ["openai", "other"],
    );
    const answer = await post(gateway, CHAT, QUESTION);
    expect(answer).toMatchObject({ status: 200, text: COMPLETION });
    expect(gateway.entries.at(-1)).toMatchObject({ outcome: "completed", upstream: "other", attempts: 2 });
  });

  test.each([
    ["a document", JSON_TYPE, COMPLETION],
    ["a stream", SSE, stream],
  ])("passes as it came where it is %s", async (_what, type, text) => {
    const bytes = pack(Buffer.from(text));
    const gateway = await twoUpstreams(
      (response) => {
        response.writeHead(200, { ...type, ...headers });
        response.write(bytes.subarray(0, 9), () => setImmediate(() => response.end(bytes.subarray(9))));
      },
      ["openai", "other"],
    );
    const answer = await post(gateway, CHAT, { ...QUESTION, stream: type === SSE });
    expect(answer.bytes.equals(bytes)).toBe(true);
    expect(answer.headers).toMatchObject({ ...headers, "x-loom-attempts": "1" });
    expect(gateway.entries).toMatchObject([{ outcome: "completed", upstream: "openai" }]);
  });

  test("says in its row that it was cut, although its bytes had gone out", async () => {
    const bytes = pack(Buffer.from(stream.slice(0, -60)));
    const gateway = await twoUpstreams(
      (response) => {
        response.writeHead(200, { ...SSE, ...headers });
        response.write(bytes.subarray(0, -4), () => setTimeout(() => response.end(bytes.subarray(-4)), 20));
      },
      ["openai"],
    );
    await post(gateway, CHAT, { ...QUESTION, stream: true }).catch(() => undefined);
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "cut_off", errorCode: "network" }]);
  });
});

describe("an answer of more than 8 MiB", () => {
  const picture = "iVBORw0KGgo".repeat(900_000);
  const text = `{"model":"gpt-5","choices":[{"message":{"content":"${picture}"}}],"usage":{"prompt_tokens":5,"completion_tokens":6}}\n`;

  test("counts what its end says", async () => {
    const gateway = await twoUpstreams((response) => void response.writeHead(200, JSON_TYPE).end(text), ["openai"]);
    expect((await post(gateway, CHAT, QUESTION)).bytes).toHaveLength(text.length);
    const usage = { inputTokens: 5, outputTokens: 6 };
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "completed", estimated: false, usage }]);
  });

  test("is cut off where its end is missing", async () => {
    const gateway = await twoUpstreams(
      (response) => void response.writeHead(200, JSON_TYPE).end(text.slice(0, -100)),
      ["openai"],
    );
    await post(gateway, CHAT, QUESTION).catch(() => undefined);
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "cut_off", errorCode: "network" }]);
  });
});
