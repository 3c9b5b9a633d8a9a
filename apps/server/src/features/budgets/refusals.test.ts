import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Budget, BudgetLimits, MintedToken } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startServer, takeServerConfig } from "../../index.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import type { RunningServer } from "../../server.ts";

describe.each(engines)("on $name", (engine) => {
  const MODEL = "claude-opus-5";
  const ANSWER = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: MODEL,
    content: [{ type: "text", text: "Hello" }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 1_000, output_tokens: 1_000 },
  };

  let directory: string;
  let home: TestHome;
  let upstream: Server;
  let server: RunningServer;
  let ownerToken: string;

  beforeEach(async () => {
    home = await engine.create();
    directory = home.path;
    upstream = createServer((request, response) => {
      request.resume().on("end", () => {
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ANSWER));
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    server = await startServer({
      config: takeServerConfig({
        LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-key-of-the-tests",
        LOOM_SERVER_ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`,
      }),
      access: { type: "owner", tokenFile: `${directory}/owner-token`, replace: false },
      dataDirectory: directory,
      postgres: home.postgres,
    });
    ownerToken = (await readFile(`${directory}/owner-token`, "utf8")).trim();
  });

  afterEach(async () => {
    await server.close();
    upstream.closeAllConnections();
    upstream.close();
    await home[Symbol.asyncDispose]();
  });

  async function tokenWith(limits: BudgetLimits): Promise<MintedToken> {
    const response = await fetch(`${server.url}/api/tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${ownerToken}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "ci", limits }),
    });
    return (await response.json()) as MintedToken;
  }

  async function ask({ token }: MintedToken, fields: { readonly model?: string; readonly max_tokens?: number } = {}) {
    const response = await fetch(`${server.url}/proxy/anthropic/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": token, "anthropic-version": "2023-06-01", "content-type": "application/json" },
      body: JSON.stringify({ model: MODEL, max_tokens: 1_000, messages: [{ role: "user", content: "Hi" }], ...fields }),
    });
    const { error } = (await response.json()) as { error?: { type: string; message: string } };
    return { status: response.status, headers: response.headers, error };
  }

  test("too many requests are refused with 429, as a client of Anthropic knows it", async () => {
    const token = await tokenWith({ requestsPerMinute: 1 });
    expect((await ask(token)).status).toBe(200);
    const { status, headers, error } = await ask(token);
    expect(status).toBe(429);
    expect(error).toMatchObject({ type: "rate_limit_error" });
    expect(error?.message).toMatch(/^The token "ci" may make 1 request a minute: try again in \d+ s\.$/);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(headers.get("anthropic-ratelimit-requests-limit")).toBe("1");
    expect(headers.get("x-ratelimit-remaining-requests")).toBe("0");
  });

  test("the true cost of an answer is charged, and what does not fit into the rest is refused with 402", async () => {
    const token = await tokenWith({ dayMicroUsd: 100_000 });
    expect((await ask(token)).status).toBe(200);
    const response = await fetch(`${server.url}/api/budgets/token/${token.info.id}`, {
      headers: { authorization: `Bearer ${ownerToken}` },
    });
    const { spent } = (await response.json()) as Budget;
    expect(spent?.dayMicroUsd).toBeGreaterThan(0);
    const { status, error } = await ask(token, { max_tokens: 60_000 });
    expect(status).toBe(402);
    expect(error?.message).toMatch(/^The budget of the token "ci" does not suffice: .* of 0\.10 USD a day are spent/);
    expect((await ask(token)).status).toBe(200);
  });

  test("another model than those of the token is refused with 403, and one without a price with 402", async () => {
    const token = await tokenWith({ models: ["claude-*"], totalMicroUsd: 1_000_000 });
    expect((await ask(token, { model: "gpt-6" })).status).toBe(403);
    const { status, error } = await ask(token, { model: "claude-of-tomorrow-99" });
    expect(status).toBe(402);
    expect(error?.message).toContain("LOOM_SERVER_UNPRICED_MODELS=allow");
  });

  test("a token that may use some models may see which there are, and counts in its limits as it does", async () => {
    const { token } = await tokenWith({ models: ["claude-*"], totalMicroUsd: 1_000_000, requestsPerMinute: 2 });
    const see = async (path: string, method = "GET") => {
      return (await fetch(`${server.url}/proxy/anthropic${path}`, { method, headers: { "x-api-key": token } })).status;
    };
    expect(await see("/v1/models", "DELETE")).toBe(403);
    expect(await see("/v1/models")).toBe(200);
    expect(await see("/v1/models/claude-opus-5", "HEAD")).toBe(200);
    expect(await see("/v1/models")).toBe(429);
  });
});
