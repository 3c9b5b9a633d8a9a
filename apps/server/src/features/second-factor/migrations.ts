import type { Migration } from "../../kit/migrations.ts";

export type SecondFactorTables = {
  /** Times are RFC 3339. What one-time codes are made from is a sealed secret with the id of the row. */
  factor: {
    id: string;
    user_id: string;
    type: "totp";
    name: string;
    created_at: string;
    /** When its person showed that he has it; before that it is none. */
    confirmed_at: string | null;
    last_used_at: string | null;
    /** The last time step (RFC 6238) whose code was used: no code of it or of one before is taken again. */
    last_step: number;
  };
  /** Slowly hashed, with the salt of the set that it belongs to. */
  recovery_code: { id: string; user_id: string; salt: Uint8Array; code_hash: Uint8Array };
  /** Somebody who has given the first factor and not yet the second. Only the hash of his browser's token. */
  pending_sign_in: { token_hash: Uint8Array; user_id: string; method: string; expires_at: number };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_second_factor",
    async up(db) {
      await db.schema
        .createTable("factor")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("user_id", "text", (column) => column.notNull())
        .addColumn("type", "text", (column) => column.notNull())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("confirmed_at", "text")
        .addColumn("last_used_at", "text")
        .addColumn("last_step", "bigint", (column) => column.notNull().defaultTo(0))
        .execute();
      await db.schema.createIndex("factor_user").on("factor").column("user_id").execute();
      await db.schema
        .createTable("recovery_code")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("user_id", "text", (column) => column.notNull())
        .addColumn("salt", "blob", (column) => column.notNull())
        .addColumn("code_hash", "blob", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("recovery_code_user").on("recovery_code").column("user_id").execute();
      await db.schema
        .createTable("pending_sign_in")
        .addColumn("token_hash", "blob", (column) => column.primaryKey())
        .addColumn("user_id", "text", (column) => column.notNull())
        .addColumn("method", "text", (column) => column.notNull())
        .addColumn("expires_at", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("pending_sign_in_expires").on("pending_sign_in").column("expires_at").execute();
    },
  },
];
