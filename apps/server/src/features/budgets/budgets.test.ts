import { expect, test } from "vitest";
import { admitted, ask, costing, OWNER_NODES, refused, testBudgets, USD } from "./testing.ts";

test("who has no limits is let through, and nothing is counted", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  const admission = admitted(ask(budgets, { cost: null, tokens: 1e9 }));
  expect(admission.headers).toEqual({});
  admission.reservation.settle(costing(5 * USD));
  expect(budgets.list()).toEqual([]);
});

test("nobody is let through before the limits are known", async () => {
  await using setup = await testBudgets();
  const { createBudgetService } = await import("./service.ts");
  const { createBudgetStore } = await import("./store.ts");
  const { SILENT_LOG } = await import("../../kit/log.ts");
  const store = createBudgetStore(async () => setup.database);
  const budgets = createBudgetService({ store, log: SILENT_LOG, allowUnpriced: false });
  expect(refused(ask(budgets))).toMatchObject({ reason: "rate", retryAfterMs: 1_000 });
});

test("requests per minute: a minute's worth at once, then evenly", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "owner", { requestsPerMinute: 2 });
  admitted(ask(budgets));
  const second = admitted(ask(budgets));
  expect(second.headers).toMatchObject({
    "x-ratelimit-limit-requests": "2",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "1m0s",
    "anthropic-ratelimit-requests-limit": "2",
    "anthropic-ratelimit-requests-remaining": "0",
    "anthropic-ratelimit-requests-reset": "2026-11-20T12:01:00Z",
  });
  const third = refused(ask(budgets));
  expect(third).toMatchObject({ reason: "rate", retryAfterMs: 30_000 });
  expect(third.message).toBe("The owner may make 2 requests a minute: try again in 30 s.");
  expect(third.headers).toMatchObject({ "retry-after": "30", "x-ratelimit-remaining-requests": "0" });
  setup.clock.pass(29_999);
  refused(ask(budgets));
  setup.clock.pass(1);
  admitted(ask(budgets));
});

test("tokens per minute: the worst case is held, what was not used comes back, and what came from a cache is free", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "owner", { tokensPerMinute: 1_000 });
  const first = admitted(ask(budgets, { tokens: 900 }));
  expect(refused(ask(budgets, { tokens: 200 })).retryAfterMs).toBe(6_000);
  const { usage } = costing(0, 100);
  first.reservation.settle({ usage: { ...usage, cacheReadTokens: 5_000 } });
  expect(admitted(ask(budgets, { tokens: 900 })).headers["x-ratelimit-remaining-tokens"]).toBe("0");
});

test("a request for more than a minute's tokens waits for a full minute and is then paid off", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "owner", { tokensPerMinute: 1_000 });
  admitted(ask(budgets, { tokens: 32_000 })).reservation.settle(costing(0, 3_000));
  // 2,000 below zero: one token more takes 2,001 minutes' worth of thousandths.
  expect(refused(ask(budgets, { tokens: 1 })).retryAfterMs).toBe(120_060);
});

test("requests that run at once: ended, failed and lapsed ones make room", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "owner", { concurrency: 1 });
  const first = admitted(ask(budgets));
  expect(refused(ask(budgets)).message).toBe(
    "The owner may have 1 request running at once and has 1: try again when one has ended.",
  );
  first.reservation.settle();
  first.reservation.settle();
  const second = admitted(ask(budgets));
  refused(ask(budgets));
  setup.clock.pass(14 * 60_000);
  second.reservation.touch();
  setup.clock.pass(14 * 60_000);
  await budgets.refresh();
  refused(ask(budgets));
  setup.clock.pass(2 * 60_000);
  await budgets.refresh();
  admitted(ask(budgets));
  second.reservation.settle();
  refused(ask(budgets));
});

test("money: the worst case is held, the true cost is charged, and the refusal says everything", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "token-1", { dayMicroUsd: 5 * USD }, { label: "ci" });
  const nodes = [{ kind: "token", id: "token-1" }];
  const first = admitted(ask(budgets, { nodes, cost: 4 * USD }));
  const refusal = refused(ask(budgets, { nodes, cost: 2 * USD }));
  expect(refusal.reason).toBe("money");
  expect(refusal.retryAfterMs).toBeUndefined();
  expect(refusal.message).toBe(
    'The budget of the token "ci" does not suffice: 4.00 USD of 5.00 USD a day are spent or reserved, and this request may cost up to 2.00 USD; it renews at 2026-11-21T00:00:00Z.',
  );
  first.reservation.settle(costing(USD));
  admitted(ask(budgets, { nodes, cost: 4 * USD })).reservation.settle(costing(4 * USD));
  refused(ask(budgets, { nodes, cost: 1 }));
  admitted(ask(budgets, { nodes, cost: 0 }));
  expect(budgets.get("token", "token-1")?.spent?.dayMicroUsd).toBe(5 * USD);
});

test("a budget of a day and of a month begins anew; one in total does not", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  const spend = (cost: number) => ask(budgets, { cost });
  await budgets.put("token", "owner", { dayMicroUsd: 10, monthMicroUsd: 25, totalMicroUsd: 30 });
  for (const day of [1, 2]) {
    admitted(spend(10)).reservation.settle(costing(10));
    expect(refused(spend(1)).message, `day ${day}`).toContain("a day");
    setup.clock.pass(86_400_000);
  }
  expect(refused(spend(6)).message).toContain("a month are spent or reserved");
  setup.clock.wallMs = Date.UTC(2026, 11, 1);
  expect(refused(spend(11)).message).toContain("a day");
  admitted(spend(10)).reservation.settle(costing(10));
  setup.clock.pass(86_400_000);
  expect(refused(spend(1)).message).toMatch(/in total are spent or reserved.*it does not renew\.$/);
});

test("all nodes bear a request or none does", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "owner", { concurrency: 5, requestsPerMinute: 5, dayMicroUsd: 100 });
  await budgets.put("team", "blue", { dayMicroUsd: 10 });
  const nodes = [...OWNER_NODES, { kind: "team", id: "blue" }];
  for (let attempt = 0; attempt < 20; attempt += 1) {
    expect(refused(ask(budgets, { nodes, cost: 50 })).message).toContain('the team "blue"');
  }
  const { headers, reservation } = admitted(ask(budgets, { nodes, cost: 10 }));
  expect(headers["x-ratelimit-remaining-requests"]).toBe("4");
  reservation.settle(costing(10));
  expect(budgets.get("token", "owner")?.spent?.dayMicroUsd).toBe(10);
  expect(budgets.get("team", "blue")?.spent?.totalMicroUsd).toBe(10);
});

test("limits on models and sessions: each that fits has its own, and the most exact rule decides", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("model", "claude-*", { concurrency: 1 });
  await budgets.put("model", "claude-opus-5", { concurrency: 2 });
  await budgets.put("session", "*", { totalMicroUsd: 10 * USD });
  admitted(ask(budgets, { model: "claude-haiku-5" }));
  refused(ask(budgets, { model: "claude-haiku-5" }));
  admitted(ask(budgets, { model: "claude-sonnet-5" }));
  admitted(ask(budgets, { model: "claude-opus-5" }));
  admitted(ask(budgets, { model: "claude-opus-5" }));
  refused(ask(budgets, { model: "claude-opus-5" }));
  for (let n = 0; n < 5; n += 1) admitted(ask(budgets, { model: "gpt-6" }));

  const other = [{ kind: "token", id: "token-1" }];
  admitted(ask(budgets, { model: "gpt-6", session: "s", cost: 10 * USD }));
  expect(refused(ask(budgets, { model: "gpt-6", session: "s", cost: 1 })).message).toContain('session "owner/s"');
  admitted(ask(budgets, { model: "gpt-6", session: "t", cost: 10 * USD }));
  admitted(ask(budgets, { model: "gpt-6", session: "s", cost: 10 * USD, nodes: other }));
});

test("a token that may use some models may use no other", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "owner", { models: ["claude-*", "gpt-6"] });
  admitted(ask(budgets, { model: "claude-opus-5" }));
  admitted(ask(budgets, { model: "gpt-6" }));
  expect(refused(ask(budgets, { model: "gpt-6-sol" }))).toMatchObject({
    reason: "model",
    message: 'The owner may not use the model "gpt-6-sol": allowed is claude-*, gpt-6.',
  });
  refused(ask(budgets, { model: "" }));
});

test("a model without a known price is refused to those with a budget, unless it is allowed; it is never free", async () => {
  await using setup = await testBudgets();
  const strict = await setup.server();
  await strict.put("token", "owner", { dayMicroUsd: 10 });
  expect(refused(ask(strict, { cost: null })).message).toContain("LOOM_SERVER_UNPRICED_MODELS=allow");
  const lenient = await setup.server({ allowUnpriced: true });
  admitted(ask(lenient, { cost: null })).reservation.settle(costing(10));
  expect(refused(ask(lenient, { cost: null })).reason).toBe("money");
});

test("limits hold at once when they are set, changed and lifted", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  const running = admitted(ask(budgets, { cost: 5 }));
  await budgets.put("token", "owner", { concurrency: 1, dayMicroUsd: 4 });
  const second = admitted(ask(budgets, { cost: 4 }));
  running.reservation.settle(costing(5));
  refused(ask(budgets, { cost: 0 }));
  await budgets.put("token", "owner", { concurrency: 2, dayMicroUsd: 8 });
  second.reservation.settle(costing(4));
  admitted(ask(budgets, { cost: 4 })).reservation.settle();
  expect((await budgets.remove("token", "owner"))?.limits.concurrency).toBe(2);
  admitted(ask(budgets, { cost: 1_000 }));
  expect(await budgets.remove("token", "owner")).toBeUndefined();
  // What was spent under the old limits is not forgotten.
  await budgets.save();
  await budgets.put("token", "owner", { dayMicroUsd: 5 });
  refused(ask(budgets, { cost: 2 }));
});

test("another server follows limits, spending and what is held; a crashed one holds nothing after its lease", async () => {
  await using setup = await testBudgets();
  const [here, there] = [await setup.server(), await setup.server()];
  await here.put("token", "owner", { totalMicroUsd: 100 });
  await there.refresh();
  admitted(ask(here, { cost: 30 })).reservation.settle(costing(30));
  admitted(ask(here, { cost: 60 }));
  await here.save();
  await there.refresh();
  refused(ask(there, { cost: 11 }));
  admitted(ask(there, { cost: 10 })).reservation.settle();
  // From here on nobody renews what `here` holds.
  setup.clock.pass(15 * 60_000 + 1);
  await there.refresh();
  admitted(ask(there, { cost: 70 }));
  refused(ask(there, { cost: 1 }));
});

test("a server that runs long requests renews what it holds", async () => {
  await using setup = await testBudgets();
  const [here, there] = [await setup.server(), await setup.server()];
  await here.put("token", "owner", { totalMicroUsd: 100 });
  const { reservation } = admitted(ask(here, { cost: 60 }));
  await here.save();
  for (let minute = 0; minute < 60; minute += 1) {
    setup.clock.pass(60_000);
    reservation.touch();
    await here.refresh();
    await here.save();
  }
  await there.refresh();
  refused(ask(there, { cost: 41 }));
});

test("a restart knows what was spent; a server that ends holds nothing", async () => {
  await using setup = await testBudgets();
  const first = await setup.server();
  await first.put("token", "owner", { dayMicroUsd: 100 });
  admitted(ask(first, { cost: 40 })).reservation.settle(costing(30));
  admitted(ask(first, { cost: 50 }));
  await first.close();
  const second = await setup.server();
  expect(second.get("token", "owner")?.spent).toEqual({ dayMicroUsd: 30, monthMicroUsd: 30, totalMicroUsd: 30 });
  refused(ask(second, { cost: 71 }));
  admitted(ask(second, { cost: 70 }));
});

test("while the database cannot be written, limits hold in memory; afterwards everything is written", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("token", "owner", { dayMicroUsd: 100 });
  const table = setup.database.tables<{ budget_spent: { kind: string } }>().schema;
  await table.alterTable("budget_spent").renameTo("budget_elsewhere").execute();
  admitted(ask(budgets, { cost: 60 })).reservation.settle(costing(60));
  await expect(budgets.save()).rejects.toThrow();
  refused(ask(budgets, { cost: 41 }));
  await table.alterTable("budget_elsewhere").renameTo("budget_spent").execute();
  await budgets.save();
  expect((await setup.server()).get("token", "owner")?.spent?.dayMicroUsd).toBe(60);
});

test("the number of sessions in memory is bounded, and one that went comes back with what it spent", async () => {
  await using setup = await testBudgets();
  const budgets = await setup.server();
  await budgets.put("session", "*", { totalMicroUsd: 10 });
  admitted(ask(budgets, { session: "first", cost: 10 })).reservation.settle(costing(10));
  await budgets.save();
  setup.clock.pass(1_000);
  for (let n = 0; n < 20_000; n += 1) admitted(ask(budgets, { session: `s${n}` })).reservation.settle();
  const returned = admitted(ask(budgets, { session: "first", cost: 1 }));
  await budgets.save();
  returned.reservation.settle();
  refused(ask(budgets, { session: "first", cost: 1 }));
});

test("what is spent is written down by itself, also where another process was writing at first", async () => {
  await using setup = await testBudgets();
  const { createBudgetService } = await import("./service.ts");
  const { createBudgetStore } = await import("./store.ts");
  const { SILENT_LOG } = await import("../../kit/log.ts");
  const store = createBudgetStore(async () => setup.database);
  const written = Promise.withResolvers<void>();
  const watched = {
    ...store,
    async exchange(...exchange: Parameters<typeof store.exchange>) {
      const balances = await store.exchange(...exchange);
      written.resolve();
      return balances;
    },
  };
  const budgets = createBudgetService({ store: watched, log: SILENT_LOG, allowUnpriced: false, saveAfterMs: 1 });
  await budgets.load();
  await budgets.put("token", "owner", { dayMicroUsd: 100 });
  const { DatabaseSync } = await import("node:sqlite");
  const other = new DatabaseSync(setup.database.file);
  other.exec("BEGIN IMMEDIATE");
  admitted(ask(budgets, { cost: 60 })).reservation.settle(costing(60));
  await new Promise((resolve) => setImmediate(resolve));
  other.exec("ROLLBACK");
  other.close();
  await written.promise;
  expect((await store.news("another", 0, { now: 0, until: 1 })).spent[0]?.microUsd).toBe(60);
});
