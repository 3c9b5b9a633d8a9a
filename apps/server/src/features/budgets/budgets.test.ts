import { describe, expect, test } from "vitest";
import { engines, sqlite } from "../../kit/engines.testing.ts";
import { type Log, SILENT_LOG } from "../../kit/log.ts";
import type { BudgetTables } from "./migrations.ts";
import { createBudgetService } from "./service.ts";
import { createBudgetStore } from "./store.ts";
import { admitted, ask, boundClock, costing, OWNER_NODES, refused, testBudgets, USD } from "./testing.ts";

describe.each(engines)("on $name", (engine) => {
  test("who has no limits is let through, and nothing is counted", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    const admission = admitted(await ask(budgets, { cost: null, tokens: 1e9 }));
    expect(admission.headers).toEqual({});
    admission.reservation.settle(costing(5 * USD));
    expect(budgets.list()).toEqual([]);
  });

  test("nobody is let through before the limits are known", async () => {
    await using setup = await testBudgets(engine);
    const store = createBudgetStore(async () => setup.database);
    const budgets = createBudgetService({ store, log: SILENT_LOG, allowUnpriced: false });
    expect(refused(await ask(budgets))).toMatchObject({ reason: "rate", retryAfterMs: 1_000 });
  });

  test("requests per minute: a minute's worth at once, then evenly", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { requestsPerMinute: 2 });
    admitted(await ask(budgets));
    const second = admitted(await ask(budgets));
    expect(second.headers).toMatchObject({
      "x-ratelimit-limit-requests": "2",
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "1m0s",
      "anthropic-ratelimit-requests-limit": "2",
      "anthropic-ratelimit-requests-remaining": "0",
      "anthropic-ratelimit-requests-reset": "2026-11-20T12:01:00Z",
    });
    const third = refused(await ask(budgets));
    expect(third).toMatchObject({ reason: "rate", retryAfterMs: 30_000 });
    expect(third.message).toBe("The owner may make 2 requests a minute: try again in 30 s.");
    expect(third.headers).toMatchObject({ "retry-after": "30", "x-ratelimit-remaining-requests": "0" });
    setup.clock.pass(29_999);
    refused(await ask(budgets));
    setup.clock.pass(1);
    admitted(await ask(budgets));
  });

  test("tokens per minute: the worst case is held, what was not used comes back, and what came from a cache is free", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { tokensPerMinute: 1_000 });
    const first = admitted(await ask(budgets, { tokens: 900 }));
    expect(refused(await ask(budgets, { tokens: 200 })).retryAfterMs).toBe(6_000);
    const { usage } = costing(0, 100);
    first.reservation.settle({ usage: { ...usage, cacheReadTokens: 5_000 } });
    expect(admitted(await ask(budgets, { tokens: 900 })).headers["x-ratelimit-remaining-tokens"]).toBe("0");
  });

  test("a request for more than a minute's tokens waits for a full minute and is then paid off", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { tokensPerMinute: 1_000 });
    admitted(await ask(budgets, { tokens: 32_000 })).reservation.settle(costing(0, 3_000));
    // 2,000 below zero: one token more takes 2,001 minutes' worth of thousandths.
    expect(refused(await ask(budgets, { tokens: 1 })).retryAfterMs).toBe(120_060);
  });

  test("a request that is tried elsewhere counts once a minute, on each node for itself", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { requestsPerMinute: 1, concurrency: 1 });
    await budgets.put("model", "b", { requestsPerMinute: 1 });
    const first = admitted(await ask(budgets, { model: "a" })).reservation;
    first.settle();
    const second = admitted(await ask(budgets, { model: "b", after: first })).reservation;
    second.settle();
    const third = admitted(await ask(budgets, { model: "a", after: second })).reservation;
    third.settle();
    admitted(await ask(budgets, { model: "b", after: third })).reservation.settle();
    expect(refused(await ask(budgets, { model: "a" })).message).toContain("The owner may make 1 request a minute");
    const others = { nodes: [{ kind: "token", id: "another" }], model: "b" };
    expect(refused(await ask(budgets, others)).message).toContain('The model "b" may make 1 request a minute');
  });

  test("a request counts once also where a model without limits was asked in between", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("model", "a", { requestsPerMinute: 1 });
    let after = admitted(await ask(budgets, { model: "a" })).reservation;
    for (const model of ["b", "a"]) {
      after.settle();
      after = admitted(await ask(budgets, { model, after })).reservation;
    }
    refused(await ask(budgets, { model: "a" }));
  });

  test("tokens of a lost attempt stand until the request is tried elsewhere, and only the last one's count", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { tokensPerMinute: 1_000 });
    const first = admitted(await ask(budgets, { tokens: 900 })).reservation;
    first.settle(costing(0, 800));
    expect(refused(await ask(budgets, { tokens: 900 })).reason).toBe("rate");
    const second = admitted(await ask(budgets, { tokens: 900, after: first }));
    expect(second.headers["x-ratelimit-remaining-tokens"]).toBe("100");
    second.reservation.settle(costing(0, 300));
    expect(admitted(await ask(budgets, { tokens: 700 })).headers["x-ratelimit-remaining-tokens"]).toBe("0");
  });

  test("requests that run at once: ended, failed and lapsed ones make room", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { concurrency: 1 });
    const first = admitted(await ask(budgets));
    expect(refused(await ask(budgets)).message).toBe(
      "The owner may have 1 request running at once and has 1: try again when one has ended.",
    );
    first.reservation.settle();
    first.reservation.settle();
    const second = admitted(await ask(budgets));
    refused(await ask(budgets));
    setup.clock.pass(14 * 60_000);
    second.reservation.touch();
    setup.clock.pass(14 * 60_000);
    await budgets.refresh();
    refused(await ask(budgets));
    setup.clock.pass(2 * 60_000);
    await budgets.refresh();
    admitted(await ask(budgets));
    second.reservation.settle();
    refused(await ask(budgets));
  });

  test("money: the worst case is held, the true cost is charged, and the refusal says everything", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "token-1", { dayMicroUsd: 5 * USD }, { label: "ci" });
    const nodes = [{ kind: "token", id: "token-1" }];
    const first = admitted(await ask(budgets, { nodes, cost: 4 * USD }));
    const refusal = refused(await ask(budgets, { nodes, cost: 2 * USD }));
    expect(refusal.reason).toBe("money");
    expect(refusal.retryAfterMs).toBeUndefined();
    expect(refusal.message).toBe(
      'The budget of the token "ci" does not suffice: 4.00 USD of 5.00 USD a day are spent or reserved, and this request may cost up to 2.00 USD; it renews at 2026-11-21T00:00:00Z.',
    );
    first.reservation.settle(costing(USD));
    admitted(await ask(budgets, { nodes, cost: 4 * USD })).reservation.settle(costing(4 * USD));
    refused(await ask(budgets, { nodes, cost: 1 }));
    admitted(await ask(budgets, { nodes, cost: 0 }));
    expect(budgets.get("token", "token-1")?.spent?.dayMicroUsd).toBe(5 * USD);
  });

  test("a budget of a day and of a month begins anew; one in total does not", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    const spend = (cost: number) => ask(budgets, { cost });
    await budgets.put("token", "owner", { dayMicroUsd: 10, monthMicroUsd: 25, totalMicroUsd: 30 });
    for (const day of [1, 2]) {
      admitted(await spend(10)).reservation.settle(costing(10));
      expect(refused(await spend(1)).message, `day ${day}`).toContain("a day");
      setup.clock.pass(86_400_000);
    }
    expect(refused(await spend(6)).message).toContain("a month are spent or reserved");
    setup.clock.wallMs = Date.UTC(2026, 11, 1);
    expect(refused(await spend(11)).message).toContain("a day");
    admitted(await spend(10)).reservation.settle(costing(10));
    setup.clock.pass(86_400_000);
    expect(refused(await spend(1)).message).toMatch(/in total are spent or reserved.*it does not renew\.$/);
  });

  test("all nodes bear a request or none does", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { concurrency: 5, requestsPerMinute: 5, dayMicroUsd: 100 });
    await budgets.put("team", "blue", { dayMicroUsd: 10 });
    const nodes = [...OWNER_NODES, { kind: "team", id: "blue" }];
    for (let attempt = 0; attempt < 20; attempt += 1) {
      expect(refused(await ask(budgets, { nodes, cost: 50 })).message).toContain('the team "blue"');
    }
    const { headers, reservation } = admitted(await ask(budgets, { nodes, cost: 10 }));
    expect(headers["x-ratelimit-remaining-requests"]).toBe("4");
    reservation.settle(costing(10));
    expect(budgets.get("token", "owner")?.spent?.dayMicroUsd).toBe(10);
    expect(budgets.get("team", "blue")?.spent?.totalMicroUsd).toBe(10);
  });

  test("limits on models and sessions: each that fits has its own, and the most exact rule decides", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("model", "claude-*", { concurrency: 1 });
    await budgets.put("model", "claude-opus-5", { concurrency: 2 });
    await budgets.put("session", "*", { totalMicroUsd: 10 * USD });
    admitted(await ask(budgets, { model: "claude-haiku-5" }));
    refused(await ask(budgets, { model: "claude-haiku-5" }));
    admitted(await ask(budgets, { model: "claude-sonnet-5" }));
    admitted(await ask(budgets, { model: "claude-opus-5" }));
    admitted(await ask(budgets, { model: "claude-opus-5" }));
    refused(await ask(budgets, { model: "claude-opus-5" }));
    for (let n = 0; n < 5; n += 1) admitted(await ask(budgets, { model: "gpt-6" }));

    const other = [{ kind: "token", id: "token-1" }];
    admitted(await ask(budgets, { model: "gpt-6", session: "s", cost: 10 * USD }));
    expect(refused(await ask(budgets, { model: "gpt-6", session: "s", cost: 1 })).message).toContain(
      'session "owner/s"',
    );
    admitted(await ask(budgets, { model: "gpt-6", session: "t", cost: 10 * USD }));
    admitted(await ask(budgets, { model: "gpt-6", session: "s", cost: 10 * USD, nodes: other }));
  });

  test("a token that may use some models may use no other", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { models: ["claude-*", "gpt-6"] });
    admitted(await ask(budgets, { model: "claude-opus-5" }));
    admitted(await ask(budgets, { model: "gpt-6" }));
    expect(refused(await ask(budgets, { model: "gpt-6-sol" }))).toMatchObject({
      reason: "model",
      message: 'The owner may not use the model "gpt-6-sol": allowed is claude-*, gpt-6.',
    });
    refused(await ask(budgets, { model: "" }));
  });

  test("a model is the same in upper and lower case, for its budget and for those who may use it", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("model", "Qwen/Qwen3", { totalMicroUsd: 10 * USD });
    await budgets.put("model", "claude-*", { concurrency: 1 });
    admitted(await ask(budgets, { model: "qwen/qwen3", cost: 6 * USD }));
    expect(refused(await ask(budgets, { model: "QWEN/Qwen3", cost: 6 * USD })).reason).toBe("money");
    admitted(await ask(budgets, { model: "Claude-Sonnet-5" }));
    refused(await ask(budgets, { model: "claude-sonnet-5" }));

    await budgets.put("model", "qwen/qwen3", { concurrency: 5 });
    expect(budgets.list().map(({ id, limits }) => [id, limits])).toContainEqual(["Qwen/Qwen3", { concurrency: 5 }]);
    await budgets.remove("model", "QWEN/QWEN3");
    expect(budgets.list().map(({ id }) => id)).toEqual(["claude-*"]);

    await budgets.put("token", "owner", { models: ["GPT-*"] });
    admitted(await ask(budgets, { model: "gpt-6" }));
    refused(await ask(budgets, { model: "o3" }));
  });

  test("a provider that may take another model is asked for nobody whose models or money are limited", async () => {
    await using setup = await testBudgets(engine);
    const strict = await setup.server();
    const lenient = await setup.server({ allowUnpriced: true });
    admitted(await ask(strict, { choice: "models" }));
    await strict.put("token", "owner", { requestsPerMinute: 100 });
    admitted(await ask(strict, { choice: "models" }));
    await strict.put("token", "owner", { dayMicroUsd: 10 });
    expect(refused(await ask(strict, { choice: "models", cost: 1 }))).toMatchObject({
      reason: "model",
      message: expect.stringMatching(
        /^The owner may not use the field models like this: .* the budget of the owner could/,
      ),
    });
    await lenient.refreshRules();
    admitted(await ask(lenient, { choice: "models", cost: 1 }));
    await strict.put("token", "owner", { models: ["claude-*"] });
    await lenient.refreshRules();
    for (const server of [strict, lenient]) {
      expect(refused(await ask(server, { choice: "route" })).message).toContain("list of models of the owner");
    }
  });

  test("a model without a known price is refused to those with a budget, unless it is allowed; it is never free", async () => {
    await using setup = await testBudgets(engine);
    const strict = await setup.server();
    await strict.put("token", "owner", { dayMicroUsd: 10 });
    expect(refused(await ask(strict, { cost: null })).message).toContain("LOOM_SERVER_UNPRICED_MODELS=allow");
    const lenient = await setup.server({ allowUnpriced: true });
    admitted(await ask(lenient, { cost: null })).reservation.settle(costing(10));
    expect(refused(await ask(lenient, { cost: null })).reason).toBe("money");
  });

  test("limits hold at once when they are set, changed and lifted", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    const running = admitted(await ask(budgets, { cost: 5 }));
    await budgets.put("token", "owner", { concurrency: 1, dayMicroUsd: 4 });
    const second = admitted(await ask(budgets, { cost: 4 }));
    running.reservation.settle(costing(5));
    refused(await ask(budgets, { cost: 0 }));
    await budgets.put("token", "owner", { concurrency: 2, dayMicroUsd: 8 });
    second.reservation.settle(costing(4));
    admitted(await ask(budgets, { cost: 4 })).reservation.settle();
    expect((await budgets.remove("token", "owner"))?.limits.concurrency).toBe(2);
    admitted(await ask(budgets, { cost: 1_000 }));
    expect(await budgets.remove("token", "owner")).toBeUndefined();
    // What was spent under the old limits is not forgotten.
    await budgets.save();
    await budgets.put("token", "owner", { dayMicroUsd: 5 });
    refused(await ask(budgets, { cost: 2 }));
  });

  test("another server follows limits, spending and what is held; a crashed one holds nothing after its lease", async () => {
    await using setup = await testBudgets(engine);
    const [here, there] = [await setup.server(), await setup.server()];
    await here.put("token", "owner", { totalMicroUsd: 100 });
    await there.refresh();
    admitted(await ask(here, { cost: 30 })).reservation.settle(costing(30));
    admitted(await ask(here, { cost: 60 }));
    await here.save();
    await there.refresh();
    refused(await ask(there, { cost: 11 }));
    admitted(await ask(there, { cost: 10 })).reservation.settle();
    // From here on nobody renews what `here` holds.
    setup.clock.pass(15 * 60_000 + 1);
    await there.refresh();
    admitted(await ask(there, { cost: 70 }));
    refused(await ask(there, { cost: 1 }));
  });

  test("a server whose clock is wrong counts what others hold, and says that its clock is wrong", async () => {
    await using setup = await testBudgets(engine);
    const warned: unknown[] = [];
    const log: Log = { ...SILENT_LOG, warn: (_, fields) => void warned.push(fields) };
    const here = await setup.server();
    const [ahead, behind] = [
      await setup.server({ aheadMs: 20 * 60_000, log }),
      await setup.server({ aheadMs: -20 * 60_000, log }),
    ];
    expect([here.clockAheadMs(), ahead.clockAheadMs(), behind.clockAheadMs()]).toEqual([0, 1_200_000, -1_200_000]);
    expect(warned).toEqual([{ aheadMs: 1_200_000 }, { aheadMs: -1_200_000 }]);
    await here.put("token", "owner", { totalMicroUsd: 100 });
    for (const other of [ahead, behind]) await other.refresh();
    admitted(await ask(here, { cost: 60 }));
    refused(await ask(ahead, { cost: 41 }));
    admitted(await ask(ahead, { cost: 30 }));
    refused(await ask(behind, { cost: 11 }));
    setup.clock.pass(1_000);
    refused(await ask(here, { cost: 11 }));
    // The lease ends for all of them at once.
    setup.clock.pass(15 * 60_000);
    await behind.purge();
    admitted(await ask(behind, { cost: 100 }));
    expect(warned).toHaveLength(2);
  });

  test("a server that runs long requests renews what it holds", async () => {
    await using setup = await testBudgets(engine);
    const [here, there] = [await setup.server(), await setup.server()];
    await here.put("token", "owner", { totalMicroUsd: 100 });
    const { reservation } = admitted(await ask(here, { cost: 60 }));
    await here.save();
    for (let minute = 0; minute < 60; minute += 1) {
      setup.clock.pass(60_000);
      reservation.touch();
      await here.refresh();
      await here.save();
    }
    await there.refresh();
    refused(await ask(there, { cost: 41 }));
  });

  test("a restart knows what was spent; a server that ends holds nothing", async () => {
    await using setup = await testBudgets(engine);
    const first = await setup.server();
    await first.put("token", "owner", { dayMicroUsd: 100 });
    admitted(await ask(first, { cost: 40 })).reservation.settle(costing(30));
    admitted(await ask(first, { cost: 50 }));
    await first.close();
    const second = await setup.server();
    expect(second.get("token", "owner")?.spent).toEqual({ dayMicroUsd: 30, monthMicroUsd: 30, totalMicroUsd: 30 });
    refused(await ask(second, { cost: 71 }));
    admitted(await ask(second, { cost: 70 }));
  });

  test("while the database cannot be written, what was set aside may be spent and no more; afterwards everything is written", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("token", "owner", { dayMicroUsd: 100 });
    const running = admitted(await ask(budgets, { cost: 60 }));
    const table = setup.database.tables<{ budget_spent: { kind: string } }>().schema;
    await table.alterTable("budget_spent").renameTo("budget_elsewhere").execute();
    running.reservation.settle(costing(20));
    await expect(budgets.save()).rejects.toThrow();
    admitted(await ask(budgets, { cost: 40 })).reservation.settle(costing(40));
    setup.clock.pass(1_000);
    expect(refused(await ask(budgets, { cost: 41 }))).toMatchObject({ reason: "unavailable", retryAfterMs: 1_000 });
    await table.alterTable("budget_elsewhere").renameTo("budget_spent").execute();
    await budgets.save();
    expect((await setup.server()).get("token", "owner")?.spent?.dayMicroUsd).toBe(60);
    admitted(await ask(budgets, { cost: 40 }));
    expect(refused(await ask(budgets, { cost: 1 })).reason).toBe("money");
  });

  test("an exchange that was committed without an answer counts once", async () => {
    await using setup = await testBudgets(engine);
    const store = setup.store();
    let breaks = false;
    const unreliable = {
      ...store,
      async exchange(...exchange: Parameters<typeof store.exchange>) {
        const balances = await store.exchange(...exchange);
        if (breaks) throw new Error("The connection broke before the answer came.");
        return balances;
      },
    };
    // The day is that of the other server, which reads what was spent in it.
    const clock = boundClock(setup.clock);
    const budgets = createBudgetService({ store: unreliable, log: SILENT_LOG, allowUnpriced: false, clock });
    await budgets.load();
    await budgets.put("token", "owner", { dayMicroUsd: 100 });
    const running = admitted(await ask(budgets, { cost: 60 }));
    running.reservation.settle(costing(50));
    breaks = true;
    await expect(budgets.save()).rejects.toThrow("broke");
    await expect(budgets.save()).rejects.toThrow("broke");
    breaks = false;
    await budgets.save();
    expect((await setup.server()).get("token", "owner")?.spent?.dayMicroUsd).toBe(50);
    admitted(await ask(budgets, { cost: 50 }));
    await budgets.close();
  });

  test("the number of sessions in memory is bounded, and one that went comes back with what it spent", async () => {
    await using setup = await testBudgets(engine);
    const budgets = await setup.server();
    await budgets.put("session", "*", { totalMicroUsd: 10 });
    admitted(await ask(budgets, { session: "first", cost: 10 })).reservation.settle(costing(10));
    await budgets.save();
    setup.clock.pass(1_000);
    for (let n = 0; n < 20_000; n += 1) admitted(await ask(budgets, { session: `s${n}` })).reservation.settle();
    refused(await ask(budgets, { session: "first", cost: 1 }));
  });
});

test("what is spent is written down by itself, also where another process was writing at first", async () => {
  await using setup = await testBudgets(sqlite);
  const store = createBudgetStore(async () => setup.database);
  const written = Promise.withResolvers<void>();
  const watched = {
    ...store,
    async exchange(...exchange: Parameters<typeof store.exchange>) {
      const balances = await store.exchange(...exchange);
      if (exchange[0].changes.some((change) => change.addSpent > 0)) written.resolve();
      return balances;
    },
  };
  const budgets = createBudgetService({ store: watched, log: SILENT_LOG, allowUnpriced: false, saveAfterMs: 1 });
  await budgets.load();
  await budgets.put("token", "owner", { dayMicroUsd: 100 });
  const running = admitted(await ask(budgets, { cost: 60 }));
  const { DatabaseSync } = await import("node:sqlite");
  const other = new DatabaseSync(setup.database.place);
  other.exec("BEGIN IMMEDIATE");
  running.reservation.settle(costing(60));
  await new Promise((resolve) => setImmediate(resolve));
  other.exec("ROLLBACK");
  other.close();
  await written.promise;
  expect((await store.news("another", 0, 1)).spent[0]?.microUsd).toBe(60);
});

test.each(engines)("leases on $name end by its own clock", async (engine) => {
  await using setup = await testBudgets(engine);
  const store = createBudgetStore(async () => setup.database);
  const before = Date.now();
  const now = await store.now();
  // To the millisecond, which two programs may round in two ways.
  expect(now).toBeGreaterThanOrEqual(before - 1);
  expect(now).toBeLessThanOrEqual(Date.now() + 1);
  const counter = { kind: "token", id: "owner", period: "total", limit: 100, need: undefined };
  const changes = [{ ...counter, addSpent: 0, inUse: 60, hold: 60 }];
  await store.exchange({ process: "one", sequence: 1, changes, leaseMs: 900_000 }, { waits: true });
  expect((await store.news("another", 0, 900_000)).held).toMatchObject([{ microUsd: 60 }]);
  await setup.database.tables<BudgetTables>().updateTable("budget_hold").set({ expires_at: before }).execute();
  expect((await store.news("another", 0, 900_000)).held).toEqual([]);
});
