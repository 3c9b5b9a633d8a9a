import type { Migration } from "../../kit/migrations.ts";

/** A row of the audit log. Never changed: `hash` is made of everything else, and the next row holds it. */
export type AuditRow = {
  /** 1, 2, 3... without a gap. */
  readonly seq: number;
  readonly id: string;
  /** When it happened, in Unix milliseconds. */
  readonly at_ms: number;
  readonly event: string;
  /** What stands before the dot of `event`. */
  readonly family: string;
  readonly severity: string;
  readonly outcome: string;
  readonly actor_type: string;
  readonly actor_id: string;
  readonly actor_name: string;
  /** `session:ID` or `key:ID`: how the actor was recognised. */
  readonly via: string | null;
  readonly impersonator_id: string | null;
  readonly impersonator_name: string | null;
  readonly target_type: string | null;
  readonly target_id: string | null;
  readonly target_name: string | null;
  readonly organization: string | null;
  readonly address: string | null;
  readonly place: string | null;
  readonly request_id: string | null;
  readonly user_agent: string | null;
  readonly policy: string | null;
  /** JSON of `before`, `after` and `details`; null where there is none of them. */
  readonly facts: string | null;
  /** The hash of row `seq - 1`. */
  readonly previous_hash: string;
  /** SHA-256, hexadecimal; see `row-hash.ts`. */
  readonly hash: string;
};

/** One row: where the chain begins and ends. */
export type AuditChainRow = {
  readonly id: number;
  readonly head_seq: number;
  readonly head_hash: string;
  /** The last row that was removed because of its age; 0 and zeros before there is one. */
  readonly anchor_seq: number;
  readonly anchor_hash: string;
  /** Which key has signed this row; null where no server had one. */
  readonly key_id: string | null;
  /** HMAC-SHA-256 over the rest, hexadecimal. */
  readonly signature: string | null;
};

export type AuditTables = { audit: AuditRow; audit_chain: AuditChainRow };

export const migrations: readonly Migration[] = [
  {
    name: "0001_audit",
    async up(db) {
      await db.schema
        .createTable("audit")
        .addColumn("seq", "integer", (column) => column.primaryKey())
        .addColumn("id", "text", (column) => column.notNull())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .addColumn("event", "text", (column) => column.notNull())
        .addColumn("family", "text", (column) => column.notNull())
        .addColumn("severity", "text", (column) => column.notNull())
        .addColumn("outcome", "text", (column) => column.notNull())
        .addColumn("actor_type", "text", (column) => column.notNull())
        .addColumn("actor_id", "text", (column) => column.notNull())
        .addColumn("actor_name", "text", (column) => column.notNull())
        .addColumn("via", "text")
        .addColumn("impersonator_id", "text")
        .addColumn("impersonator_name", "text")
        .addColumn("target_type", "text")
        .addColumn("target_id", "text")
        .addColumn("target_name", "text")
        .addColumn("organization", "text")
        .addColumn("address", "text")
        .addColumn("place", "text")
        .addColumn("request_id", "text")
        .addColumn("user_agent", "text")
        .addColumn("policy", "text")
        .addColumn("facts", "text")
        .addColumn("previous_hash", "text", (column) => column.notNull())
        .addColumn("hash", "text", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("audit_id").on("audit").column("id").unique().execute();
      await db.schema.createIndex("audit_at").on("audit").columns(["at_ms", "seq"]).execute();
      for (const column of ["actor_id", "family"] as const) {
        await db.schema.createIndex(`audit_${column}`).on("audit").columns([column, "at_ms", "seq"]).execute();
      }
      // Where a row has nothing there, it costs nothing.
      for (const column of ["target_id", "organization", "address", "impersonator_id"] as const) {
        await db.schema
          .createIndex(`audit_${column}`)
          .on("audit")
          .columns([column, "at_ms", "seq"])
          .where(column, "is not", null)
          .execute();
      }
      // Most rows tell of a success: whoever asks for those finds them among all.
      await db.schema
        .createIndex("audit_outcome")
        .on("audit")
        .columns(["outcome", "at_ms", "seq"])
        .where("outcome", "!=", "success")
        .execute();
      await db.schema
        .createTable("audit_chain")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("head_seq", "bigint", (column) => column.notNull())
        .addColumn("head_hash", "text", (column) => column.notNull())
        .addColumn("anchor_seq", "bigint", (column) => column.notNull())
        .addColumn("anchor_hash", "text", (column) => column.notNull())
        .addColumn("key_id", "text")
        .addColumn("signature", "text")
        .execute();
    },
  },
];
