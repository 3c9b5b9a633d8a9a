import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, everythingIn, type TestDatabase, testDatabase } from "../../kit/engines.testing.ts";
import { createFlowStore } from "./flow-store.ts";
import { createFlows, FLOW_MS, type Flows } from "./flows.ts";
import { migrations } from "./migrations.ts";

describe.each(engines)("on $name", (engine) => {
  let home: TestDatabase;
  let now: number;
  let flows: Flows;

  beforeEach(async () => {
    home = await testDatabase(engine, [{ feature: "sign-in", migrations }]);
    now = Date.UTC(2026, 10, 20);
    const database = await home.open();
    flows = createFlows(
      createFlowStore(async () => database),
      { wall: () => now, monotonic: () => now },
    );
  });

  afterEach(() => home[Symbol.asyncDispose]());

  const begin = (browser?: string) => flows.begin({ provider: "okta", redirectTo: "/x", browser });

  test("a way to a provider and back is good for ten minutes", async () => {
    const [one, two] = [await begin(), await begin()];
    now += FLOW_MS - 1;
    const answer = { provider: "okta", state: one.secrets.state, browser: one.browser };
    expect(await flows.finish(answer)).toEqual({ redirectTo: "/x", secrets: one.secrets });
    expect(await flows.finish(answer)).toBeUndefined();
    now += 1;
    expect(await flows.finish({ provider: "okta", state: two.secrets.state, browser: two.browser })).toBeUndefined();
  });

  test("nobody can answer with what is in the database", async () => {
    const { browser, secrets } = await begin();
    const everything = await everythingIn(home);
    for (const secret of [browser, ...Object.values(secrets)]) expect(everything).not.toContain(secret);
  });

  test("two ways of one browser have nothing in common but that", async () => {
    const one = await begin();
    const two = await begin(one.browser);
    expect(two.browser).toBe(one.browser);
    expect(new Set([...Object.values(one.secrets), ...Object.values(two.secrets)]).size).toBe(6);
    expect((await begin("a secret that somebody made up")).browser).toMatch(/^[\w-]{43}$/);
  });

  test("what was never finished is removed", async () => {
    const { browser, secrets } = await begin();
    now += FLOW_MS + 1;
    await flows.removeExpired();
    now -= FLOW_MS;
    expect(await flows.finish({ provider: "okta", state: secrets.state, browser })).toBeUndefined();
  });
});
