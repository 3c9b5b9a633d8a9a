import type { Migration } from "../../kit/migrations.ts";

export type OAuthTables = {
  /** Times in Unix milliseconds. Neither the code nor the device's code nor the user's code is here, only their SHA-256. */
  oauth_grant: {
    id: string;
    kind: "device" | "code";
    secret_hash: Uint8Array;
    /** Of a device's grant. */
    user_code_hash: Uint8Array | null;
    client_id: string;
    /** Whence the device asked, for the page that asks the user. */
    address: string;
    user_agent: string;
    state: "pending" | "approved" | "denied" | "spent";
    user_id: string | null;
    /** Of the grant that was spent: it ends when the code comes a second time. */
    session_id: string | null;
    /** The session in which the user let the program in. */
    approved_in: string | null;
    redirect_uri: string | null;
    code_challenge: string | null;
    created_at: number;
    expires_at: number;
    /** Devices have to wait so many seconds between two questions. */
    interval_s: number;
    polled_at: number;
  };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_oauth_grant",
    async up(db) {
      await db.schema
        .createTable("oauth_grant")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("secret_hash", "blob", (column) => column.notNull().unique())
        .addColumn("user_code_hash", "blob", (column) => column.unique())
        .addColumn("client_id", "text", (column) => column.notNull())
        .addColumn("address", "text", (column) => column.notNull())
        .addColumn("user_agent", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull())
        .addColumn("user_id", "text")
        .addColumn("session_id", "text")
        .addColumn("redirect_uri", "text")
        .addColumn("code_challenge", "text")
        .addColumn("created_at", "bigint", (column) => column.notNull())
        .addColumn("expires_at", "bigint", (column) => column.notNull())
        .addColumn("interval_s", "integer", (column) => column.notNull())
        .addColumn("polled_at", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("oauth_grant_expires").on("oauth_grant").column("expires_at").execute();
    },
  },
  {
    name: "0002_approved_in",
    async up(db) {
      await db.schema.alterTable("oauth_grant").addColumn("approved_in", "text").execute();
    },
  },
];
