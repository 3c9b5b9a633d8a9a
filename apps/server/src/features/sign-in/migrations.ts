import type { Migration } from "../../kit/migrations.ts";

export type SignInTables = {
  /** Somebody who was sent to a provider and is not back yet. What it is told by is nowhere but in his browser. */
  sign_in_flow: {
    state_hash: Uint8Array;
    browser_hash: Uint8Array;
    provider: string;
    redirect_to: string;
    /** RFC 3339. */
    expires_at: string;
  };
  /** An account at a provider that belongs to a user. */
  identity: {
    id: string;
    user_id: string;
    provider: string;
    issuer: string;
    /** What the issuer calls the person; never another one's. */
    subject: string;
    email: string;
    created_at: string;
    last_used_at: string;
  };
  /** How often somebody has tried something since a moment (Unix milliseconds). The name is hashed. */
  attempt_counter: { who: Uint8Array; started_at: number; ends_at: number; count: number };
  /** A mail domain that an organization has, and whom its people sign in with. */
  mail_domain: {
    domain: string;
    organization_id: string;
    /** "": with whom they like. */
    provider: string;
    /** 1: with nobody else. */
    forced: number;
    created_at: string;
  };
  /** That an organization says a domain is its own, and by what record it shows that; times are RFC 3339. */
  domain_claim: {
    organization_id: string;
    domain: string;
    /** Public: it stands in the domain's own records. */
    challenge: string;
    created_at: string;
    /** Until then it has to be proven. */
    expires_at: string;
    proven_at: string | null;
    version: number;
  };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_sign_in",
    async up(db) {
      await db.schema
        .createTable("sign_in_flow")
        .addColumn("state_hash", "blob", (column) => column.primaryKey())
        .addColumn("browser_hash", "blob", (column) => column.notNull())
        .addColumn("provider", "text", (column) => column.notNull())
        .addColumn("redirect_to", "text", (column) => column.notNull())
        .addColumn("expires_at", "text", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("sign_in_flow_end").on("sign_in_flow").column("expires_at").execute();
      await db.schema
        .createTable("identity")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("user_id", "text", (column) => column.notNull())
        .addColumn("provider", "text", (column) => column.notNull())
        .addColumn("issuer", "text", (column) => column.notNull())
        .addColumn("subject", "text", (column) => column.notNull())
        .addColumn("email", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("last_used_at", "text", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("identity_subject").on("identity").columns(["issuer", "subject"]).unique().execute();
      await db.schema.createIndex("identity_user").on("identity").column("user_id").execute();
      await db.schema
        .createTable("attempt_counter")
        .addColumn("who", "blob", (column) => column.primaryKey())
        .addColumn("started_at", "bigint", (column) => column.notNull())
        .addColumn("ends_at", "bigint", (column) => column.notNull())
        .addColumn("count", "integer", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("attempt_counter_end").on("attempt_counter").column("ends_at").execute();
      await db.schema
        .createTable("mail_domain")
        .addColumn("domain", "text", (column) => column.primaryKey())
        .addColumn("organization_id", "text", (column) => column.notNull())
        .addColumn("provider", "text", (column) => column.notNull())
        .addColumn("forced", "integer", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .execute();
    },
  },
  {
    name: "0002_domain_claim",
    async up(db) {
      await db.schema
        .createTable("domain_claim")
        .addColumn("organization_id", "text", (column) => column.notNull())
        .addColumn("domain", "text", (column) => column.notNull())
        .addColumn("challenge", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("expires_at", "text", (column) => column.notNull())
        .addColumn("proven_at", "text")
        .addColumn("version", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("domain_claim_key", ["organization_id", "domain"])
        .execute();
      await db.schema.createIndex("domain_claim_expires").on("domain_claim").column("expires_at").execute();
    },
  },
];
