import { describe, expect, test } from "vitest";
import { engines } from "../../kit/engines.testing.ts";
import { createBudgetStore } from "./store.ts";
import { admitted, ask, OWNER_NODES, refused, testBudgets, USD } from "./testing.ts";

describe.each(engines)("what a dead server had not told, on $name", (engine) => {
  test("is charged once, without what it had told, and what it held is free", async () => {
    await using home = await testBudgets(engine);
    const alive = await home.server();
    await alive.put("token", "owner", { totalMicroUsd: 10 * USD });
    const { wallMs: now } = home.clock;
    const counter = { kind: "token", id: "owner", period: "total", limit: 10 * USD, need: undefined };
    const changes = [{ ...counter, addSpent: 3 * USD, inUse: 5 * USD, hold: 5 * USD }];
    const lease = { now, until: now + 900_000 };
    const store = createBudgetStore(async () => home.database);
    await store.exchange({ process: "dead", sequence: 4, changes, lease }, { waits: true });
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
});
