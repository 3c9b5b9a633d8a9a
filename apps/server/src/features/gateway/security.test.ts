import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ask, rawExchange, startGateway, type TestGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream, type TestUpstream } from "./upstream.testing.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
let before = 0;
beforeAll(async () => {
  upstream = await startUpstream(
    (response) => void response.writeHead(200, { "content-type": "application/json" }).end("{}"),
  );
  gateway = await startGateway({ env: environment() });
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});
beforeEach(() => {
  before = upstream.seen.length;
});

function environment() {
  return {
    LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
    LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
    LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
  };
}

const MESSAGES = "/proxy/anthropic/v1/messages";
const BODY = '{"model":"claude-x","messages":[]}';
/** Nothing in its shape says that it is a key. */
const ODD_KEY = "correct.horse.battery.staple";

function head(lines: readonly string[], path = MESSAGES): string {
  return [`POST ${path} HTTP/1.1`, "Host: 127.0.0.1", `Authorization: Bearer ${gateway.token}`, ...lines, "", ""].join(
    "\r\n",
  );
}

test("what the server keeps secret is in no header, whatever the model is called", async () => {
  const other = await startGateway({
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_OPENAI_API_KEY: ODD_KEY,
    },
  });
  try {
    for (const secret of [UPSTREAM_KEY, ODD_KEY]) {
      const { headers } = await ask(`${other.url}${MESSAGES}`, {
        body: { model: `claude-${secret}`, messages: [] },
        headers: { authorization: `Bearer ${other.token}` },
      });
      expect(headers["x-loom-route"]).toBe("anthropic/claude-[redacted]; model");
      expect(JSON.stringify(headers)).not.toContain(secret);
    }
  } finally {
    await other.close();
  }
});

describe("a request that two servers could read differently", () => {
  test.each([
    ["two lengths", ["Content-Length: 34", "Content-Length: 5"], BODY],
    ["a length and chunks", ["Content-Length: 34", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["chunks twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["chunks that are not the last encoding", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"],
    ["a length with a sign", ["Content-Length: +34"], BODY],
    ["a folded header", ["X-A: b", " Content-Length: 34"], BODY],
    ["a blank before the colon", ["Content-Length : 34"], BODY],
    ["two hosts", ["Host: evil.example", "Content-Length: 34"], BODY],
  ])("is refused: %s", async (_name, lines, body) => {
    const text = await rawExchange(gateway.url, head([...lines, "Connection: close"]) + body);
    expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(upstream.seen).toHaveLength(before);
  });

  test.each([
    "/proxy/anthropic/v1/../../etc/messages",
    "/proxy/anthropic/%2e%2e/v1/messages",
    "/proxy/anthropic//evil.example/v1/messages",
    "/proxy/http:%2f%2fevil.example/v1/messages",
    "http://evil.example/proxy/anthropic/v1/messages",
  ])("is refused: the path %s", async (path) => {
    const text = await rawExchange(gateway.url, head(["Content-Length: 34", "Connection: close"], path) + BODY);
    expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(upstream.seen).toHaveLength(before);
  });
});

describe("the name of a model", () => {
  test.each([
    "a\r\nx-evil: 1",
    " a",
    "a ",
    "a;b",
    "ä",
    "../../admin",
    "a/../b",
    "",
    "x".repeat(201),
    "a?b",
    "a#b",
    "a%2Fb",
    "a\\..\\b",
  ])("is not %j", async (model) => {
    const answer = await ask(gateway.url + MESSAGES, {
      headers: { authorization: `Bearer ${gateway.token}` },
      body: { model, messages: [] },
    });
    expect(answer.status).toBe(400);
    expect(answer.headers).not.toHaveProperty("x-evil");
    expect(upstream.seen).toHaveLength(before);
  });

  test("that cannot be one is told what may be in it", async () => {
    const { text } = await ask(gateway.url + MESSAGES, {
      headers: { authorization: `Bearer ${gateway.token}` },
      body: { model: "a?b", messages: [] },
    });
    expect(JSON.parse(text).error.message).toContain("letters, digits, blanks inside and any of . : @ /");
  });

  test("with a colon in it is not deleted by those who may only use it", async () => {
    const user = await startGateway({ env: environment(), scopes: ["llm:use"] });
    try {
      for (const path of ["/proxy/openai/v1/models/ft:gpt-x:a::b", "/proxy/openai/v1/models/ft%3Agpt-x%3Aa%3A%3Ab"]) {
        const headers = { authorization: `Bearer ${user.token}` };
        expect(await ask(user.url + path, { method: "DELETE", headers })).toMatchObject({ status: 403 });
      }
      expect(upstream.seen).toHaveLength(before);
    } finally {
      await user.close();
    }
  });

  test("in a path cannot leave it", async () => {
    const path = "/proxy/gemini/v1beta/models/..%2F..%2Ffiles:generateContent";
    const answer = await ask(gateway.url + path, { headers: { "x-goog-api-key": gateway.token }, body: {} });
    expect(answer.status).toBe(404);
    expect(upstream.seen).toHaveLength(before);
  });
});

describe("a body", () => {
  test.each([
    ["is not JSON", "{"],
    ["is a list", "[]"],
    ["has the model twice", '{"model":"cheap","model":"dear"}'],
    ["has no model", '{"messages":[]}'],
    ["is for another dialect's types", '{"model":7}'],
  ])("that %s is refused", async (_name, body) => {
    const answer = await ask(gateway.url + MESSAGES, { headers: { authorization: `Bearer ${gateway.token}` }, body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
    expect(upstream.seen).toHaveLength(before);
  });

  test("of 40 MB is refused, and its client gets to read why", async () => {
    const body = Buffer.alloc(40 * 1024 * 1024, " ");
    const answer = await ask(gateway.url + MESSAGES, { headers: { authorization: `Bearer ${gateway.token}` }, body });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { type: "request_too_large" } });
  });

  test("that is compressed is refused", async () => {
    const headers = { authorization: `Bearer ${gateway.token}`, "content-encoding": "gzip" };
    expect((await ask(gateway.url + MESSAGES, { headers, body: BODY })).status).toBe(415);
  });
});

describe("headers of a client", () => {
  test("that choose an account, or speak of this connection, go no further", async () => {
    const lines = [
      "Connection: close, X-Hop",
      "X-Hop: 1",
      "X-Forwarded-For: 10.0.0.1",
      "Cookie: a=b",
      "OpenAI-Organization: org-other",
      "Proxy-Authorization: Basic eA==",
      "X-Loom-Session: s1",
      "Content-Length: 34",
    ];
    await rawExchange(gateway.url, head(lines) + BODY);
    const headers = upstream.seen.at(-1)?.headers ?? {};
    for (const name of [
      "x-hop",
      "x-forwarded-for",
      "cookie",
      "openai-organization",
      "proxy-authorization",
      "x-loom-session",
    ]) {
      expect(headers).not.toHaveProperty(name);
    }
    expect((await gateway.waitForEntries(1)).at(-1)).toMatchObject({ session: "s1" });
  });

  test("with two different tokens are refused", async () => {
    const lines = [`Authorization: Bearer lt_${"x".repeat(43)}`, "Content-Length: 34", "Connection: close"];
    expect(await rawExchange(gateway.url, head(lines) + BODY)).toMatch(/^HTTP\/1\.1 401 /);
  });
});

test("a page of another origin is refused in the client's own words", async () => {
  const headers = { authorization: `Bearer ${gateway.token}`, origin: "https://evil.example" };
  const answer = await ask(gateway.url + MESSAGES, { headers, body: BODY });
  expect(answer.status).toBe(403);
  expect(JSON.parse(answer.text)).toMatchObject({ error: { type: "permission_error" } });
});

test("the server's key is in no metric and no row", async () => {
  expect(await gateway.metrics()).not.toContain(UPSTREAM_KEY);
  expect(JSON.stringify(gateway.entries)).not.toContain(UPSTREAM_KEY);
});

describe("a request without a token that counts hears why", () => {
  const refused = (lines: (token: string) => readonly string[]) => {
    const head = [`POST ${MESSAGES} HTTP/1.1`, "Host: 127.0.0.1", "Content-Length: 2", "Connection: close"];
    return rawExchange(gateway.url, `${[...head, ...lines(gateway.token), "", ""].join("\r\n")}{}`);
  };

  test.each<[string, (token: string) => readonly string[], string]>([
    ["no token", () => [], "A token is needed: send it as Authorization: Bearer TOKEN."],
    [
      "two headers of one name",
      (token) => [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`],
      "The request has several Authorization headers, so none counts: send one.",
    ],
    [
      "two tokens that differ",
      (token) => [`Authorization: Bearer ${token}`, `x-api-key: lt_${"x".repeat(43)}`],
      "The request has different tokens in authorization and x-api-key, so none counts: send one.",
    ],
    [
      "another scheme",
      () => ["Authorization: Basic eA=="],
      "The Authorization header has to be of the form Bearer TOKEN.",
    ],
  ])("%s", async (_name, lines, sentence) => {
    const answer = await refused(lines);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toContain(sentence);
  });
});
