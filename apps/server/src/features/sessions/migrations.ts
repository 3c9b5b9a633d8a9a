import type { Migration } from "../../kit/migrations.ts";
import type { SessionKind } from "../../kit/subject.ts";

export type SessionTables = {
  /** Times are RFC 3339. The token itself is nowhere. */
  session: {
    id: string;
    token_hash: Uint8Array;
    user_id: string;
    kind: SessionKind;
    created_at: string;
    /** Written down once a minute. */
    last_used_at: string;
    /** However much it is used. */
    expires_at: string;
    /** From where it was started. */
    address: string;
    device: string;
    /** ISO 3166-1, two letters. */
    country: string | null;
    /** Who acts in the user's place. */
    impersonator_id: string | null;
    impersonator_name: string | null;
    ended_at: string | null;
    /** When its person proved last that it is him; null: somebody else's doing. */
    proven_at: string | null;
    /** 1: a second factor was given. */
    strong: number;
    /** Grows with everything that ends; 0 before. */
    revision: number;
  };
  /** Lets whoever brings it open one WebSocket as that session. */
  web_socket_ticket: { ticket_hash: Uint8Array; session_id: string; expires_at: string };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_session",
    async up(db) {
      await db.schema
        .createTable("session")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("token_hash", "blob", (column) => column.notNull().unique())
        .addColumn("user_id", "text", (column) => column.notNull())
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("last_used_at", "text", (column) => column.notNull())
        .addColumn("expires_at", "text", (column) => column.notNull())
        .addColumn("address", "text", (column) => column.notNull())
        .addColumn("device", "text", (column) => column.notNull())
        .addColumn("country", "text")
        .addColumn("impersonator_id", "text")
        .addColumn("impersonator_name", "text")
        .addColumn("ended_at", "text")
        .addColumn("revision", "bigint", (column) => column.notNull().defaultTo(0))
        .execute();
      await db.schema.createIndex("session_user").on("session").columns(["user_id", "id"]).execute();
      await db.schema.createIndex("session_revision").on("session").column("revision").execute();
    },
  },
  {
    name: "0002_web_socket_ticket",
    async up(db) {
      await db.schema
        .createTable("web_socket_ticket")
        .addColumn("ticket_hash", "blob", (column) => column.primaryKey())
        .addColumn("session_id", "text", (column) => column.notNull())
        .addColumn("expires_at", "text", (column) => column.notNull())
        .execute();
    },
  },
  {
    name: "0003_proof",
    async up(db) {
      await db.schema.alterTable("session").addColumn("proven_at", "text").execute();
      await db.schema
        .alterTable("session")
        .addColumn("strong", "integer", (column) => column.notNull().defaultTo(0))
        .execute();
    },
  },
  {
    name: "0004_session_impersonator",
    async up(db) {
      await db.schema.createIndex("session_impersonator").on("session").column("impersonator_id").execute();
    },
  },
];
