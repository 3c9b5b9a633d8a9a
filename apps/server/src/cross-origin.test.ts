import { connect } from "node:net";
import { say } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { takeServerConfig } from "./config.ts";
import { send, startTestServer, TOKEN } from "./testing.ts";

const APP = "https://app.example";
const EVIL = "https://app.example.evil.example";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
const PREFLIGHT = { "access-control-request-method": "POST" };
const PATHS = ["/anthropic/v1/messages", "/openai/v1/models", "/proxy/anthropic/v1/messages", "/api/models"];
const CORS = /^access-control-/;

let running: Awaited<ReturnType<typeof startTestServer>>;
beforeAll(async () => {
  running = await startTestServer({
    env: { LOOM_SERVER_ALLOWED_ORIGINS: `${APP},http://127.0.0.1:3000` },
    script: [say("Hello."), say("Hello.")],
  });
});
afterAll(() => running[Symbol.asyncDispose]());

const ask = ({ headers, ...request }: Parameters<typeof send>[1]) =>
  send(running.server.url, { ...request, headers: { authorization: [], ...headers } });
const corsOf = ({ headers }: { readonly headers: object }) => Object.keys(headers).filter((name) => CORS.test(name));

describe("a preflight", () => {
  test.each(PATHS)("of an allowed origin is answered without a token: %s", async (path) => {
    const asked = "authorization,anthropic-version, x-stainless-lang";
    const headers = { origin: APP, ...PREFLIGHT, "access-control-request-headers": asked };
    const answer = await ask({ method: "OPTIONS", path, headers });
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect(answer.headers).toMatchObject({
      "access-control-allow-origin": APP,
      "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
      "access-control-allow-headers": "authorization, anthropic-version, x-stainless-lang",
      "access-control-max-age": "600",
    });
    expect(answer.headers.vary).toContain("Origin");
    expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
  });

  test.each([
    ["of another origin", "/openai/v1/models", { origin: EVIL }, 403],
    ["of no origin in particular", "/openai/v1/models", { origin: "null" }, 403],
    ["of an origin in another case", "/openai/v1/models", { origin: "https://APP.example" }, 403],
    ["at a name that is not the server's", "/openai/v1/models", { origin: APP, host: "evil.example" }, 421],
    ["of the server's pages to sign in", "/auth/login", { origin: APP }, 401],
    ["of the metrics", "/metrics", { origin: APP }, 401],
  ])("%s gets nothing that lets a page in", async (_, path, headers, status) => {
    const answer = await ask({ method: "OPTIONS", path, headers: { ...headers, ...PREFLIGHT } });
    expect([answer.status, corsOf(answer)]).toEqual([status, []]);
  });

  test.each(["x y", "a,", "a\u00e9", "x".repeat(2_049)])(
    "with a list of headers that is none is refused",
    async (asked) => {
      const headers = { origin: APP, ...PREFLIGHT, "access-control-request-headers": asked };
      const answer = await ask({ method: "OPTIONS", path: "/openai/v1/models", headers });
      expect(answer.status).toBe(400);
      expect(answer.headers["access-control-allow-headers"]).toBeUndefined();
    },
  );
});

const MESSAGES = {
  method: "POST",
  path: "/anthropic/v1/messages",
  body: JSON.stringify({ model: "claude-sonnet-5", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }),
};

describe("an answer to an allowed origin may be read by its page", () => {
  test.each([
    ["a list", { path: "/openai/v1/models", headers: AUTHORIZED }, 200],
    ["a model's", { ...MESSAGES, headers: { ...AUTHORIZED, "content-type": "application/json" } }, 200],
    ["a refusal by the gateway", { ...MESSAGES, headers: { authorization: "Bearer x" } }, 401],
    ["a refusal by the API", { path: "/api/models" }, 401],
    ["a path that is not there", { path: "/openai/v1/nothing", headers: AUTHORIZED }, 404],
  ])("%s", async (_, request, status) => {
    const headers = { ...("headers" in request ? request.headers : {}), origin: APP };
    const answer = await ask({ ...request, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers["access-control-allow-origin"]).toBe(APP);
    expect(answer.headers.vary).toContain("Origin");
    const exposed = String(answer.headers["access-control-expose-headers"]).split(", ");
    for (const name of ["request-id", "x-request-id", "retry-after", "x-loom-route", "x-ratelimit-limit-requests"]) {
      expect(exposed).toContain(name);
    }
    expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
  });

  test("on a connection that Node's own parser never sees, too", async () => {
    const { hostname, port } = new URL(running.server.url);
    const text = await new Promise<string>((resolve, reject) => {
      let said = "";
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          [
            `POST ${MESSAGES.path} HTTP/1.1`,
            `Host: ${hostname}:${port}`,
            `Origin: ${APP}`,
            `Authorization: Bearer ${TOKEN}`,
            "Content-Type: application/json",
            `Content-Length: ${MESSAGES.body.length}`,
            "Connection: close",
            "",
            MESSAGES.body,
          ].join("\r\n"),
        ),
      );
      socket.on("data", (bytes) => {
        said += bytes.toString("latin1");
      });
      socket.on("close", () => resolve(said));
      socket.on("error", reject);
    });
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toMatch(/^access-control-allow-origin: https:\/\/app\.example\r$/m);
  });

  test("and nobody else's may", async () => {
    for (const origin of [EVIL, "null", running.server.url]) {
      expect(corsOf(await ask({ path: "/openai/v1/models", headers: { ...AUTHORIZED, origin } }))).toEqual([]);
    }
    expect(corsOf(await ask({ path: "/openai/v1/models", headers: AUTHORIZED }))).toEqual([]);
  });
});

test.each(["/api/models", "/openai/v1/models", "/auth/sessions"])(
  "a cookie means nothing from another origin, also one that is allowed: %s",
  async (path) => {
    for (const origin of [APP, "http://127.0.0.1:3000"]) {
      for (const method of ["GET", "POST"]) {
        const headers = { ...AUTHORIZED, origin, cookie: "loom_session=ls_x" };
        const answer = await ask({ method, path, headers });
        expect(answer.status).toBe(403);
        expect(answer.text).toContain("not with cookies");
      }
    }
  },
);

test.each(["*", "null", "https://app.example/", "https://*.example", "app.example", "https://APP.example"])(
  "%s is no origin that can be allowed",
  (origin) => {
    const env = { LOOM_SERVER_ALLOWED_ORIGINS: origin };
    expect(() => takeServerConfig(env)).toThrow("LOOM_SERVER_ALLOWED_ORIGINS has to be a list of origins");
  },
);
