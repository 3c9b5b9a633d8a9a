import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import type { Log } from "../../kit/log.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { type Answer, ask, startGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const JSON_TYPE = { "content-type": "application/json" };
const SSE = { "content-type": "text/event-stream" };
/** Each breaks when it is masked by its shape, cut or escaped. */
const KEYS = {
  uuid: "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
  word: "CANARY-env-key-wagtails-0123456789",
  slash: "CANARY2/ab+cd=",
};
const QUESTIONS = {
  anthropic: ["/anthropic/v1/messages", { max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }],
  chat: ["/openai/v1/chat/completions", { messages: [{ role: "user", content: "Hi" }] }],
  responses: ["/openai/v1/responses", { input: "Hi" }],
} as const;

type Asked = Answer & { readonly logged: string };

/** What a client of this dialect gets from a provider that answers like this, and what is logged. */
async function answerOf(
  answer: (response: ServerResponse) => void,
  options: {
    readonly key: string;
    readonly dialect?: keyof typeof QUESTIONS;
    readonly provider?: "anthropic" | "openai" | "gemini";
    readonly stream?: boolean;
    readonly headers?: Record<string, string>;
  },
): Promise<Asked> {
  const { key, dialect = "anthropic", provider = "anthropic", stream = false } = options;
  const upstream = await startUpstream(answer);
  closing.push(upstream);
  let logged = "";
  const note: Log["warn"] = (message, fields) => {
    logged += JSON.stringify({ about: message, ...fields });
  };
  const gateway = await startGateway({
    log: { ...SILENT_LOG, info: note, warn: note, error: note },
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: key,
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_OPENAI_API_KEY: key,
      LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
      LOOM_SERVER_GEMINI_API_KEY: key,
      LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
    },
  });
  closing.push(gateway);
  const [path, body] = QUESTIONS[dialect];
  const answered = await ask(gateway.url + path, {
    headers: { authorization: `Bearer ${gateway.token}`, ...options.headers },
    body: { ...body, model: `${provider}/m`, stream },
  });
  return { ...answered, logged };
}

function expectWithout(text: string, key: string): void {
  for (let start = 0; start + 8 <= key.length; start += 1) expect(text).not.toContain(key.slice(start, start + 8));
}

describe.each([KEYS.uuid, KEYS.word, KEYS.slash])("the key %s in a provider's words", (key) => {
  const message = (before: number): string => `${"x ".repeat(before / 2)}${key} is bad`;
  const providers = ["anthropic", "openai", "gemini"] as const;

  test.each(providers)("is in no answer and no log where it is cut: HTTP errors of %s", async (provider) => {
    for (const dialect of ["anthropic", "chat"] as const) {
      for (const body of [{ error: { message: message(166) } }, { error: `${message(4_080)}` }, message(166)]) {
        for (const status of [400, 401, 429]) {
          const text = typeof body === "string" ? body : JSON.stringify(body);
          const answer = await answerOf((response) => response.writeHead(status, JSON_TYPE).end(text), {
            ...{ key, dialect, provider },
          });
          expect(answer.status).toBeGreaterThanOrEqual(400);
          expect(answer.logged).toContain("model failed");
          expectWithout(answer.text + answer.logged, key);
        }
      }
    }
  });

  test.each(providers)("is in no answer and no log where it is cut: streams of %s", async (provider) => {
    const error = { type: "rate_limit_error", message: message(166) };
    const event = `event: error\ndata: ${JSON.stringify({ type: "error", error })}\n\n`;
    const begun = {
      anthropic: 'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n',
      openai: 'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n',
      gemini: 'data: {"candidates":[{"content":{"parts":[{"text":"Hello"}]}}]}\n\n',
    }[provider];
    for (const dialect of ["anthropic", "chat", "responses"] as const) {
      for (const text of [event, begun + event, begun + event.replace("event: error\n", "")]) {
        const answer = await answerOf((response) => response.writeHead(200, SSE).end(text), {
          ...{ key, dialect, provider, stream: true },
        });
        expectWithout(answer.text + answer.logged, key);
      }
    }
  });

  test("is in no answer where an answer in one piece is an error", async () => {
    for (const dialect of ["anthropic", "chat"] as const) {
      const text = JSON.stringify({ type: "error", error: { type: "rate_limit_error", message: message(166) } });
      const answer = await answerOf((response) => response.writeHead(200, JSON_TYPE).end(text), { key, dialect });
      expect(answer.status).toBe(429);
      expectWithout(answer.text + answer.logged, key);
    }
  });
});

const escaped = (text: string): string =>
  [...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");

test("an error that is passed on has the key in no way of writing it", async () => {
  const key = KEYS.slash;
  const inJson = (words: string): string =>
    `{"type":"error","error":{"type":"invalid_request_error","message":"${words}"}}`;
  for (const words of [key, key.replace("/", "\\/"), escaped(key), Buffer.from(`a:${key}`).toString("base64")]) {
    const body = inJson(`\\u00e9 ${words} is bad`);
    const answer = await answerOf((response) => response.writeHead(400, JSON_TYPE).end(body), { key });
    expect(answer.status).toBe(400);
    const message: unknown = JSON.parse(answer.text).error.message;
    expect(message).toMatch(/^é \S*\[redacted\]\S* is bad$/);
    expect(answer.text).toContain("\\u00e9 ");
    expectWithout(JSON.stringify(message), key);
  }
  const wide = Buffer.from(`\ufeff${inJson(key)}`, "utf16le");
  for (const body of [wide, Buffer.from(wide).swap16(), Buffer.concat([Buffer.from("x"), wide])]) {
    const answer = await answerOf((response) => response.writeHead(400, JSON_TYPE).end(body), { key });
    expect(answer.status).toBe(400);
    expectWithout(answer.bytes.toString("latin1").replaceAll("\0", ""), key);
  }
});

test("no header and no trailer of an answer holds the key", async () => {
  const key = KEYS.slash;
  const percent = "CANARY2%2fab%2bcd%3d";
  const encoded = [0, 1, 2].map((shift) => Buffer.from("y".repeat(shift) + key).toString("base64"));
  const answer = await answerOf(
    (response) => {
      response.writeHead(200, {
        ...JSON_TYPE,
        trailer: "x-last, x-other",
        "x-echo": `k ${key}`,
        "x-percent": percent,
        "x-many": ["one", key],
        "x-kept": "kept",
        ...Object.fromEntries(encoded.map((value, shift) => [`x-base64-${shift}`, value])),
      });
      response.write('{"model":"m","usage":{"input_tokens":1,');
      response.addTrailers({ "x-last": key, "x-other": "kept" });
      response.end('"output_tokens":1}}');
    },
    { key },
  );
  expect(answer.status).toBe(200);
  expect(answer.trailers).toEqual({ "x-other": "kept" });
  expect(Object.keys(answer.headers).filter((name) => name.startsWith("x-"))).toEqual(
    expect.arrayContaining(["x-many", "x-kept"]),
  );
  const shown = JSON.stringify(answer.headers);
  for (const secret of [key, percent, ...encoded.map((each) => each.slice(4, 16))]) {
    expect(shown).not.toContain(secret);
  }
});

test("errors in a stream that is passed on have no key in them, and everything else is as it came", async () => {
  const key = KEYS.uuid;
  const begin = 'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n';
  const said = `event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"no \\"error\\" ${key}"}}\n\n`;
  const error = (words: string): string =>
    `event: error\ndata: {"type":"error","error":{"type":"api_error","message":"you sent ${words} bad"}}\n\n`;
  for (const before of ["", begin + said]) {
    const answer = await answerOf((response) => response.writeHead(200, SSE).end(before + error(key)), {
      ...{ key, stream: true },
    });
    expect([answer.status, answer.text]).toEqual([200, before + error("[redacted]")]);
  }
  // However it is cut.
  const whole = begin + said + error(key);
  for (const at of [
    whole.length - 40,
    whole.indexOf("event: error") + 4,
    whole.indexOf("sent") - 60,
    whole.length - 1,
  ]) {
    const answer = await answerOf(
      (response) => {
        response.writeHead(200, SSE);
        response.write(whole.slice(0, at), () => setImmediate(() => response.end(whole.slice(at))));
      },
      { key, stream: true },
    );
    expect(answer.text).toBe(begin + said + error("[redacted]"));
  }
});
