import { connect } from "node:net";
import { api, type Contract } from "@loom/api";
import { fail, fault, say } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it, test, vi } from "vitest";
import { NO_SIGN_IN } from "./features/sign-in/sign-in-config.ts";
import { engines } from "./kit/engines.testing.ts";
import { collect, REQUEST, send, sendRaw, startOwnerServer, startTestServer, TOKEN } from "./testing.ts";

const CONTRACTS: readonly Contract[] = Object.values(api).flatMap((group) => Object.values(group));
const ROUTES = CONTRACTS.map(({ method, path, anonymous = false }) => ({
  method,
  path: path.replace("{provider}", "anthropic").replaceAll(/\{\w+\}/g, "some-id"),
  anonymous,
}));

const WRONG: readonly (readonly [string, string | string[]])[] = [
  ["a wrong token", `Bearer ${TOKEN}x`],
  ["an empty token", "Bearer "],
  ["the token in another scheme", `Basic ${Buffer.from(`:${TOKEN}`).toString("base64")}`],
  ["two tokens", [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`]],
];

describe.each([
  ["of one turn", () => startTestServer()],
  ["that stays", () => startOwnerServer()],
] as const)("the server %s", (_, start) => {
  let test: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    test = await start();
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it.each(ROUTES)("says nothing at $method $path to who has no right token", async ({ method, path, anonymous }) => {
    const none: readonly (readonly [string, string | string[]])[] = anonymous ? [] : [["no token", []]];
    for (const [what, authorization] of [...none, ...WRONG]) {
      const answer = await send(test.server.url, { method, path, headers: { authorization } });
      expect([what, answer.status]).toEqual([what, 401]);
      expect(answer.headers["www-authenticate"]).toMatch(/^Bearer/);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(JSON.parse(answer.text)).toMatchObject({ code: "unauthenticated", status: 401, retryable: false });
    }
    expect(test.model.requests).toEqual([]);
  });
});

describe("the owner", () => {
  let test: Awaited<ReturnType<typeof startOwnerServer>>;
  beforeAll(async () => {
    test = await startOwnerServer({ server: { signIn: { ...NO_SIGN_IN, developmentUser: "ada@example.com" } } });
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it.each(ROUTES)("finds something behind $method $path", async ({ method, path }) => {
    const headers = { authorization: `Bearer ${test.token}` };
    const answer = await send(test.server.url, { method, path, headers });
    expect(answer.text).not.toContain("nothing at this path");
    // What the owner asks without what the route needs is answered, and not for want of a token.
    expect(answer.status).toBeLessThan(500);
    expect([401, 405]).not.toContain(answer.status);
  });
});

test("without a token nobody learns which paths there are", async () => {
  await using test = await startTestServer();
  const answer = await send(test.server.url, { path: "/nothing/here", headers: { authorization: "" } });
  expect(answer.status).toBe(401);
});

describe("a web page", () => {
  test.each(["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.7"])(
    "that rebinds its name to this machine is refused by the host %s",
    async (host) => {
      await using test = await startTestServer();
      const answer = await send(test.server.url, { path: "/healthz", headers: { host } });
      expect(answer.status).toBe(421);
      expect(JSON.parse(answer.text)).toMatchObject({ code: "host_not_allowed" });
    },
  );

  test.each(["http://evil.example", "null", "http://localhost:3000", "https://127.0.0.1"])(
    "of the origin %s is refused, even with the token",
    async (origin) => {
      await using test = await startTestServer();
      const answer = await send(test.server.url, { path: "/healthz", headers: { origin } });
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.text)).toMatchObject({ code: "origin_not_allowed" });
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    },
  );

  test("of a configured host and origin is let in", async () => {
    const env = {
      LOOM_SERVER_ALLOWED_HOSTS: "Loom.example, other.example",
      LOOM_SERVER_ALLOWED_ORIGINS: "https://loom.example",
    };
    await using test = await startTestServer({ env });
    const headers = { host: "loom.example:8443", origin: "https://loom.example" };
    expect((await send(test.server.url, { path: "/healthz", headers })).status).toBe(200);
  });

  test.each(["localhost", "LOCALHOST:5666", "127.0.0.1:1", "127.8.9.1", "[::1]:5666", "loom.localhost", "localhost."])(
    "is not what calls the server %s",
    async (host) => {
      await using test = await startTestServer();
      expect((await send(test.server.url, { path: "/healthz", headers: { host } })).status).toBe(200);
    },
  );
});

describe("a request that is wrong in itself gets a problem document", () => {
  const POST = { method: "POST", path: "/proxy/anthropic/stream" };
  const JSON_TYPE = { "content-type": "application/json" };

  test.each([
    ["an unknown path", { path: "/nope" }, 404, "not_found"],
    ["a path that cannot be decoded", { path: "/proxy/%ff/stream" }, 404, "not_found"],
    ["a path that begins with two slashes", { path: "//healthz" }, 404, "not_found"],
    ["a wrong method", { path: "/proxy/anthropic/stream" }, 405, "method_not_allowed"],
    ["a wrong method", { method: "DELETE", path: "/healthz" }, 405, "method_not_allowed"],
    ["an unknown method", { method: "PROPFIND", path: "/healthz" }, 405, "method_not_allowed"],
    ["no content type", { ...POST, body: "{}" }, 415, "unsupported_media_type"],
    ["another content type", { ...POST, headers: { "content-type": "text/plain" }, body: "{}" }, 415, undefined],
    [
      "a compressed body",
      { ...POST, headers: { ...JSON_TYPE, "content-encoding": "gzip" }, body: "x" },
      415,
      undefined,
    ],
    ["a body that is no JSON", { ...POST, headers: JSON_TYPE, body: "{" }, 400, "invalid_input"],
    ["an empty body", { ...POST, headers: JSON_TYPE }, 400, "invalid_input"],
    ["a body that is no UTF-8", { ...POST, headers: JSON_TYPE, body: Buffer.from('"\xff"', "latin1") }, 400, undefined],
    [
      "a body that says it is too large",
      { ...POST, headers: { ...JSON_TYPE, "content-length": "33554433" } },
      413,
      undefined,
    ],
  ])("for %s", async (_, request, status, code) => {
    await using test = await startTestServer();
    const answer = await send(test.server.url, request);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.headers["x-request-id"]).toMatch(/^req-/);
    expect(JSON.parse(answer.text)).toMatchObject({
      status,
      code: code ?? expect.any(String),
      detail: expect.stringMatching(/\.$/),
      instance: answer.headers["x-request-id"],
    });
  });

  test("for a body nested too deeply, without parsing it", async () => {
    await using test = await startOwnerServer();
    const body = "[".repeat(400_000) + "]".repeat(400_000);
    const parse = vi.spyOn(JSON, "parse");
    const headers = { ...JSON_TYPE, authorization: `Bearer ${test.token}` };
    const answer = await send(test.server.url, { method: "POST", path: "/api/tokens", headers, body });
    const texts = parse.mock.calls.map(([text]) => text);
    parse.mockRestore();
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("nested too deeply");
    expect(texts).not.toContain(body);
  });

  test("for a body that turns out to be too large", async () => {
    await using test = await startTestServer();
    const body = Buffer.alloc(33 * 1024 * 1024, 32);
    const headers = { ...JSON_TYPE, "transfer-encoding": "chunked" };
    const answer = await send(test.server.url, { ...POST, headers, body });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "payload_too_large" });
  });

  test("for a prompt that is too large, which the typed client reads although its upload is cut short", async () => {
    await using test = await startTestServer();
    const system = "x".repeat(33 * 1024 * 1024);
    await expect(test.client.complete("anthropic", { ...REQUEST, system })).rejects.toMatchObject({
      code: "payload_too_large",
      status: 413,
      retryable: false,
    });
  });

  test("a wrong method is told the right one", async () => {
    await using test = await startTestServer();
    const answer = await send(test.server.url, { path: "/proxy/anthropic/stream" });
    expect(answer.headers.allow).toBe("POST");
  });

  test.each([
    ["no HTTP at all", "hello\r\n\r\n", 400],
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
    [
      "two hosts",
      `GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: evil\r\nauthorization: Bearer ${TOKEN}\r\nconnection: close\r\n\r\n`,
      421,
    ],
    [
      "an absolute target",
      `GET http://evil/healthz HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\nconnection: close\r\n\r\n`,
      421,
    ],
    ["headers without end", `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, 431],
    ["two lengths", "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
  ])("for %s", async (_, text, status) => {
    await using test = await startTestServer();
    const answer = await sendRaw(test.server.url, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe("a server that stops", () => {
  test("lets a running stream finish and takes no new connection", async () => {
    const text = "Some words that take their time.";
    await using test = await startTestServer({ script: [say(text, { delivery: { deltas: 6, gapMs: 20 } })] });
    const events = [];
    let closing: Promise<void> | undefined;
    for await (const batch of test.client.stream("anthropic", REQUEST)) {
      closing ??= test.server.close({ drainMs: 60_000 });
      events.push(...batch);
    }
    expect(events.at(-1)?.type).toBe("completed");
    await closing;
    const { hostname, port } = new URL(test.server.url);
    const refused = new Promise((resolve) => connect(Number(port), hostname).once("error", resolve));
    expect(await refused).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("ends what runs past the deadline with an error event and leaves the provider", async () => {
    await using test = await startTestServer({ script: [fail(fault.stallAfter(4))] });
    const events = [];
    let closing: Promise<void> | undefined;
    for await (const batch of test.client.stream("anthropic", REQUEST)) {
      closing ??= test.server.close();
      events.push(...batch);
    }
    expect(events.at(-1)).toMatchObject({
      type: "error",
      error: { code: "overloaded", retryable: true, message: expect.stringContaining("shutting down") },
    });
    const [upstream] = await test.model.waitForRequests(1);
    await upstream?.whenAborted;
    await closing;
  });

  test("answers a request that has not begun to be answered with a problem", async () => {
    await using test = await startTestServer({ script: [fail(fault.neverAnswer())] });
    const events = collect(test.client.stream("anthropic", REQUEST));
    await test.model.waitForRequests(1);
    await test.server.close();
    expect(await events).toMatchObject([{ type: "error", error: { code: "overloaded", status: 503 } }]);
  });

  test("does not wait for connections that say nothing", async () => {
    await using test = await startTestServer();
    const { hostname, port } = new URL(test.server.url);
    const socket = connect(Number(port), hostname);
    await new Promise((resolve) => socket.once("connect", resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve).resume());
    await test.server.close();
    await closed;
  });

  test("can be told so twice", async () => {
    await using test = await startTestServer();
    await Promise.all([test.server.close(), test.server.close()]);
  });
});

describe("the health of a server", () => {
  test("is readable without a database where none is used", async () => {
    await using test = await startTestServer();
    expect(await send(test.server.url, { path: "/healthz" })).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    expect(await send(test.server.url, { path: "/readyz" })).toMatchObject({ status: 200 });
  });

  test.each(engines)("includes the database of its owner, on $name", async (engine) => {
    await using home = await engine.createEmpty();
    await using test = await startOwnerServer({ server: { postgres: home.postgres } });
    const headers = { authorization: `Bearer ${test.token}` };
    const answer = await send(test.server.url, { path: "/readyz", headers });
    const all = { health: "all", available: 1, coolingDown: 0, disabled: 0 };
    expect(JSON.parse(answer.text)).toEqual({
      status: "ready",
      checks: { audit: "ok", ledger: "ok", owner: "ok", budgets: "ok", credentials: "ok" },
      details: { budgets: { clockAheadMs: 0 }, credentials: { anthropic: all, openai: all } },
    });
  });
});
