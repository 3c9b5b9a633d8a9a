import type { Migration } from "../../kit/migrations.ts";

export type RouteTables = {
  /** `definition` is JSON, `null` for a route that was taken away; `revision` grows with every change of any route. */
  route_rule: { name: string; definition: string | null; revision: number };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_route_rule",
    async up(db) {
      await db.schema
        .createTable("route_rule")
        .addColumn("name", "text", (column) => column.primaryKey())
        .addColumn("definition", "text")
        .addColumn("revision", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("route_rule_revision").on("route_rule").column("revision").execute();
    },
  },
];
