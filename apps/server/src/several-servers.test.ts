import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MintedToken, UsageReport } from "@loom/api";
import { say, startScriptedModel } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { MIGRATIONS } from "./features/migrations.ts";
import { startServer, takeServerConfig } from "./index.ts";
import { openDatabase } from "./kit/database.ts";
import { engines, type TestHome } from "./kit/engines.testing.ts";
import { claimJob } from "./kit/job-claims.ts";
import { every } from "./kit/jobs.ts";
import { send } from "./testing.ts";

async function startServers(home: TestHome, modelUrl: string) {
  const start = async (name: string) => {
    // Servers of one PostgreSQL need not see each other's disks.
    const dataDirectory = home.postgres === undefined ? home.path : join(home.path, name);
    await mkdir(dataDirectory, { recursive: true });
    return startServer({
      config: takeServerConfig({
        LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-key-of-the-tests",
        LOOM_SERVER_ANTHROPIC_BASE_URL: modelUrl,
      }),
      access: { type: "owner", tokenFile: join(home.path, "owner-token"), replace: false },
      dataDirectory,
      postgres: home.postgres,
    });
  };
  const servers = await Promise.all([start("one"), start("two")]);
  const token = (await readFile(join(home.path, "owner-token"), "utf8")).trim();
  return { servers, token };
}

async function call(url: string, token: string, method: string, path: string, body?: object) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const text = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await send(url, { method, path, headers, ...text });
  return { status: answer.status, json: JSON.parse(answer.text) as unknown };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(engines)("two servers on one database, on $name", (engine) => {
  test("know each other's tokens and limits, and have one ledger", async () => {
    await using home = await engine.create();
    await using model = await startScriptedModel({ script: () => say("Hello.") });
    const { servers, token } = await startServers(home, model.url);
    const [one = "", two = ""] = servers.map(({ url }) => url);
    const made = await call(one, token, "POST", "/api/tokens", { name: "ci", limits: { totalMicroUsd: 50_000_000 } });
    const ci = (made.json as MintedToken).token;
    const ask = (url: string) =>
      call(url, ci, "POST", "/anthropic/v1/messages", {
        model: "claude-opus-5",
        max_tokens: 100,
        messages: [{ role: "user", content: "Hi" }],
      });
    for (const url of [one, two, one, two]) expect((await ask(url)).status).toBe(200);
    const reported = async (): Promise<number> => {
      const { json } = await call(two, token, "GET", "/api/usage");
      return (json as UsageReport).total.requests;
    };
    await until(async () => (await reported()) === 4);
    await call(one, token, "DELETE", "/api/tokens/ci");
    await until(async () => (await ask(two)).status === 401);
    await Promise.all(servers.map((server) => server.close()));
  });

  test("do a job for one server once in its period", async () => {
    await using home = await engine.createEmpty();
    const databases = await Promise.all([1, 2, 3].map(() => openDatabase({ ...home.place, migrations: MIGRATIONS })));
    const job = every("1 h", `purge_${randomBytes(2).toString("hex")}`, async () => {}, { once: true });
    const hour = 3_600_000;
    for (const now of [hour, 2 * hour, 3 * hour]) {
      const claims = [];
      // SQLite refuses at once where another one writes, and the job has its next turn then.
      for (const database of databases) claims.push(await claimJob(job, database, now));
      expect(claims.filter((isOurs) => isOurs)).toHaveLength(1);
    }
    // The clock was set back by a day: nobody waits for a day.
    await claimJob(job, databases[0] ?? expect.fail(), 30 * hour);
    expect(await claimJob(job, databases[1] ?? expect.fail(), 6 * hour)).toBe(true);
    await Promise.all(databases.map((database) => database.close()));
  });
});
