// What is left of a person whose account was deleted 90 days ago: looked for in every table.
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { buildFeatures } from "./features/index.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import type { PeopleTables } from "./features/people/migrations.ts";
import { purge } from "./features/people/purge.ts";
import type { ThreadTables } from "./features/threads/migrations.ts";
import { takeServerConfig } from "./index.ts";
import { AuditLine } from "./kit/audit.ts";
import type { Database } from "./kit/database.ts";
import { engines, testDatabase } from "./kit/engines.testing.ts";
import { SILENT_LOG } from "./kit/log.ts";
import { createMetrics } from "./kit/metrics.ts";
import { createWebAddress } from "./kit/web-address.ts";
import { temporaryDirectory } from "./testing.ts";

/** What she was called when she spent something. */
const FORMER_NAME = "anna_before_that";
const LONG_AGO = "2025-01-01T00:00:00.000Z";

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

type Column = { readonly table: string; readonly column: string };

/** Every column that can hold a text, of every table. */
async function textColumns(database: Database): Promise<Column[]> {
  const db = database.tables();
  const { rows } =
    database.engine === "sqlite"
      ? await sql<Column>`select m.name as "table", c.name as "column" from sqlite_master m, pragma_table_info(m.name) c
          where m.type = 'table' and lower(c.type) = 'text' and m.name not like 'sqlite_%'`.execute(db)
      : await sql<Column>`select table_name as "table", column_name as "column" from information_schema.columns
          where table_schema = 'public' and data_type = 'text'`.execute(db);
  return rows;
}

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  test("of somebody who is gone nothing is left but his id, in the places that are known", async () => {
    await using home = await testDatabase(engine, MIGRATIONS);
    await using directory = await temporaryDirectory();
    const database = await home.open();
    const audit = new AuditLine();
    const kit = {
      log: SILENT_LOG,
      metrics: createMetrics(),
      audit,
      redact: (text: string) => text,
      database: async () => database,
    };
    const features = await buildFeatures(kit, {
      config: takeServerConfig({}),
      version: "0",
      hasOwner: true,
      isStopping: () => false,
      dataDirectory: directory.path,
      web: createWebAddress({ publicUrl: undefined, host: "127.0.0.1", tls: false }),
      conceal: () => {},
    });
    const people = features.shared?.all.find(({ name }) => name === "people");
    const services = people?.services as import("./features/people/index.ts").PeopleServices;
    const names = { anna: "anna_of_the_test", bert: "bert_of_the_test" };
    await services.users.create({ email: "root@example.com", username: "root_person" });
    const anna = await services.users.create({ email: "anna@example.org", username: names.anna });
    const bert = await services.users.create({ email: "bert@example.org", username: names.bert });
    const db = database.tables<PeopleTables>();
    const personal = (
      await db.selectFrom("organization").select("id").where("personal_of", "=", anna.id).executeTakeFirstOrThrow()
    ).id;

    // A row of hers in every table that has a column for it, with her id in each of its texts that could hold one.
    const columns = await textColumns(database);
    const filled = await fillAll(database, anna.id, names.anna);
    expect(filled).toBeGreaterThan(15);
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
    await purge(services.departure, audit, services.purgeElsewhere);

    const left: string[] = [];
    for (const { table, column } of columns) {
      const where = sql`${sql.ref(column)} in (${anna.id}, ${names.anna}, ${FORMER_NAME}, ${"anna@example.org"}, ${personal})`;
      const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)} where ${where}`.execute(
        db,
      );
      if (Number(rows[0]?.n) > 0) left.push(`${table}.${column}`);
    }
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
    await purge(services.departure, audit, services.purgeElsewhere);
    await expect(services.departure.bringBack(anna.id)).rejects.toThrow();
    features.gateway.services.close();
    await features.shared?.stop();
  });
});

/** Names of columns that hold the id of a person, in some row of some kind. */
const PERSONAL =
  /^(?:(?:invited|created|updated|requested)_by|owner|owner_id|user_id|person_id|actor_id|impersonator_id|node)$/;

/** What belongs to something of his. */
const HANGS_ON = /^(?:usage\.subject|thread_(?:chunk|share)\.thread_key)$/;

/** One row in each table with such columns; gives how many. */
async function fillAll(database: Database, id: string, username: string): Promise<number> {
  const db = database.tables();
  const known = new Set<string>();
  for (const { table } of await textColumns(database)) known.add(table);
  let filled = 0;
  for (const table of known) {
    if (table.includes("_fts") || table.startsWith("thread_search")) continue;
    const columns = await columnsOf(database, table);
    if (
      !columns.some(({ name }) => PERSONAL.test(name) || HANGS_ON.test(`${table}.${name}`)) ||
      ["person", "audit"].includes(table)
    )
      continue;
    const values = columns.map(({ name, type }) => {
      if (table === "usage" && name === "subject") return sql`${FORMER_NAME}`;
      if (name === "path") return sql`${"the same path"}`;
      if (table === "invitation" && name === "invited_by") return sql`${username}`;
      if (table === "thread" && name === "facts") return sql`${"{}"}`;
      if (name === "owner_type" || (name === "kind" && table !== "usage_node")) return sql`${"user"}`;
      if (name === "kind") return sql`${"user"}`;
      if (PERSONAL.test(name)) return sql`${id}`;
      if (/text|char/.test(type)) return sql`${name.endsWith("_at") ? LONG_AGO : `${table}-${name}`}`;
      if (/blob|bytea/.test(type)) return sql`${Buffer.from(`${table}-${name}`)}`;
      return sql`${1}`;
    });
    await sql`insert into ${sql.table(table)} (${sql.join(columns.map(({ name }) => sql.ref(name)))})
      values (${sql.join(values)})`.execute(db);
    filled += 1;
  }
  return filled;
}

async function columnsOf(database: Database, table: string): Promise<{ name: string; type: string }[]> {
  const db = database.tables();
  const { rows } =
    database.engine === "sqlite"
      ? await sql<{
          name: string;
          type: string;
        }>`select name, lower(type) as type from pragma_table_info(${table})`.execute(db)
      : await sql<{ name: string; type: string }>`select column_name as name, data_type as type
          from information_schema.columns where table_schema = 'public' and table_name = ${table}`.execute(db);
  return rows;
}
