// What is left of a team that somebody has dissolved: looked for in every table.
import { describe, expect, test } from "vitest";
import type { BudgetTables } from "./features/budgets/migrations.ts";
import { actorIn } from "./features/people/actor.ts";
import { createThread } from "./features/threads/changes.ts";
import { CommitQueue } from "./features/threads/commit-queue.ts";
import { readRecords } from "./features/threads/incoming-records.ts";
import type { ThreadTables } from "./features/threads/migrations.ts";
import { headerOf, newThreadId, said, text } from "./features/threads/threads.testing.ts";
import { engines } from "./kit/engines.testing.ts";
import { OWNER } from "./kit/subject.ts";
import { LONG_AGO, placesOf, startPurged } from "./purge.testing.ts";

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  test("of a team that is dissolved, limits and threads' places go, and the organization keeps its own", async () => {
    await using server = await startPurged(engine);
    const { database, services } = server;
    const anna = await services.users.create({ email: "anna@example.org", username: "anna" });
    const owner = actorIn(OWNER);
    const { organization } = await services.organizations.create(owner, { slug: "acme", owner: anna.id });
    const teamOf = async (slug: string) => (await services.teams.create(owner, "acme", { slug })).team.id;
    const [red, blue] = [await teamOf("red"), await teamOf("blue")];

    const budgets = database.tables<BudgetTables>();
    for (const [index, id] of [red, blue].entries()) {
      const rule = { kind: "team", id, label: null, limits: `{"concurrency":1}`, revision: 100 + index };
      await budgets.insertInto("budget_rule").values(rule).execute();
    }
    const now = Date.parse(LONG_AGO);
    const queue = new CommitQueue(
      async () => database,
      () => now,
    );
    const threads = database.tables<ThreadTables>();
    const keep = async (by: string, visibility: string, team: string | null) => {
      const id = newThreadId();
      const records = readRecords([headerOf(id), text(said("hello"))], id);
      const thread = { id, owner: by, organization: organization.id };
      await queue.commit((context) => createThread(context, thread, records, { withRecords: false, now }));
      await threads.updateTable("thread").set({ visibility, team }).where("id", "=", id).execute();
    };
    await keep(anna.id, "team", red);
    await keep(anna.id, "organization", null);
    await keep(anna.id, "team", blue);
    await keep("key-of-acme", "team", red);
    // Left by somebody who is gone, for the team alone.
    await keep("", "team", red);

    await services.teams.delete(owner, "acme", "red", undefined);
    await server.purge();

    // A rule that was lifted keeps its id, so that other servers learn of it.
    expect(await placesOf(database, [red])).toEqual(["budget_rule.id"]);
    const live = budgets.selectFrom("budget_rule").select("id").where("limits", "is not", null);
    expect(await live.execute()).toEqual([{ id: blue }]);
    const rows = threads.selectFrom("thread").select(["owner", "organization", "team", "visibility", "purged"]);
    const row = { owner: anna.id, organization: organization.id, team: null, visibility: "private", purged: 0 };
    expect(await rows.orderBy("key").execute()).toEqual([
      row,
      { ...row, visibility: "organization" },
      { ...row, visibility: "team", team: blue },
      { ...row, owner: "key-of-acme" },
      { ...row, owner: "", purged: 1 },
    ]);
    // It may be done again, and the name is free.
    await server.purge();
    expect(await teamOf("red")).not.toBe(red);

    // Whatever comes to point to it afterwards, or has done so since long ago, says itself that it is not there.
    for (const [index, id] of [red, "team-of-old"].entries()) {
      await keep(anna.id, "team", id);
      await keep("", "team", id);
      const spent = { kind: "team", id, period: "day:2025-01-01", micro_usd: 1, updated_at: 0, revision: 1 + index };
      await budgets.insertInto("budget_spent").values(spent).execute();
    }
    const newest = { kind: "team", id: blue, period: "day:2025-01-01", micro_usd: 1, updated_at: 0, revision: 3 };
    await budgets.insertInto("budget_spent").values(newest).execute();
    const old = { kind: "team", id: "team-of-old", label: null, limits: `{"concurrency":1}`, revision: 200 };
    await budgets.insertInto("budget_rule").values(old).execute();
    await server.purge();
    expect(await placesOf(database, [red, "team-of-old"])).toEqual(["budget_rule.id"]);
    expect(await live.execute()).toEqual([{ id: blue }]);
    expect((await rows.orderBy("key").execute()).slice(5)).toEqual([
      row,
      { ...row, owner: "", purged: 1 },
      row,
      { ...row, owner: "", purged: 1 },
    ]);
    // Whatever is kept of a team that is there is left alone.
    const spent = budgets.selectFrom("budget_spent").select("id");
    expect(await spent.execute()).toEqual([{ id: blue }]);
  });
});
