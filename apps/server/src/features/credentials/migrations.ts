import type { Migration } from "../../kit/migrations.ts";

/** Times are Unix milliseconds, but for `created_at`, which is RFC 3339. */
export type CredentialTables = {
  credential: {
    id: string;
    provider: string;
    label: string;
    kind: string;
    weight: number;
    fingerprint: string | null;
    /** The master key that `wrapped_key` is encrypted with. */
    key_id: string;
    wrapped_key: Uint8Array;
    sealed: Uint8Array;
    /** Grows with every new secret in this row. */
    secret_revision: number;
    expires_at: number | null;
    /** Until then, one server is on its way to the token endpoint, and no other goes there. */
    refreshing_until: number | null;
    state: string;
    reason: string | null;
    since: number | null;
    until: number | null;
    created_at: string;
    /** That of the vault at the last change. */
    revision: number;
  };
  /** Secrets of other features, under the same master key. */
  sealed_secret: { id: string; purpose: string; key_id: string; wrapped_key: Uint8Array; sealed: Uint8Array };
  /** One row. `revision` grows with every change of any credential; `key_id` is the master key of all of them. */
  credential_vault: { id: number; revision: number; key_id: string | null };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_credentials",
    async up(db) {
      await db.schema
        .createTable("credential")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("provider", "text", (column) => column.notNull())
        .addColumn("label", "text", (column) => column.notNull().unique())
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("weight", "integer", (column) => column.notNull())
        .addColumn("fingerprint", "text")
        .addColumn("key_id", "text", (column) => column.notNull())
        .addColumn("wrapped_key", "blob", (column) => column.notNull())
        .addColumn("sealed", "blob", (column) => column.notNull())
        .addColumn("secret_revision", "bigint", (column) => column.notNull())
        .addColumn("expires_at", "bigint")
        .addColumn("state", "text", (column) => column.notNull())
        .addColumn("reason", "text")
        .addColumn("since", "bigint")
        .addColumn("until", "bigint")
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("revision", "bigint", (column) => column.notNull())
        .execute();
      await db.schema
        .createTable("credential_vault")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("revision", "bigint", (column) => column.notNull())
        .addColumn("key_id", "text")
        .execute();
      const vault = { id: 1, revision: 0, key_id: null };
      await db.$extendTables<CredentialTables>().insertInto("credential_vault").values(vault).execute();
    },
  },
  {
    name: "0002_sealed_secret",
    async up(db) {
      await db.schema
        .createTable("sealed_secret")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("purpose", "text", (column) => column.notNull())
        .addColumn("key_id", "text", (column) => column.notNull())
        .addColumn("wrapped_key", "blob", (column) => column.notNull())
        .addColumn("sealed", "blob", (column) => column.notNull())
        .execute();
    },
  },
  {
    name: "0003_refreshing",
    async up(db) {
      await db.schema.alterTable("credential").addColumn("refreshing_until", "bigint").execute();
    },
  },
];
