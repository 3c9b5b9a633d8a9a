import { readdirSync } from "node:fs";
import { Agent, createServer, request, type Server } from "node:http";
import { join } from "node:path";
import type { Budget, UsageReport } from "@loom/api";
import { describe, expect, onTestFinished, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { environment, type ServerProcess, startServerProcess } from "../../process.testing.ts";

/** Requests that run at once, and that are served before each kill. */
const WORKERS = 24;
const SERVED = [150, 260];

const ANSWER = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-opus-5",
  content: [{ type: "text", text: "Hello." }],
  stop_reason: "end_turn",
  usage: { input_tokens: 20, output_tokens: 7 },
};

/** Counts what reaches it. Answers most at once, some late, and some never. */
async function startProvider() {
  const seen: string[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    let body = "";
    incoming.on("data", (chunk: Buffer) => {
      body += chunk.toString("latin1");
    });
    incoming.on("end", () => {
      const mark = /mark-\d+/.exec(body)?.[0] ?? "none";
      const count = seen.push(mark);
      for (const each of waiting) if (count >= each.count) each.resolve();
      const answer = (): void => {
        outgoing.writeHead(200, { "content-type": "application/json" });
        outgoing.end(JSON.stringify(ANSWER));
      };
      if (count % 17 === 0) return;
      if (count % 5 === 0) setTimeout(answer, 150).unref();
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    seen: seen as readonly string[],
    reached: (count: number) => new Promise<void>((resolve) => waiting.push({ count, resolve })),
  };
}

let asked = 0;

/** Asks until the server is gone. */
async function work({ url, token }: ServerProcess, agent: Agent): Promise<void> {
  for (let alive = true; alive; ) {
    asked += 1;
    const mark = `mark-${asked}`;
    const messages = [{ role: "user", content: mark }];
    const body = JSON.stringify({ model: "claude-opus-5", max_tokens: 50, messages });
    alive = await new Promise<boolean>((resolve) => {
      const outgoing = request(`${url}/anthropic/v1/messages`, {
        method: "POST",
        agent,
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "x-loom-session": mark,
        },
      });
      outgoing.on("response", (response) => {
        response.resume();
        response.once("end", () => resolve(true));
        response.once("error", () => resolve(false));
      });
      outgoing.on("error", () => resolve(false));
      outgoing.end(body);
    });
  }
}

describe.each(engines)("on $name, a server that is killed under load", (engine) => {
  test("has a row for whatever reached the provider, and the budgets know what all rows cost", {
    timeout: 240_000,
  }, async () => {
    await using home = await engine.create();
    const provider = await startProvider();
    const agent = new Agent({ keepAlive: true, maxSockets: WORKERS });
    onTestFinished(() => agent.destroy());
    const start = () =>
      startServerProcess(home.path, {
        env: environment(home.path, {
          ...home.env,
          LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-key-of-the-tests",
          LOOM_SERVER_ANTHROPIC_BASE_URL: provider.url,
        }),
        timeoutMs: 230_000,
      });
    const call = async <Body>({ url, token }: ServerProcess, path: string, limits?: object): Promise<Body> => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const wish = limits === undefined ? {} : { method: "PUT", body: JSON.stringify(limits) };
      return (await (await fetch(url + path, { headers, ...wish })).json()) as Body;
    };
    let server = await start();
    await call(server, "/api/budgets/token/owner", { totalMicroUsd: 1_000_000_000_000 });
    for (const served of SERVED) {
      const workers = Array.from({ length: WORKERS }, () => work(server, agent));
      await provider.reached(served);
      server.process.signal("SIGKILL");
      await server.process.exited;
      await Promise.all(workers);
      server = await start();
    }
    const report = await call<UsageReport>(server, "/api/usage?groupBy=session,outcome&limit=10000");
    const rows = report.groups.flatMap(({ key, requests }) => Array.from({ length: requests }, () => key));
    const lost = rows.filter(([, outcome]) => outcome === "cut_off");
    const sessions = rows.map(([session]) => session);
    // One row each, whatever became of it.
    expect(new Set(sessions).size).toBe(sessions.length);
    expect(provider.seen.filter((mark) => !sessions.includes(mark))).toEqual([]);
    expect(lost.length).toBeGreaterThan(SERVED.length);
    // Those that were open, and those that ended in the moment before, whose line was not in the journal yet.
    expect(lost.length).toBeLessThanOrEqual(2 * SERVED.length * WORKERS);
    const budget = await call<Budget>(server, "/api/budgets/token/owner");
    expect(budget.spent?.totalMicroUsd).toBe(report.total.costMicroUsd);
    // Once accounted for, nothing is left; and nothing is accounted for twice.
    server.process.signal("SIGTERM");
    await server.process.exited;
    expect(readdirSync(join(home.path, "open-requests"))).toEqual([]);
    server = await start();
    const again = await call<UsageReport>(server, "/api/usage");
    expect([again.total.requests, again.total.costMicroUsd]).toEqual([sessions.length, report.total.costMicroUsd]);
    server.process.signal("SIGTERM");
    await server.process.exited;
  });
});
