import type { Migration } from "../../kit/migrations.ts";

export type ApiKeyTables = {
  /** `scopes` is a JSON list; times are RFC 3339. The key itself is nowhere. */
  api_key: {
    id: string;
    key_hash: Uint8Array;
    owner_type: "user" | "organization";
    owner_id: string;
    name: string;
    scopes: string;
    last_four: string;
    created_at: string;
    /** Who made it: a `principalOf`, and what he was called then. */
    created_by: string;
    created_by_name: string;
    expires_at: string | null;
    last_used_at: string | null;
    last_used_from: string | null;
    revoked_at: string | null;
    replaced_by: string | null;
    /** Grows whenever a key ends, or is to end earlier than before; 0 until then. */
    revision: number;
    /** 1: made or rotated by its own person in a session in which he had given his second factor. */
    strong: number;
  };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_api_key",
    async up(db) {
      await db.schema
        .createTable("api_key")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("key_hash", "blob", (column) => column.notNull().unique())
        .addColumn("owner_type", "text", (column) => column.notNull())
        .addColumn("owner_id", "text", (column) => column.notNull())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("scopes", "text", (column) => column.notNull())
        .addColumn("last_four", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("created_by", "text", (column) => column.notNull())
        .addColumn("created_by_name", "text", (column) => column.notNull())
        .addColumn("expires_at", "text")
        .addColumn("last_used_at", "text")
        .addColumn("last_used_from", "text")
        .addColumn("revoked_at", "text")
        .addColumn("replaced_by", "text")
        .addColumn("revision", "bigint", (column) => column.notNull().defaultTo(0))
        .execute();
      await db.schema.createIndex("api_key_owner").on("api_key").columns(["owner_id", "id"]).execute();
      await db.schema.createIndex("api_key_revision").on("api_key").column("revision").execute();
    },
  },
  {
    // How the keys that are there were made, nobody knows.
    name: "0002_strong",
    async up(db) {
      await db.schema
        .alterTable("api_key")
        .addColumn("strong", "integer", (column) => column.notNull().defaultTo(0))
        .execute();
    },
  },
];
