// What is left of a person whose account was deleted 90 days ago: looked for in every table.
import { describe, expect, test } from "vitest";
import type { PeopleTables } from "./features/people/migrations.ts";
import type { ThreadTables } from "./features/threads/migrations.ts";
import { engines } from "./kit/engines.testing.ts";
import { fillTables, LONG_AGO, placesOf, startPurged } from "./purge.testing.ts";

/** What she was called when she spent something. */
const FORMER_NAME = "anna_before_that";

/** Where his id stays, as an id alone, and why. Everywhere else he is nobody any more. */
const STAYS: Readonly<Record<string, string>> = {
  "person.id": "the tombstone, so that ids still mean somebody",
  "person.username_key": "the name stays taken: nobody comes later and is held for him",
  "audit.actor_id": "rows of the audit log are a chain: they go with their time",
  "audit.target_id": "as above",
  "usage_node.node": "what was charged to him",
  "usage_node.path": "as above",
  "usage.path": "as above",
  "budget_rule.id": "a rule that was lifted, so that other servers learn of it",
  "budget_spent.id": "the newest exchange: revisions go on from it; it goes with its period",
  "api_key.created_by": "who made a key of an organization that is still there",
  "organization_policy.updated_by": "who wrote a policy of an organization that is still there",
};

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  test("of somebody who is gone nothing is left but his id, in the places that are known", async () => {
    await using server = await startPurged(engine);
    const { database, services } = server;
    const names = { anna: "anna_of_the_test", bert: "bert_of_the_test" };
    const anna = await services.users.create({ email: "anna@example.org", username: names.anna });
    const bert = await services.users.create({ email: "bert@example.org", username: names.bert });
    const db = database.tables<PeopleTables>();
    const personal = (
      await db.selectFrom("organization").select("id").where("personal_of", "=", anna.id).executeTakeFirstOrThrow()
    ).id;

    // A row of hers in every table that has a column for it, with her id in each of its texts that could hold one.
    const filled = await fillTables(
      database,
      (table, columns) =>
        !["person", "audit"].includes(table) &&
        columns.some((name) => PERSONAL.test(name) || HANGS_ON.test(`${table}.${name}`)),
      (table, name) => {
        if (table === "usage" && name === "subject") return FORMER_NAME;
        if (name === "path") return "the same path";
        if (table === "invitation" && name === "invited_by") return names.anna;
        if (table === "thread" && name === "facts") return "{}";
        if (name === "owner_type" || name === "kind") return "user";
        return PERSONAL.test(name) ? anna.id : undefined;
      },
    );
    expect(filled.length).toBeGreaterThan(15);
    // One thread is there for an organization; another one is hers alone.
    const threads = database.tables<ThreadTables>();
    const kept = await threads.selectFrom("thread").selectAll().executeTakeFirstOrThrow();
    await threads
      .insertInto("thread")
      .values({ ...kept, id: "T-private", key: 2, organization: null })
      .execute();
    const chunk = await threads.selectFrom("thread_chunk").selectAll().executeTakeFirstOrThrow();
    await threads
      .insertInto("thread_chunk")
      .values({ ...chunk, thread_key: 2 })
      .execute();
    await threads.updateTable("thread").set({ purged: 0, deleted_at: null }).execute();
    await services.departure.remove(anna.id);
    await db.updateTable("person").set({ deleted_at: LONG_AGO }).where("id", "=", anna.id).execute();
    await server.purge();

    const left = await placesOf(database, [anna.id, names.anna, FORMER_NAME, "anna@example.org", personal]);
    expect(left.filter((each) => STAYS[each] === undefined)).toEqual([]);
    expect(await threads.selectFrom("thread_chunk").select("thread_key").execute()).toEqual([{ thread_key: 1 }]);
    expect(await threads.selectFrom("thread_share").selectAll().execute()).toEqual([]);
    expect(
      await threads.selectFrom("thread").select(["key", "owner", "purged", "workspace"]).orderBy("key").execute(),
    ).toEqual([
      { key: 1, owner: "", purged: 0, workspace: "thread-workspace" },
      { key: 2, owner: "", purged: 1, workspace: "" },
    ]);
    // Others' things are where they were.
    expect(await services.users.byId(bert.id)).toMatchObject({ username: names.bert });
    expect(await db.selectFrom("organization").select("id").where("personal_of", "=", bert.id).execute()).toHaveLength(
      1,
    );
    // It may be done again, and takes nothing back.
    await server.purge();
    await expect(services.departure.bringBack(anna.id)).rejects.toThrow();
  });
});

/** Names of columns that hold the id of a person, in some row of some kind. */
const PERSONAL =
  /^(?:(?:invited|created|updated|requested)_by|owner|owner_id|user_id|person_id|actor_id|impersonator_id|node)$/;

/** What belongs to something of his. */
const HANGS_ON = /^(?:usage\.subject|thread_(?:chunk|share)\.thread_key)$/;
