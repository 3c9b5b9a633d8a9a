import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { BudgetLimits, MintedToken } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startServer, takeServerConfig } from "../../index.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import type { RunningServer } from "../../server.ts";

// SQLite has one server.
describe.each(engines.filter(({ name }) => name === "PostgreSQL"))("two servers on one $name", (engine) => {
  const ANSWER = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-opus-5",
    content: [{ type: "text", text: "Hello" }],
    stop_reason: "end_turn",
    usage: { input_tokens: 5, output_tokens: 300 },
  };

  let home: TestHome;
  let servers: RunningServer[];
  let token: string;
  /** Requests at the provider, and what holds them up there. */
  let inFlight = 0;
  let mostInFlight = 0;
  let gate: Promise<void> | undefined;

  const upstream = createServer((request, response) => {
    request.resume().on("end", async () => {
      inFlight += 1;
      mostInFlight = Math.max(mostInFlight, inFlight);
      await gate;
      inFlight -= 1;
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ANSWER));
    });
  });

  beforeEach(async () => {
    [mostInFlight, gate] = [0, undefined];
    home = await engine.create();
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    const start = async () => {
      const directory = await mkdtemp(join(home.path, "server-"));
      return startServer({
        config: takeServerConfig({
          LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-key-of-the-tests",
          LOOM_SERVER_ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`,
        }),
        access: { type: "owner", tokenFile: `${home.path}/owner-token`, replace: false },
        dataDirectory: directory,
        postgres: home.postgres,
      });
    };
    servers = [await start(), await start()];
  });

  afterEach(async () => {
    for (const server of servers) await server.close();
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
    await rm(home.path, { recursive: true, force: true });
    await home[Symbol.asyncDispose]();
  });

  async function limitedTo(limits: BudgetLimits): Promise<void> {
    const owner = (await readFile(`${home.path}/owner-token`, "utf8")).trim();
    const made = await fetch(`${servers[0]?.url}/api/tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${owner}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "ci", limits }),
    });
    expect(made.status).toBe(201);
    token = ((await made.json()) as MintedToken).token;
    // Until the other one knows them, too.
    await expect
      .poll(async () => {
        const known = await fetch(`${servers[1]?.url}/api/budgets`, { headers: { authorization: `Bearer ${owner}` } });
        return (await known.text()).includes('"ci"');
      })
      .toBe(true);
  }

  const ask = (n: number): Promise<Response> =>
    fetch(`${servers[n % 2]?.url}/anthropic/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": token, "content-type": "application/json", "anthropic-version": "2023-06-01" },
      body: JSON.stringify({ model: "claude-opus-5", max_tokens: 300, messages: [{ role: "user", content: "Hi" }] }),
    });

  async function inTurn(requests: number): Promise<number> {
    let passed = 0;
    for (let n = 0; n < requests; n += 1) {
      const answer = await ask(n);
      await answer.arrayBuffer();
      expect([200, 429]).toContain(answer.status);
      if (answer.status === 200) passed += 1;
      else expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    return passed;
  }

  /** What fills up while the test runs. */
  const slower = (startedAt: number, perMinute: number) => ((performance.now() - startedAt) / 60_000) * perMinute;

  test("let through as many requests a minute as one", async () => {
    await limitedTo({ requestsPerMinute: 10 });
    const startedAt = performance.now();
    const passed = await inTurn(40);
    expect(passed).toBeGreaterThanOrEqual(10);
    expect(passed).toBeLessThanOrEqual(10 + slower(startedAt, 10));
  });

  test("let through as many tokens a minute as one", async () => {
    await limitedTo({ tokensPerMinute: 2_000 });
    const startedAt = performance.now();
    const passed = await inTurn(20);
    expect(passed).toBeGreaterThanOrEqual(5);
    expect(passed * 305).toBeLessThanOrEqual(2_000 + slower(startedAt, 2_000));
  });

  test("have as many requests in flight as one", async () => {
    await limitedTo({ concurrency: 2 });
    const held = Promise.withResolvers<void>();
    gate = held.promise;
    const answers = Array.from({ length: 12 }, (_, n) => ask(n));
    let refusals = 0;
    for (const answer of answers)
      void answer.then(({ status }) => {
        refusals += status === 429 ? 1 : 0;
      });
    await expect.poll(() => refusals).toBe(10);
    held.resolve();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(2);
    expect(mostInFlight).toBe(2);
    // One server may have all of them once they are free.
    await expect.poll(async () => (await ask(1)).status).toBe(200);
  });
});
