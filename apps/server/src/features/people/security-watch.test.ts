import { describe, expect, test } from "vitest";
import type { AuditEvent } from "../../kit/audit.ts";
import { engines, testDatabase } from "../../kit/engines.testing.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { createMetrics } from "../../kit/metrics.ts";
import { ChangeFeed } from "./change-feed.ts";
import { createDesk } from "./desk.ts";
import { migrations } from "./migrations.ts";
import { createSecurityWatch } from "./security-watch.ts";
import { createSeenDevices } from "./seen-devices.ts";
import type { News } from "./telling.ts";
import { createUsers } from "./users.ts";

const DAY_MS = 86_400_000;

describe.each(engines)("on $name", { timeout: 60_000 }, (engine) => {
  async function start() {
    let now = Date.UTC(2026, 10, 20);
    const home = await testDatabase(engine, [{ feature: "people", migrations }]);
    const opened = await home.open();
    const options = {
      database: async () => opened,
      feed: new ChangeFeed(async () => ({ revision: 0, ids: [] })),
      wall: () => now,
    };
    const desk = createDesk(options);
    const ada = await createUsers(options).create({ email: "ada@example.com", username: "ada" });
    const metrics = createMetrics();
    const told: News[] = [];
    const gate = Promise.withResolvers<void>();
    const seen = createSeenDevices(desk);
    const watch = createSecurityWatch({
      desk,
      seen,
      metrics,
      log: SILENT_LOG,
      accountUrl: "https://loom.example.com/auth/account",
      telling: {
        async tell(_, news) {
          await gate.promise;
          told.push(news);
        },
      },
    });
    const event: AuditEvent = {
      event: "factor.added",
      outcome: "success",
      actor: { type: "user", id: ada.id, name: "ada" },
      target: { type: "factor", id: "factor-1", name: "Phone" },
      details: { type: "totp", user: ada.id },
    };
    return {
      ...{ ada, watch, told, event, seen, metrics, opened },
      open: () => gate.resolve(),
      pass(ms: number) {
        now += ms;
      },
      [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
    };
  }

  test("what waits is bounded, what is too much is counted, and who records never waits", async () => {
    await using world = await start();
    // The first is being told; it does not wait any more.
    world.watch.hear(world.event);
    for (let index = 0; index < 5_002; index += 1) {
      world.watch.hear({ ...world.event, details: { type: "totp", user: `user-${index % 300}` } });
    }
    expect(world.told).toEqual([]);
    expect(await world.metrics.render()).toContain('loom_security_notices_total{outcome="dropped"} 2');
    world.open();
    await world.watch.close();
    expect(world.told.length).toBeGreaterThan(0);
    expect(world.told[0]).toMatchObject({
      subject: "A second factor was added",
      text: "An app that shows codes was added to your account.",
      footnote: expect.stringContaining("https://loom.example.com/auth/account"),
    });
  });

  test("who has done much takes nothing from others: neither a place nor their turn", async () => {
    await using world = await start();
    const by = (sender: string, user: string): AuditEvent => ({
      ...world.event,
      actor: { type: "user", id: sender, name: sender },
      details: { type: "totp", user },
    });
    world.watch.hear(by("first", "user-gone"));
    for (let index = 0; index < 5_000; index += 1) world.watch.hear(by(`many-${index % 9}`, `user-${index % 300}`));
    for (let index = 0; index < 9; index += 1) world.watch.hear(by("mallory", world.ada.id));
    world.watch.hear(by("bob", world.ada.id));
    expect(await world.metrics.render()).toContain('loom_security_notices_total{outcome="dropped"} 10');
    world.open();
    // Long before all the others have had their turns, however slow the machine is.
    await expect.poll(() => world.told.length, { timeout: 30_000 }).toBe(10);
    await world.watch.close();
  });

  test.each(["session.created", "member.added"] as const)(
    "a crowd (%s), each once, takes nothing from what happens to an account",
    async (event) => {
      await using world = await start();
      const actor = (id: string) => ({ type: "user", id, name: id }) as const;
      const details = { device: "Firefox on Linux", country: "DE" };
      for (let index = 0; index < 6_000; index += 1) {
        const user = actor(`user-${index}`);
        world.watch.hear({ ...world.event, event, actor: user, target: user, details });
      }
      world.watch.hear({ ...world.event, actor: actor("mallory") });
      // Of the crowd's, one was taken out at once.
      expect(await world.metrics.render()).toContain('loom_security_notices_total{outcome="dropped"} 999');
      world.open();
      await expect.poll(() => world.told.length, { timeout: 30_000 }).toBe(1);
      expect(world.told).toMatchObject([{ text: "An app that shows codes was added to your account by mallory." }]);
      expect(world.told[0]).not.toHaveProperty("lane");
      await world.watch.close();
    },
  );

  test("of one event one person hears twenty times an hour, which takes nothing from others and other events", async () => {
    await using world = await start();
    world.open();
    for (let index = 0; index < 6_000; index += 1) world.watch.hear(world.event);
    world.watch.hear({ ...world.event, event: "factor.removed" });
    await world.watch.close();
    expect(world.told.map(({ subject }) => subject)).toEqual([
      ...Array<string>(20).fill("A second factor was added"),
      "A second factor was removed",
    ]);
    const text = await world.metrics.render();
    expect(text).toContain('loom_security_notices_total{outcome="limited"} 5980');
    expect(text).not.toContain('loom_security_notices_total{outcome="dropped"}');
    world.pass(3_600_000);
    world.watch.hear(world.event);
    await world.watch.close();
    expect(world.told).toHaveLength(22);
  });

  test("many sign-ins from one place do not hide the first one from another", async () => {
    await using world = await start();
    world.open();
    const signIn = (device: string): AuditEvent => ({
      ...{ ...world.event, event: "session.created" },
      details: { device, country: "DE" },
    });
    for (let index = 0; index < 100; index += 1) world.watch.hear(signIn("Firefox on Linux"));
    world.watch.hear(signIn("curl"));
    await world.watch.close();
    expect(world.told.map(({ paragraphs }) => paragraphs)).toEqual([[expect.stringContaining("With curl, from ")]]);
  });

  test("of what failed, of nobody and of what is nobody's business nothing is told", async () => {
    await using world = await start();
    world.open();
    world.watch.hear({ ...world.event, outcome: "failure" });
    world.watch.hear({ ...world.event, details: { type: "totp", user: "user-gone" } });
    world.watch.hear({ ...world.event, event: "thread.created" });
    await world.watch.close();
    expect(world.told).toEqual([]);
  });

  test("whoever acts in somebody's place is named, and his address is not told", async () => {
    await using world = await start();
    world.open();
    const impersonator = { id: "user-root", name: "root" };
    const target = { type: "user", id: world.ada.id, name: "ada" };
    const actor = { ...world.event.actor, impersonator };
    const origin = { requestId: "req-1", address: "8.8.8.8" };
    world.watch.hear({ ...world.event, event: "member.removed", target, actor, origin, organization: "org-gone" });
    await world.watch.close();
    expect(world.told).toMatchObject([
      { text: "root, in the place of ada, removed you from the organization org-gone.", paragraphs: [] },
    ]);
  });

  test("a device is new once, a hundred are remembered, and the first is what one begins with", async () => {
    await using world = await start();
    const { seen, ada } = world;
    const firefox = { device: "Firefox on Linux", country: "DE" };
    expect(await seen.isNew(ada.id, firefox)).toBe(false);
    world.pass(1_000);
    expect(await seen.isNew(ada.id, { ...firefox, country: "US" })).toBe(true);
    expect(await seen.isNew(ada.id, { ...firefox, country: "US" })).toBe(false);
    for (let index = 0; index < 99; index += 1) {
      world.pass(DAY_MS);
      expect(await seen.isNew(ada.id, { device: `device ${index}`, country: "" })).toBe(true);
    }
    // Seen longest ago, and forgotten for the hundred after it.
    expect(await seen.isNew(ada.id, { ...firefox, country: "US" })).toBe(false);
    expect(await seen.isNew(ada.id, firefox)).toBe(true);
  });
});
