import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Database, openDatabase } from "../../kit/database.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { migrations } from "./migrations.ts";
import { createTokenService, type TokenService } from "./service.ts";
import { createTokenStore } from "./store.ts";

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let database: Database;
  let now: number;
  let rulesRead: number;

  beforeEach(async () => {
    home = await engine.createEmpty();
    database = await openDatabase({ ...home.place, migrations: [{ feature: "tokens", migrations }] });
    now = Date.UTC(2026, 10, 20);
    rulesRead = 0;
  });

  afterEach(async () => {
    await database.close();
    await home[Symbol.asyncDispose]();
  });

  /** As a process of its own would have it. */
  function service(): TokenService {
    return createTokenService({
      store: createTokenStore(async () => database),
      limits: {
        async refreshRules() {
          rulesRead += 1;
        },
        get: () => undefined,
        put: async () => {},
        remove: async () => {},
      },
      log: SILENT_LOG,
      wall: () => now,
      monotonic: () => now,
    });
  }

  test("the first use asks the database and reads the limits; later ones wait for nothing", async () => {
    const [here, there] = [service(), service()];
    const { token, info } = await here.create({ name: "ci" });
    const subject = {
      type: "token",
      id: info.id,
      name: "ci",
      scopes: ["llm:use"],
      nodes: [{ kind: "token", id: info.id }],
    };
    const first = there.authenticate(token);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toEqual(subject);
    expect(rulesRead).toBe(1);
    expect(there.authenticate(token)).toEqual(subject);
  });

  test("a token revoked by another process is void within five seconds, by this one at once", async () => {
    const [here, there] = [service(), service()];
    const [one, two] = [await here.create({ name: "one" }), await here.create({ name: "two" })];
    await there.authenticate(one.token);
    await there.authenticate(two.token);
    await here.revoke("one");
    await there.revoke("two");
    expect(there.authenticate(one.token)).toMatchObject({ name: "one" });
    expect(await there.authenticate(two.token)).toBeUndefined();
    now += 4_999;
    expect(await there.authenticate(one.token)).toBeUndefined();
  });

  test("a token is void from the moment that it expires, also where it is remembered", async () => {
    const tokens = service();
    const { token } = await tokens.create({ name: "ci", expiresAt: new Date(now + 1_000).toISOString() });
    expect(await tokens.authenticate(token)).toBeDefined();
    now += 999;
    expect(await tokens.authenticate(token)).toBeDefined();
    now += 1;
    expect(await tokens.authenticate(token)).toBeUndefined();
  });

  test("a revocation overtakes a look-up that is under way", async () => {
    const tokens = service();
    const { token, info } = await tokens.create({ name: "ci" });
    const asked = tokens.authenticate(token);
    const revoked = tokens.revoke(info.id);
    await Promise.all([asked, revoked]);
    expect(await tokens.authenticate(token)).toBeUndefined();
  });

  test("whoever cannot be checked is not let in", async () => {
    const tokens = service();
    const { token } = await tokens.create({ name: "ci" });
    await tokens.authenticate(token);
    await database.tables<{ access_token: { id: string } }>().schema.dropTable("access_token").execute();
    now += 5_000;
    await expect(tokens.authenticate(token)).rejects.toMatchObject({ problem: { status: 503, retryable: true } });
  });

  test("what does not look like a token costs no question to the database", () => {
    expect(service().authenticate("lt_short")).toBeUndefined();
    expect(service().authenticate("")).toBeUndefined();
  });

  test("the last use is written down later, once for many requests", async () => {
    const tokens = service();
    const { token } = await tokens.create({ name: "ci" });
    await tokens.authenticate(token);
    now += 1_000;
    await tokens.authenticate(token);
    expect((await service().show("ci")).lastUsedAt).toBeNull();
    expect((await tokens.show("ci")).lastUsedAt).toBe("2026-11-20T00:00:01.000Z");
    await tokens.saveUses();
    expect((await service().show("ci")).lastUsedAt).toBe("2026-11-20T00:00:01.000Z");
  });
});
