import type { RouteDefinition } from "@loom/api";
import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import type { RouteTables } from "./migrations.ts";
import type { NamedRoute } from "./route-table.ts";

/** `version`: the revision that it came with. */
export type StoredRoute = NamedRoute & { readonly version: number };

export type RouteBook = { readonly revision: number; readonly routes: readonly StoredRoute[] };

export type RouteChange = {
  readonly name: string;
  /** `undefined`: the route is taken away. */
  readonly definition: RouteDefinition | undefined;
  /** May throw, and then nothing is changed. No other process writes in between. */
  check(before: readonly StoredRoute[], after: readonly NamedRoute[]): void;
};

/** The routes that were set by API; several servers share them. */
export type RouteStore = {
  /** Nothing where no route has changed since `revision`. */
  read(revision: number): Promise<RouteBook | undefined>;
  change(change: RouteChange): Promise<void>;
};

export function createRouteStore(database: () => Promise<Database>): RouteStore {
  return {
    async read(revision) {
      const tables = (await database()).tables<RouteTables>();
      const newest = await latest(tables);
      return newest === revision ? undefined : { revision: newest, routes: await all(tables) };
    },
    async change({ name, definition, check }) {
      await (await database()).write<RouteTables, void>(async (transaction) => {
        const before = await all(transaction);
        const others = before.filter((route) => route.name !== name);
        check(before, definition === undefined ? others : [...others, { name, definition }]);
        const revision = (await latest(transaction)) + 1;
        const text = definition === undefined ? null : JSON.stringify(definition);
        await transaction
          .insertInto("route_rule")
          .values({ name, definition: text, revision })
          .onConflict((conflict) => conflict.column("name").doUpdateSet({ definition: text, revision }))
          .execute();
      });
    },
  };
}

async function latest(tables: Kysely<RouteTables>): Promise<number> {
  const row = await tables
    .selectFrom("route_rule")
    .select(({ fn }) => fn.max("revision").as("revision"))
    .executeTakeFirst();
  return Number(row?.revision ?? 0);
}

async function all(tables: Kysely<RouteTables>): Promise<StoredRoute[]> {
  const rows = await tables
    .selectFrom("route_rule")
    .selectAll()
    .where("definition", "is not", null)
    .orderBy("name")
    .execute();
  return rows.map(({ name, definition, revision }) => {
    return { name, definition: JSON.parse(definition ?? "{}") as RouteDefinition, version: Number(revision) };
  });
}
