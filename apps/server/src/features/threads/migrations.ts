import type { Migration } from "../../kit/migrations.ts";

export type ThreadTables = {
  thread: {
    id: string;
    /** What the other tables know it by. */
    key: number;
    owner: string;
    organization: string | null;
    team: string | null;
    visibility: string;
    /** Until when the support may read it; RFC 3339. */
    support_until: string | null;
    /** Number of records. */
    version: number;
    digest: string;
    bytes: number;
    /** Of messages, in all records. */
    messages: number;
    /** Grows when records are replaced: what was derived from them is void then. */
    generation: number;
    /** Grows with what changes without a record: visibility, trash, links. */
    revision: number;
    /** `ThreadFacts` without the commits, as JSON. */
    facts: string;
    updated_at: string;
    deleted_at: string | null;
    /** 1: only this row is left. */
    purged: number;
    workspace: string;
    remote: string | null;
    tags: string;
    models: string;
    pinned: number;
    /** Of all changes of all threads, the place of this one's last; grows in the order of the commits. */
    change: number;
  };
  /** Records that came together; never rewritten. */
  thread_chunk: {
    thread_key: number;
    /** Records in front of these. */
    first: number;
    count: number;
    /** Up to the end of this chunk: the thread's digest, its messages and its turns. */
    digest: string;
    messages: number;
    turns: number;
    /** One a line. */
    records: string;
  };
  thread_commit: { thread_key: number; sha: string; at: string; subject: string };
  /** Which thread has which long output: what one has, another one's readers do not learn of. */
  thread_output: { thread_key: number; sha256: string };
  thread_output_part: { sha256: string; part: number; bytes: number; content: Uint8Array };
  thread_share: {
    token_hash: Uint8Array;
    thread_key: number;
    created_at: string;
    expires_at: string | null;
    revoked_at: string | null;
  };
  thread_support_access: {
    thread_key: number;
    requested_by: string;
    requested_at: string;
    reason: string;
    approved_at: string | null;
    expires_at: string | null;
    revoked_at: string | null;
  };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_threads",
    async up(db) {
      await db.schema
        .createTable("thread")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("key", "bigint", (column) => column.notNull().unique())
        .addColumn("owner", "text", (column) => column.notNull())
        .addColumn("organization", "text")
        .addColumn("team", "text")
        .addColumn("visibility", "text", (column) => column.notNull())
        .addColumn("support_until", "text")
        .addColumn("version", "bigint", (column) => column.notNull())
        .addColumn("digest", "text", (column) => column.notNull())
        .addColumn("bytes", "bigint", (column) => column.notNull())
        .addColumn("messages", "bigint", (column) => column.notNull())
        .addColumn("generation", "bigint", (column) => column.notNull())
        .addColumn("revision", "bigint", (column) => column.notNull())
        .addColumn("facts", "text", (column) => column.notNull())
        .addColumn("updated_at", "text", (column) => column.notNull())
        .addColumn("deleted_at", "text")
        .addColumn("purged", "integer", (column) => column.notNull())
        .addColumn("workspace", "text", (column) => column.notNull())
        .addColumn("remote", "text")
        .addColumn("tags", "text", (column) => column.notNull())
        .addColumn("models", "text", (column) => column.notNull())
        .addColumn("pinned", "integer", (column) => column.notNull())
        .addColumn("change", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("thread_change").on("thread").column("change").execute();
      await db.schema.createIndex("thread_owner_change").on("thread").columns(["owner", "change"]).execute();
      await db.schema.createIndex("thread_owner_updated").on("thread").columns(["owner", "updated_at"]).execute();
      await db.schema.createIndex("thread_updated").on("thread").column("updated_at").execute();
      await db.schema
        .createTable("thread_chunk")
        .addColumn("thread_key", "bigint", (column) => column.notNull())
        .addColumn("first", "bigint", (column) => column.notNull())
        .addColumn("count", "bigint", (column) => column.notNull())
        .addColumn("digest", "text", (column) => column.notNull())
        .addColumn("messages", "bigint", (column) => column.notNull())
        .addColumn("turns", "bigint", (column) => column.notNull())
        .addColumn("records", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("thread_chunk_key", ["thread_key", "first"])
        .execute();
      await db.schema
        .createTable("thread_commit")
        .addColumn("thread_key", "bigint", (column) => column.notNull())
        .addColumn("sha", "text", (column) => column.notNull())
        .addColumn("at", "text", (column) => column.notNull())
        .addColumn("subject", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("thread_commit_key", ["thread_key", "sha"])
        .execute();
      await db.schema.createIndex("thread_commit_sha").on("thread_commit").column("sha").execute();
      await db.schema
        .createTable("thread_output")
        .addColumn("thread_key", "bigint", (column) => column.notNull())
        .addColumn("sha256", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("thread_output_key", ["thread_key", "sha256"])
        .execute();
      await db.schema.createIndex("thread_output_sha256").on("thread_output").column("sha256").execute();
      await db.schema
        .createTable("thread_output_part")
        .addColumn("sha256", "text", (column) => column.notNull())
        .addColumn("part", "integer", (column) => column.notNull())
        .addColumn("bytes", "bigint", (column) => column.notNull())
        .addColumn("content", "blob", (column) => column.notNull())
        .addPrimaryKeyConstraint("thread_output_part_key", ["sha256", "part"])
        .execute();
      await db.schema
        .createTable("thread_share")
        .addColumn("token_hash", "blob", (column) => column.primaryKey())
        .addColumn("thread_key", "bigint", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("expires_at", "text")
        .addColumn("revoked_at", "text")
        .execute();
      await db.schema.createIndex("thread_share_thread").on("thread_share").column("thread_key").execute();
      await db.schema
        .createTable("thread_support_access")
        .addColumn("thread_key", "bigint", (column) => column.primaryKey())
        .addColumn("requested_by", "text", (column) => column.notNull())
        .addColumn("requested_at", "text", (column) => column.notNull())
        .addColumn("reason", "text", (column) => column.notNull())
        .addColumn("approved_at", "text")
        .addColumn("expires_at", "text")
        .addColumn("revoked_at", "text")
        .execute();
    },
  },
  {
    // For those that are in a team: looked for when it is gone.
    name: "0002_thread_team",
    async up(db) {
      await db.schema.createIndex("thread_team").on("thread").column("team").where("team", "is not", null).execute();
    },
  },
];
