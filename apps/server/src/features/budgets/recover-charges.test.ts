import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import type { BudgetTables } from "./migrations.ts";
import { admitted, ask, costing, OWNER_NODES, refused, testBudgets, USD } from "./testing.ts";

describe.each(engines)("what a dead server had not told, on $name", (engine) => {
  test("is charged once, without what it had told, and what it held is free", async () => {
    await using home = await testBudgets(engine);
    const alive = await home.server();
    await alive.put("token", "owner", { totalMicroUsd: 10 * USD });
    const { wallMs: now } = home.clock;
    const counter = { kind: "token", id: "owner", period: "total", limit: 10 * USD, need: undefined };
    const changes = [{ ...counter, addSpent: 3 * USD, inUse: 5 * USD, hold: 5 * USD }];
    const store = home.store();
    await store.exchange({ process: "dead", sequence: 4, changes, leaseMs: 900_000 }, { waits: true });
    expect(refused(await ask(alive, { cost: 4 * USD })).reason).toBe("money");

    const request = { at: now, nodes: OWNER_NODES, model: "claude-opus-5", session: undefined };
    const charges = [
      { ...request, costMicroUsd: 3 * USD, toldWith: 4 },
      { ...request, costMicroUsd: 1 * USD, toldWith: 5 },
      { ...request, costMicroUsd: 2 * USD, toldWith: undefined },
      { ...request, nodes: [{ kind: "token", id: "another" }], costMicroUsd: USD, toldWith: undefined },
    ];
    // Whoever recovers may be killed before it is done with the file.
    for (let times = 0; times < 2; times += 1) await alive.recover("dead", charges);
    expect(alive.get("token", "owner")?.spent).toEqual({
      dayMicroUsd: 3 * USD,
      monthMicroUsd: 3 * USD,
      totalMicroUsd: 6 * USD,
    });
    home.clock.pass(1_000);
    admitted(await ask(alive, { cost: 4 * USD }));
  });

  test("is charged once, part by part, where whoever recovers fails between two of them", async () => {
    await using home = await testBudgets(engine);
    const sizes: number[] = [];
    let failsAt = 2;
    const alive = await home.server({
      onExchange({ process, changes }) {
        if (process !== "dead") return;
        failsAt -= 1;
        if (failsAt === 0) throw new Error("the database is away");
        sizes.push(changes.length);
      },
    });
    const limit = 10 * USD;
    await alive.put("token", "t*", { dayMicroUsd: limit, monthMicroUsd: limit, totalMicroUsd: limit });
    const { wallMs: now } = home.clock;
    const change = { kind: "token", id: "t0", period: "total", inUse: 0, hold: 0, limit: undefined, need: undefined };
    const store = home.store();
    await store.exchange(
      { process: "dead", sequence: 4, changes: [{ ...change, addSpent: 7 }], leaseMs: 900_000 },
      { waits: true },
    );
    const charge = (index: number, toldWith?: number) => {
      const nodes = [{ kind: "token", id: `t${index}` }];
      return { at: now, nodes, model: "claude-opus-5", session: undefined, costMicroUsd: 7, toldWith };
    };
    const charges = [
      charge(0, 4),
      ...Array.from({ length: 249 }, (_, index) => charge(index + 1, index % 2 === 0 ? undefined : 5)),
    ];
    await expect(alive.recover("dead", charges)).rejects.toThrow();
    for (let times = 0; times < 2; times += 1) await alive.recover("dead", charges.toReversed());
    const rows = await home.database
      .tables<BudgetTables>()
      .selectFrom("budget_spent")
      .select(["id", "micro_usd"])
      .where("period", "=", "total")
      .execute();
    expect(rows).toHaveLength(250);
    expect(new Set(rows.map(({ micro_usd }) => micro_usd))).toEqual(new Set([7]));
    expect(sizes).toEqual([500, 247]);
  });

  test("a server that lives and was taken for dead is charged for what it spends afterwards", async () => {
    await using home = await testBudgets(engine);
    let process = "first";
    const rename = () => {
      process = "second";
      return process;
    };
    const trace = {
      telling() {},
      told() {},
      rename,
      get process() {
        return process;
      },
    };
    const names: string[] = [];
    const silent = await home.server({ trace, onExchange: (exchange) => void names.push(exchange.process) });
    const other = await home.server();
    await silent.put("token", "owner", { totalMicroUsd: 10 * USD });
    await other.refresh();
    const spend = async () => {
      admitted(await ask(silent, { cost: USD })).reservation.settle(costing(USD));
      await silent.save();
    };
    await spend();
    const lost = { at: home.clock.wallMs, nodes: OWNER_NODES, model: "claude-opus-5", session: undefined };
    await other.recover("first", [{ ...lost, costMicroUsd: 2 * USD, toldWith: undefined }]);
    await spend();
    await spend();
    await other.refresh();
    expect(other.get("token", "owner")?.spent?.totalMicroUsd).toBe(5 * USD);
    expect(silent.get("token", "owner")?.spent?.totalMicroUsd).toBe(5 * USD);
    expect([names[0], names.at(-1)]).toEqual(["first", "second"]);
  });
});
