import type { Migration } from "../../kit/migrations.ts";

export type OwnerTables = {
  owner_token: { id: string; token_hash: Uint8Array; created_at: string };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_owner_token",
    async up(db) {
      await db.schema
        .createTable("owner_token")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("token_hash", "blob", (column) => column.notNull().unique())
        .addColumn("created_at", "text", (column) => column.notNull())
        .execute();
    },
  },
];
