import type { Migration } from "../../kit/migrations.ts";

export type TokenTables = {
  /** `scopes` is a JSON list; times are RFC 3339. The token itself is nowhere. */
  access_token: {
    id: string;
    name: string;
    token_hash: Uint8Array;
    scopes: string;
    created_at: string;
    expires_at: string | null;
    last_used_at: string | null;
    revoked_at: string | null;
    /** Grows with every revocation; 0 for tokens that are not revoked, or were before there were revisions. */
    revision: number;
  };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_access_token",
    async up(db) {
      const { sql } = await import("kysely");
      await db.schema
        .createTable("access_token")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("token_hash", "blob", (column) => column.notNull().unique())
        .addColumn("scopes", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("expires_at", "text")
        .addColumn("last_used_at", "text")
        .addColumn("revoked_at", "text")
        .execute();
      await db.schema
        .createIndex("access_token_name")
        .on("access_token")
        .column("name")
        .unique()
        .where(sql.ref("revoked_at"), "is", null)
        .execute();
    },
  },
  {
    name: "0002_revocations",
    async up(db) {
      await db.schema
        .alterTable("access_token")
        .addColumn("revision", "bigint", (column) => column.notNull().defaultTo(0))
        .execute();
      await db.schema.createIndex("access_token_revision").on("access_token").column("revision").execute();
    },
  },
];
