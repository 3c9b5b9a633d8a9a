// What is left of an organization that was deleted 90 days ago: looked for in every table.
import { describe, expect, test } from "vitest";
import type { BudgetTables } from "./features/budgets/migrations.ts";
import { actorIn } from "./features/people/actor.ts";
import type { PeopleTables } from "./features/people/migrations.ts";
import type { ThreadTables } from "./features/threads/migrations.ts";
import { engines } from "./kit/engines.testing.ts";
import { OWNER } from "./kit/subject.ts";
import { fillTables, LONG_AGO, placesOf, startPurged } from "./purge.testing.ts";

/** Where its id stays, and why. Everywhere else it has never been. The audit log is a chain: its rows go with their time. */
const STAYS: Readonly<Record<string, string>> = {
  "usage_node.node": "what was charged to it",
  "budget_rule.id": "a rule that was lifted, so that other servers learn of it",
  "budget_spent.id": "the newest exchange: revisions go on from it; it goes with its period",
};

/** Columns that name an organization or a team, whatever they are called in tables that are still to come. */
const NAMES_ONE = /org|team/;
/** Those that name one of several kinds of things. */
const NAMES_ONE_OF_MANY =
  /^(?:api_key\.owner_id|idempotency_key\.made|usage_node\.node|budget_(?:rule|spent|hold)\.id)$/;

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  test("of an organization that is gone nothing is left but its id in the books", async () => {
    await using server = await startPurged(engine);
    const { database, services } = server;
    const anna = await services.users.create({ email: "anna@example.org", username: "anna" });
    const owner = actorIn(OWNER);
    const found = async (slug: string) => {
      const { organization } = await services.organizations.create(owner, { slug, owner: anna.id });
      return { id: organization.id, team: (await services.teams.create(owner, slug, { slug: "red" })).team.id };
    };
    const [acme, globex] = [await found("acme"), await found("globex")];

    // Its id, and its team's, in each column of each table that could hold one.
    const fill = (kind: "organization" | "team") =>
      fillTables(
        database,
        (table, columns) =>
          !["organization", "team", "audit", "thread"].includes(table) &&
          columns.some((name) => {
            if (kind === "team" && name === "owner_id") return false;
            return NAMES_ONE_OF_MANY.test(`${table}.${name}`) || (kind === "organization" && NAMES_ONE.test(name));
          }),
        (table, name) => {
          if (name === "kind" || name === "owner_type") return kind;
          if (NAMES_ONE_OF_MANY.test(`${table}.${name}`)) return kind === "team" ? acme.team : acme.id;
          if (NAMES_ONE.test(name)) return /team/.test(name) ? acme.team : acme.id;
          // Of two rows of a table, the second is another one.
          return kind === "team" && name === "key" ? "another" : undefined;
        },
      );
    expect((await fill("organization")).length).toBeGreaterThan(10);
    expect((await fill("team")).length).toBeGreaterThan(4);

    // What its key may use.
    const rule = { kind: "api_key", id: "api_key-id", label: null, limits: `{"concurrency":1}`, revision: 100 };
    const budgets = database.tables<BudgetTables>();
    await budgets.insertInto("budget_rule").values(rule).execute();

    const threads = database.tables<ThreadTables>();
    const keep = async (id: string, row: Partial<ThreadTables["thread"]>) => {
      const key = (await threads.selectFrom("thread").select("key").execute()).length + 1;
      const texts = { digest: "", updated_at: LONG_AGO, workspace: "here", tags: "[]", models: "[]", facts: "{}" };
      const numbers = { version: 1, bytes: 1, messages: 1, generation: 1, revision: 0, pinned: 0, change: key };
      const none = { team: null, support_until: null, deleted_at: null, purged: 0, remote: null };
      await threads
        .insertInto("thread")
        .values({
          id,
          key,
          owner: anna.id,
          organization: acme.id,
          visibility: "private",
          ...texts,
          ...numbers,
          ...none,
          ...row,
        })
        .execute();
      const chunk = { first: 0, count: 1, digest: "", messages: 1, turns: 1, records: "{}" };
      await threads
        .insertInto("thread_chunk")
        .values({ thread_key: key, ...chunk })
        .execute();
    };
    await threads.deleteFrom("thread_chunk").execute();
    await keep("T-his", { visibility: "organization" });
    await keep("T-team", { visibility: "team", team: acme.team });
    await keep("T-public", { visibility: "public" });
    await keep("T-left", { visibility: "organization", owner: "" });
    await keep("T-key", { owner: "key-of-acme" });
    await keep("T-purged", { purged: 1 });
    await keep("T-other", { visibility: "team", team: globex.team, organization: globex.id });
    await keep("T-owners", { visibility: "team", team: acme.team, organization: null, owner: "owner" });

    await services.organizations.delete(owner, "acme", undefined);
    await database
      .tables<PeopleTables>()
      .updateTable("organization")
      .set({ deleted_at: LONG_AGO })
      .where("id", "=", acme.id)
      .execute();
    await server.purge();

    const left = await placesOf(database, [acme.id, acme.team, "acme"]);
    expect(left.toSorted()).toEqual(Object.keys(STAYS).toSorted());
    const live = budgets.selectFrom("budget_rule").select("kind").where("limits", "is not", null);
    expect(await live.where("kind", "in", ["organization", "team", "api_key"]).execute()).toEqual([]);
    const row = (id: string, rest: object) => ({
      id,
      owner: anna.id,
      organization: null,
      team: null,
      purged: 0,
      ...rest,
    });
    expect(
      await threads
        .selectFrom("thread")
        .select(["id", "owner", "organization", "team", "visibility", "purged"])
        .orderBy("key")
        .execute(),
    ).toEqual([
      row("T-his", { visibility: "private" }),
      row("T-team", { visibility: "private" }),
      row("T-public", { visibility: "public" }),
      row("T-left", { visibility: "private", owner: "", purged: 1 }),
      row("T-key", { visibility: "private", owner: "key-of-acme", purged: 1 }),
      row("T-purged", { visibility: "private", purged: 1 }),
      row("T-other", { visibility: "team", team: globex.team, organization: globex.id }),
      row("T-owners", { visibility: "private", owner: "owner" }),
    ]);
    const chunks = await threads.selectFrom("thread_chunk").select("thread_key").orderBy("thread_key").execute();
    expect(chunks.map(({ thread_key }) => thread_key)).toEqual([1, 2, 3, 6, 7, 8]);
    // Others' things are where they were; the name can be taken again, and it may be done again.
    expect(await services.organizations.get(owner, "globex")).toMatchObject({ id: globex.id });
    await server.purge();
    await found("acme");
  });
});
