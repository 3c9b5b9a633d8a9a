import type { Migration } from "../../kit/migrations.ts";

export type PolicyTables = {
  organization_policy: {
    organization: string;
    name: string;
    text: string;
    version: number;
    updated_at: string;
    updated_by: string;
  };
  /** One row; grows with every change of any of them. */
  organization_policy_revision: { id: number; revision: number };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_organization_policy",
    async up(db) {
      await db.schema
        .createTable("organization_policy")
        .addColumn("organization", "text", (column) => column.notNull())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("text", "text", (column) => column.notNull())
        .addColumn("version", "bigint", (column) => column.notNull())
        .addColumn("updated_at", "text", (column) => column.notNull())
        .addColumn("updated_by", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("organization_policy_key", ["organization", "name"])
        .execute();
      await db.schema
        .createTable("organization_policy_revision")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("revision", "bigint", (column) => column.notNull())
        .execute();
    },
  },
];
