import type { Migration } from "../../kit/migrations.ts";

export type SecondFactorTables = {
  /** Times are RFC 3339. What one-time codes are made from is a sealed secret with the id of the row. */
  factor: {
    id: string;
    user_id: string;
    type: "totp" | "passkey";
    name: string;
    created_at: string;
    /** When its person showed that he has it; before that it is none. */
    confirmed_at: string | null;
    last_used_at: string | null;
    /** The last time step (RFC 6238) whose code was used: no code of it or of one before is taken again. */
    last_step: number;
    /** Of a passkey (WebAuthn, 4): its id in base64url, its public key as COSE has it, and how often it says to have signed. */
    credential_id: string | null;
    public_key: Uint8Array | null;
    counter: number;
  };
  /** What a passkey is to sign, once, by whom it was made for: `bound_to` is his session, or what his browser waits with. */
  factor_challenge: {
    challenge: string;
    user_id: string;
    bound_to: string;
    purpose: "add" | "give" | "again";
    expires_at: number;
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
  {
    name: "0002_passkey",
    async up(db) {
      await db.schema.alterTable("factor").addColumn("credential_id", "text").execute();
      await db.schema.alterTable("factor").addColumn("public_key", "blob").execute();
      await db.schema
        .alterTable("factor")
        .addColumn("counter", "bigint", (column) => column.notNull().defaultTo(0))
        .execute();
      await db.schema.createIndex("factor_credential").on("factor").column("credential_id").unique().execute();
      await db.schema
        .createTable("factor_challenge")
        .addColumn("challenge", "text", (column) => column.primaryKey())
        .addColumn("user_id", "text", (column) => column.notNull())
        .addColumn("bound_to", "text", (column) => column.notNull())
        .addColumn("purpose", "text", (column) => column.notNull())
        .addColumn("expires_at", "bigint", (column) => column.notNull())
        .execute();
    },
  },
];
