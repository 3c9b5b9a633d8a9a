import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, everythingIn, type TestDatabase, testDatabase } from "../../kit/engines.testing.ts";
import { type AttemptCounters, createAttempts } from "./attempts.ts";
import { migrations } from "./migrations.ts";

const LIMIT = { name: "test", max: 3, perMs: 60_000 };

describe.each(engines)("on $name", (engine) => {
  let home: TestDatabase;
  let now: number;
  let here: AttemptCounters;
  let there: AttemptCounters;

  beforeEach(async () => {
    home = await testDatabase(engine, [{ feature: "sign-in", migrations }]);
    now = Date.UTC(2026, 10, 20);
    const server = async (): Promise<AttemptCounters> => {
      const database = await home.open();
      return createAttempts(
        async () => database,
        () => now,
      );
    };
    [here, there] = [await server(), await server()];
  });

  afterEach(() => home[Symbol.asyncDispose]());

  test("several servers count together, and say when to come again", async () => {
    await here.take(LIMIT, "192.0.2.1");
    await there.take(LIMIT, "192.0.2.1");
    now += 10_000;
    await here.take(LIMIT, "192.0.2.1");
    const refusal = { problem: { status: 429, code: "rate_limited", retryAfterMs: 50_000 } };
    await expect(there.take(LIMIT, "192.0.2.1")).rejects.toMatchObject(refusal);
    await expect(here.take(LIMIT, "192.0.2.1")).rejects.toMatchObject(refusal);
    // Others, and other things, are counted by themselves.
    await here.take(LIMIT, "192.0.2.2");
    await here.take({ ...LIMIT, name: "other" }, "192.0.2.1");
    now += 50_000;
    await here.take(LIMIT, "192.0.2.1");
    await there.take(LIMIT, "192.0.2.1");
  });

  test("of many tries at one moment, as many as may get through", async () => {
    const tries = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? here : there).take(LIMIT, "ada@example.com"));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  });

  test("who has an IPv6 network is one, however many addresses he has in it", async () => {
    for (const address of ["2001:db8:0:1::1", "2001:DB8::1:0:0:0:2", "2001:db8:0:1:ffff::"])
      await here.take(LIMIT, address);
    await expect(here.take(LIMIT, "2001:db8:0:1::9")).rejects.toMatchObject({ problem: { status: 429 } });
    await here.take(LIMIT, "2001:db8:0:2::1");
  });

  test("no address is kept, and what is over is removed", async () => {
    await here.take(LIMIT, "ada@example.com");
    expect(await everythingIn(home)).not.toContain("ada@");
    now += 60_000;
    await here.removeExpired();
    const database = await home.open();
    const rows = await database
      .tables<{ attempt_counter: { who: Uint8Array } }>()
      .selectFrom("attempt_counter")
      .selectAll()
      .execute();
    expect(rows).toEqual([]);
  });
});
