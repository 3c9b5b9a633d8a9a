import type { Migration } from "../../kit/migrations.ts";

export type MagicLinkTables = {
  /** At most one for each address. The token itself is nowhere. `expires_at` in Unix milliseconds. */
  magic_link: {
    id: string;
    /** In lower case. */
    email: string;
    token_hash: Uint8Array;
    redirect_to: string;
    expires_at: number;
  };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_magic_link",
    async up(db) {
      await db.schema
        .createTable("magic_link")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("email", "text", (column) => column.notNull().unique())
        .addColumn("token_hash", "blob", (column) => column.notNull().unique())
        .addColumn("redirect_to", "text", (column) => column.notNull())
        .addColumn("expires_at", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("magic_link_expires").on("magic_link").column("expires_at").execute();
    },
  },
];
