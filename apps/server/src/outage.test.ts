import type { MintedToken, UsageReport } from "@loom/api";
import { Secret } from "@loom/config";
import { say } from "@loom/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { connectDatabase, openDatabase } from "./kit/database.ts";
import { DatabaseUnavailable } from "./kit/database-error.ts";
import { parsePostgresUrl } from "./kit/postgres-address.ts";
import { findPostgres, type PostgresCluster, startCluster } from "./kit/postgres-cluster.testing.ts";
import { send, startOwnerServer } from "./testing.ts";

let cluster: PostgresCluster | undefined;
beforeAll(async () => {
  const programs = await findPostgres();
  cluster = programs === undefined ? undefined : await startCluster(programs);
});
afterAll(() => cluster?.remove());

function clusterOf({ skip }: Pick<TestContext, "skip">): PostgresCluster {
  return cluster ?? skip("PostgreSQL is not installed");
}

function address(url: string, bounds = {}) {
  return parsePostgresUrl(new Secret(url), "the test", bounds);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

describe("a PostgreSQL that goes away and comes back", () => {
  test("stops nobody who is known and has money set aside; nothing is lost, and the server says how it is", async (context) => {
    const postgres = clusterOf(context);
    await using server = await startOwnerServer({
      script: () => say("Hello."),
      server: { postgres: address(postgres.url("postgres")) },
    });
    const { url } = server.server;
    const call = async (token: string, method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const answer = await send(url, {
        method,
        path,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, json: JSON.parse(answer.text) as Record<string, unknown> };
    };
    const limits = { totalMicroUsd: 900_000_000 };
    const made = await call(server.token, "POST", "/api/tokens", { name: "ci", limits });
    const { token } = made.json as unknown as MintedToken;
    const ask = () =>
      call(token, "POST", "/anthropic/v1/messages", {
        model: "claude-opus-5",
        max_tokens: 100,
        messages: [{ role: "user", content: "Hi" }],
      });
    const ready = async () => (await call(server.token, "GET", "/readyz")).status === 200;
    expect((await ask()).status).toBe(200);
    expect(await ready()).toBe(true);

    await postgres.stop();
    for (let n = 0; n < 20; n += 1) expect((await ask()).status).toBe(200);
    expect(await ready()).toBe(false);
    const refused = await call(server.token, "GET", "/api/tokens");
    expect(refused).toMatchObject({ status: 503, json: { code: "unavailable", retryable: true } });
    expect(JSON.stringify(refused.json)).not.toContain("postgres");
    const stranger = await call(`lt_${"x".repeat(43)}`, "GET", "/api/models");
    expect(stranger.status).toBe(503);

    await postgres.start();
    await until(ready);
    const requests = async () => {
      const answer = await call(server.token, "GET", "/api/usage");
      expect(answer).toMatchObject({ status: 200 });
      return (answer.json as unknown as UsageReport).total.requests;
    };
    await until(async () => (await requests()) === 21);
    expect((await ask()).status).toBe(200);
  });

  test("is a sentence without the password for a server that starts meanwhile", async (context) => {
    const postgres = clusterOf(context);
    await postgres.stop();
    const url = postgres.url("postgres").replace("loom@", "loom:sesame@");
    const error = await openDatabase({ postgres: address(url), migrations: [] }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect(String(error)).toMatch(
      /^DatabaseUnavailable: The database postgres:\/\/loom@\/postgres in \/.* cannot be reached \(\w+\): .*\.$/,
    );
    expect(String(error)).not.toContain("sesame");
    await postgres.start();
  });
});

describe("a connection", () => {
  test("that breaks within a write undoes it, and the next write has another one", async (context) => {
    const postgres = clusterOf(context);
    const database = await connectDatabase({ postgres: address(postgres.url("postgres"), { poolSize: 2 }) });
    await sql`create table if not exists broken (id integer)`.execute(database.tables());
    const write = database.write<{ broken: { id: number } }, void>(async (transaction) => {
      await transaction.insertInto("broken").values({ id: 1 }).execute();
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(transaction);
    });
    await expect(write).rejects.toBeInstanceOf(DatabaseUnavailable);
    const rows = await database.write<{ broken: { id: number } }, unknown[]>((t) =>
      t.selectFrom("broken").selectAll().execute(),
    );
    expect(rows).toEqual([]);
    await database.close();
  });

  test("that asks for too long is told so, and writes that wait leave connections to those who read", async (context) => {
    const postgres = clusterOf(context);
    const bounds = { poolSize: 3, statementTimeoutMs: 300 };
    const database = await connectDatabase({ postgres: address(postgres.url("postgres"), bounds) });
    await expect(sql`select pg_sleep(60)`.execute(database.tables())).rejects.toMatchObject({ code: "57014" });
    const gate = Promise.withResolvers<void>();
    const writes = Array.from({ length: 20 }, () => database.write(() => gate.promise));
    await database.check();
    gate.resolve();
    await Promise.all(writes);
    await database.close();
  });
});
