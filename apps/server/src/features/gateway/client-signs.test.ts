import { problemOf } from "@loom/api";
import { say, startScriptedModel } from "@loom/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask, rawExchange, startGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";
import { errorBody, streamError } from "./wire-errors.ts";

const QUESTION = { max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };
const JSON_TYPE = { "content-type": "application/json" };

async function start(url: string) {
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: "test-key",
      LOOM_SERVER_ANTHROPIC_BASE_URL: url,
      LOOM_SERVER_OPENAI_API_KEY: "test-key",
      LOOM_SERVER_OPENAI_BASE_URL: `${url}/v1`,
    },
  });
  onTestFinished(() => gateway.close());
  return { ...gateway, headers: { authorization: `Bearer ${gateway.token}` } };
}

describe("the id of a request, where Anthropic's clients read it", () => {
  test.each([{ stream: false }, { stream: true }])("is in a translated answer ($stream)", async ({ stream }) => {
    const model = await startScriptedModel({ script: [say("Hello.")] });
    onTestFinished(() => model.close());
    const { url, headers } = await start(model.url);
    const body = { ...QUESTION, model: "openai/gpt-5.4", stream };
    const answer = await ask(`${url}/anthropic/v1/messages`, { body, headers });
    expect(answer.status).toBe(200);
    expect(answer.headers["request-id"]).toMatch(/^req-/);
    expect(answer.headers["request-id"]).toBe(answer.headers["x-request-id"]);
  });

  test.each([
    ["a refusal", "/anthropic/v1/messages", { model: "" }, 400],
    ["an unknown token", "/anthropic/v1/messages", { ...QUESTION, model: "claude-x" }, 401],
    ["an estimate", "/anthropic/v1/messages/count_tokens", { ...QUESTION, model: "openai/gpt-5.4" }, 200],
  ])("is in %s", async (_, path, body, status) => {
    const { url, headers } = await start("http://127.0.0.1:1");
    const answer = await ask(`${url}${path}`, { body, headers: status === 401 ? { "x-api-key": "x" } : headers });
    expect(answer.status).toBe(status);
    expect(answer.headers["request-id"]).toBe(answer.headers["x-request-id"]);
    if (status !== 200) expect(JSON.parse(answer.text).request_id).toBe(answer.headers["request-id"]);
  });

  test.each([200, 400])("is the provider's own where it answers itself (%s)", async (status) => {
    const own = { ...JSON_TYPE, "request-id": "req_own", "x-request-id": "other" };
    const upstream = await startUpstream((response) => void response.writeHead(status, own).end('{"content":[]}'));
    onTestFinished(() => upstream.close());
    const { url, headers } = await start(upstream.url);
    const answer = await ask(`${url}/anthropic/v1/messages`, { body: { ...QUESTION, model: "claude-x" }, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({ "request-id": "req_own", "x-upstream-request-id": "other" });
    expect(answer.headers["x-request-id"]).toMatch(/^req-/);
  });

  test("is nothing for clients of others", async () => {
    const { url, headers } = await start("http://127.0.0.1:1");
    const answer = await ask(`${url}/openai/v1/chat/completions`, { body: {}, headers });
    expect(answer.headers["x-request-id"]).toMatch(/^req-/);
    expect(answer.headers["request-id"]).toBeUndefined();
  });
});

describe("a wait that Loom asks for", () => {
  const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "60s" }];
  const error = { code: 429, status: "RESOURCE_EXHAUSTED", message: "Later.", details };
  const options = { detail: "Later.", retryable: true, retryAfterMs: 60_000 };

  test("is where Gemini's clients look for it", () => {
    expect(JSON.parse(errorBody("gemini", problemOf("rate_limited", options), "req-1"))).toEqual({ error });
    const failure = { code: "rate_limited", message: "Later.", retryable: true, retryAfterMs: 60_000 } as const;
    expect(JSON.parse(streamError("gemini", failure))).toEqual({ error });
  });

  test("is not there where there is none", () => {
    const body = errorBody("gemini", problemOf("budget_exceeded", { detail: "No." }), "req-1");
    expect(JSON.parse(body)).toEqual({ error: { code: 402, status: "RESOURCE_EXHAUSTED", message: "No." } });
  });
});

describe("a request for a WebSocket", () => {
  test.each(["/openai/v1/responses", "/proxy/openai/v1/realtime?model=gpt-realtime", "/openai/v1/models"])(
    "reaches no provider, and hears what to do: %s",
    async (path) => {
      const upstream = await startUpstream((response) => void response.end());
      onTestFinished(() => upstream.close());
      const { url, token } = await start(upstream.url);
      const head = (more: readonly string[]) =>
        [`GET ${path} HTTP/1.1`, `Host: ${new URL(url).host}`, "Connection: Upgrade", ...more, "", ""].join("\r\n");
      const wish = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
      const text = await rawExchange(url, head([...wish, `Authorization: Bearer ${token}`]), "}}");
      expect(text).toMatch(/^HTTP\/1\.1 426 /);
      expect(text).toMatch(/^x-should-retry: false\r$/m);
      expect(JSON.parse(text.slice(text.indexOf("{"))).error.message).toBe(
        "Loom speaks no WebSockets to models: send the request over HTTP.",
      );
      expect(await rawExchange(url, head(wish), "}}")).toMatch(/^HTTP\/1\.1 401 /);
      expect(upstream.seen).toEqual([]);
    },
  );
});
