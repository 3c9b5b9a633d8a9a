import type { Generated, Kysely } from "kysely";
import type { Migration } from "../../kit/migrations.ts";

/** Times are RFC 3339; `version` counts what an editor has to know of; lists are JSON. */
export type PeopleTables = {
  person: {
    id: string;
    username: string;
    /** `skeletonOf` the username: two that look alike have the same. A tombstone keeps its own, so that nobody takes it. */
    username_key: string;
    display_name: string;
    /** "" of a tombstone. */
    email: string;
    show_email: number;
    locale: string | null;
    avatar_url: string | null;
    global_roles: string;
    created_at: string;
    disabled_at: string | null;
    deleted_at: string | null;
    /** When nothing but a tombstone was left. */
    purged_at: string | null;
    /** When it was tried in vain to leave nothing but that; "": not yet. */
    purge_failed_at: Generated<string>;
    version: number;
    /** Grows with every change of anybody's roles, memberships or account: what other servers ask for. */
    revision: number;
  };
  /** Addresses that are proven to be a person's. `address_key` is `addressKey` of it. */
  person_address: { address_key: string; address: string; person_id: string; verified_at: string };
  organization: {
    id: string;
    slug: string;
    name: string;
    description: string;
    visibility: string;
    join_policy: string;
    /** 1: lets in only members who have given a second factor. */
    require_second_factor: number;
    /** Whose personal one it is. */
    personal_of: string | null;
    created_at: string;
    deleted_at: string | null;
    /** When it was tried in vain to remove it for good; "": not yet. */
    purge_failed_at: Generated<string>;
    version: number;
  };
  organization_member: {
    organization_id: string;
    person_id: string;
    role: string;
    joined_at: string;
    version: Generated<number>;
  };
  team: {
    id: string;
    organization_id: string;
    slug: string;
    name: string;
    description: string;
    created_at: string;
    version: number;
  };
  team_member: { team_id: string; person_id: string; role: string; joined_at: string; version: Generated<number> };
  /** Whoever has the token and the address may join; the token itself is nowhere. */
  invitation: {
    id: string;
    organization_id: string;
    email: string;
    email_key: string;
    role: string;
    token_hash: Uint8Array;
    invited_by: string;
    created_at: string;
    expires_at: string;
    /** `pending`, also past its time; `accepted`, `declined`, `cancelled`. */
    state: string;
    answered_at: string | null;
  };
  join_request: {
    id: string;
    organization_id: string;
    person_id: string;
    message: string;
    created_at: string;
    /** `pending`, `approved`, `rejected`, `withdrawn`. */
    state: string;
    decided_at: string | null;
  };
  /** With what a person takes the deletion of his account back; the token itself is nowhere. */
  person_restore: { person_id: string; token_hash: Uint8Array };
  /** From what somebody has signed in: `country` is "" where it is not known. */
  seen_device: { person_id: string; device: string; country: string; seen_at: string };
  /** What was done to somebody's account by others. */
  notice: { id: string; person_id: string; kind: string; text: string; created_at: string; read_at: string | null };
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_person",
    async up(db) {
      await db.schema
        .createTable("person")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("username", "text", (column) => column.notNull())
        .addColumn("username_key", "text", (column) => column.notNull().unique())
        .addColumn("display_name", "text", (column) => column.notNull())
        .addColumn("email", "text", (column) => column.notNull())
        .addColumn("show_email", "integer", (column) => column.notNull())
        .addColumn("locale", "text")
        .addColumn("avatar_url", "text")
        .addColumn("global_roles", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("disabled_at", "text")
        .addColumn("deleted_at", "text")
        .addColumn("purged_at", "text")
        .addColumn("version", "bigint", (column) => column.notNull())
        .addColumn("revision", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("person_revision").on("person").column("revision").execute();
      await db.schema.createIndex("person_deleted").on("person").column("deleted_at").execute();
      await db.schema
        .createTable("person_address")
        .addColumn("address_key", "text", (column) => column.primaryKey())
        .addColumn("address", "text", (column) => column.notNull())
        .addColumn("person_id", "text", (column) => column.notNull())
        .addColumn("verified_at", "text", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("person_address_person").on("person_address").column("person_id").execute();
    },
  },
  {
    name: "0002_organization",
    async up(db) {
      await db.schema
        .createTable("organization")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("slug", "text", (column) => column.notNull().unique())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("description", "text", (column) => column.notNull())
        .addColumn("visibility", "text", (column) => column.notNull())
        .addColumn("join_policy", "text", (column) => column.notNull())
        .addColumn("personal_of", "text", (column) => column.unique())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("deleted_at", "text")
        .addColumn("version", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("organization_deleted").on("organization").column("deleted_at").execute();
      await db.schema
        .createTable("organization_member")
        .addColumn("organization_id", "text", (column) => column.notNull())
        .addColumn("person_id", "text", (column) => column.notNull())
        .addColumn("role", "text", (column) => column.notNull())
        .addColumn("joined_at", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("organization_member_key", ["organization_id", "person_id"])
        .execute();
      await db.schema.createIndex("organization_member_person").on("organization_member").column("person_id").execute();
      await db.schema
        .createTable("team")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("organization_id", "text", (column) => column.notNull())
        .addColumn("slug", "text", (column) => column.notNull())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("description", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("version", "bigint", (column) => column.notNull())
        .addUniqueConstraint("team_slug", ["organization_id", "slug"])
        .execute();
      await db.schema
        .createTable("team_member")
        .addColumn("team_id", "text", (column) => column.notNull())
        .addColumn("person_id", "text", (column) => column.notNull())
        .addColumn("role", "text", (column) => column.notNull())
        .addColumn("joined_at", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("team_member_key", ["team_id", "person_id"])
        .execute();
      await db.schema.createIndex("team_member_person").on("team_member").column("person_id").execute();
    },
  },
  {
    name: "0003_invitation",
    async up(db) {
      await db.schema
        .createTable("invitation")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("organization_id", "text", (column) => column.notNull())
        .addColumn("email", "text", (column) => column.notNull())
        .addColumn("email_key", "text", (column) => column.notNull())
        .addColumn("role", "text", (column) => column.notNull())
        .addColumn("token_hash", "blob", (column) => column.notNull().unique())
        .addColumn("invited_by", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("expires_at", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull())
        .addColumn("answered_at", "text")
        .execute();
      await db.schema
        .createIndex("invitation_organization")
        .on("invitation")
        .columns(["organization_id", "id"])
        .execute();
      await db.schema
        .createTable("join_request")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("organization_id", "text", (column) => column.notNull())
        .addColumn("person_id", "text", (column) => column.notNull())
        .addColumn("message", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull())
        .addColumn("decided_at", "text")
        .execute();
      await db.schema
        .createIndex("join_request_organization")
        .on("join_request")
        .columns(["organization_id", "id"])
        .execute();
      await db.schema.createIndex("join_request_person").on("join_request").column("person_id").execute();
    },
  },
  {
    name: "0004_notice",
    async up(db) {
      await db.schema
        .createTable("person_restore")
        .addColumn("person_id", "text", (column) => column.primaryKey())
        .addColumn("token_hash", "blob", (column) => column.notNull().unique())
        .execute();
      await db.schema
        .createTable("notice")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("person_id", "text", (column) => column.notNull())
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("text", "text", (column) => column.notNull())
        .addColumn("created_at", "text", (column) => column.notNull())
        .execute();
      await db.schema.createIndex("notice_person").on("notice").columns(["person_id", "id"]).execute();
      await db.schema.createIndex("notice_created").on("notice").column("created_at").execute();
    },
  },
  {
    name: "0005_required_second_factor",
    async up(db) {
      await db.schema
        .alterTable("organization")
        .addColumn("require_second_factor", "integer", (column) => column.notNull().defaultTo(0))
        .execute();
    },
  },
  {
    name: "0006_versions_of_members",
    async up(db) {
      for (const table of ["organization_member", "team_member"]) {
        await db.schema
          .alterTable(table)
          .addColumn("version", "bigint", (column) => column.notNull().defaultTo(1))
          .execute();
      }
      await db.schema.alterTable("notice").addColumn("read_at", "text").execute();
    },
  },
  {
    name: "0007_seen_device",
    async up(db) {
      await db.schema
        .createTable("seen_device")
        .addColumn("person_id", "text", (column) => column.notNull())
        .addColumn("device", "text", (column) => column.notNull())
        .addColumn("country", "text", (column) => column.notNull())
        .addColumn("seen_at", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("seen_device_key", ["person_id", "device", "country"])
        .execute();
    },
  },
  {
    name: "0008_purge_failed",
    async up(db) {
      for (const table of ["person", "organization"]) {
        await db.schema
          .alterTable(table)
          .addColumn("purge_failed_at", "text", (column) => column.notNull().defaultTo(""))
          .execute();
      }
    },
  },
  {
    // Addresses from before their domains were kept as mail is delivered by them.
    name: "0009_delivered_addresses",
    async up(db) {
      const { deliverAll } = await import("./delivered-addresses.ts");
      await deliverAll(db as Kysely<PeopleTables>);
    },
  },
  {
    name: "0010_dissolved_team",
    async up(db) {
      await db.schema
        .createTable("dissolved_team")
        .addColumn("team_id", "text", (column) => column.primaryKey())
        .addColumn("organization_id", "text", (column) => column.notNull())
        .execute();
    },
  },
  {
    // What points to a team that is not there says as much.
    name: "0011_dissolved_team_found",
    async up(db) {
      await db.schema.dropTable("dissolved_team").execute();
    },
  },
];
