import { randomUUIDv7 } from "node:crypto";
import type { NewOrganization, Organization, OrganizationChange } from "@loom/api";
import type { ExpressionBuilder } from "kysely";
import { makeOnce, type Once } from "../../kit/idempotency.ts";
import type { ListFilter, ResourceColumns } from "../../kit/list-filter.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { Subject } from "../../kit/subject.ts";
import type { Expected } from "../../kit/versions.ts";
import { type Actor, actorIn, roleIn } from "./actor.ts";
import type { PeopleDesk } from "./desk.ts";
import { graceEnd } from "./grace.ts";
import { hasAll } from "./has-all.ts";
import type { PeopleTables } from "./migrations.ts";
import {
  findOrganization,
  memberRole,
  type OrganizationRow,
  organizationOf,
  shown,
  theOrganization,
} from "./organization-store.ts";
import { PeopleError } from "./people-error.ts";
import { findPerson, type People, touch, touchMembers } from "./person-store.ts";
import { slugFault } from "./usernames.ts";

/** How something was and how it is now. */
export type Change<Thing> = { readonly before: Thing; readonly after: Thing };

export type OrganizationQuery = {
  readonly which: "mine" | "all" | "deleted";
  readonly limit: number;
  readonly cursor?: string | undefined;
};

export type Organizations = {
  /** By slug: those that the policies let the subject find and read. Those that are deleted are for their owners. */
  list(
    subject: Subject,
    query: OrganizationQuery,
  ): Promise<{ readonly organizations: readonly Organization[]; readonly nextCursor: string | null }>;
  /** @throws PeopleError, as all of these */
  get(actor: Actor, idOrSlug: string): Promise<Organization>;
  create(
    actor: Actor,
    wish: NewOrganization,
    once?: Once,
  ): Promise<{ readonly organization: Organization; readonly repeated: boolean }>;
  /** What is so already is no change, and has the version that it had. */
  change(
    actor: Actor,
    idOrSlug: string,
    change: OrganizationChange,
    version: number | undefined,
  ): Promise<Change<Organization>>;
  /** For 90 days it can be restored; until then nobody else may have its slug. */
  delete(actor: Actor, idOrSlug: string, version: number | undefined): Promise<Organization>;
  restore(actor: Actor, idOrSlug: string): Promise<Organization>;
};

export function createOrganizations(desk: PeopleDesk, filter: ListFilter): Organizations {
  return {
    async list(subject, { which, limit, cursor }) {
      const db = await desk.read();
      const actor = actorIn(subject);
      const after = cursor === undefined ? "" : String(decodeCursor(cursor, ["string"])[0]);
      const viewer = actor.userId ?? "";
      const rows = await db
        .selectFrom("organization")
        .leftJoin("organization_member", (join) =>
          join
            .onRef("organization_member.organization_id", "=", "organization.id")
            .on("organization_member.person_id", "=", viewer),
        )
        .selectAll("organization")
        .select("organization_member.role as role")
        .where("organization.slug", ">", after)
        .where("organization.deleted_at", which === "deleted" ? "is not" : "is", null)
        .$if(which === "deleted" && !actor.runsServer, (query) => query.where("organization_member.role", "=", "owner"))
        // Nor does he who is locked out of it see it, whatever else he is.
        .$if(which === "deleted" && subject.type === "user" && subject.secondFactor !== true, (query) =>
          query.where((where) =>
            where.or([
              where("organization.require_second_factor", "=", 0),
              where("organization_member.role", "is", null),
            ]),
          ),
        )
        .$if(which === "mine", (query) =>
          query.where(
            actor.keyOf === undefined ? "organization_member.person_id" : "organization.id",
            "=",
            actor.keyOf ?? viewer,
          ),
        )
        // To nobody's roles does a deleted one say anything any more: see `resources.deletedOrganization`.
        .$if(which !== "deleted", (query) =>
          query.where((where) =>
            where.and(
              (["read", "list"] as const).map((action) => filter(subject, action, "organization", columns(where))),
            ),
          ),
        )
        .orderBy("organization.slug")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows, limit, ({ slug }) => [slug]);
      return { organizations: items.map((row) => organizationOf(row, row.role)), nextCursor };
    },
    async get(actor, idOrSlug) {
      const db = await desk.read();
      return withRole(db, actor, await theOrganization(db, idOrSlug));
    },
    create: (actor, wish, once) =>
      desk.change(async (db, now) => {
        const { id, repeated } = await makeOnce(db, { once, now: desk.wall() }, () => found(db, actor, wish, now));
        return { organization: await withRole(db, actor, await theOrganization(db, id)), repeated };
      }),
    change: (actor, idOrSlug, change, version) =>
      desk.change(async (db) => {
        const row = await theOrganization(db, idOrSlug);
        checkVersion(row, version);
        await checkAdministers(db, actor, row);
        const { visibility, joinPolicy, requireSecondFactor } = change;
        if (row.personal_of !== null && (visibility ?? joinPolicy ?? requireSecondFactor) !== undefined) {
          throw isPersonal(row);
        }
        const isRequired = row.require_second_factor === 1;
        if (requireSecondFactor !== undefined && requireSecondFactor !== isRequired) {
          checkGaveFactor(actor);
          await touchMembers(db, row.id);
        }
        if (change.slug !== undefined && change.slug !== row.slug) await checkSlug(db, change.slug);
        const columns = {
          ...(change.slug !== undefined && { slug: change.slug }),
          ...(change.name !== undefined && { name: change.name.trim() }),
          ...(change.description !== undefined && { description: change.description }),
          ...(visibility !== undefined && { visibility }),
          ...(joinPolicy !== undefined && { join_policy: joinPolicy }),
          ...(requireSecondFactor !== undefined && { require_second_factor: requireSecondFactor ? 1 : 0 }),
        };
        if (!hasAll(row, columns)) {
          await db
            .updateTable("organization")
            .set({ version: row.version + 1, ...columns })
            .where("id", "=", row.id)
            .execute();
        }
        const after = await theOrganization(db, row.id);
        return { before: await withRole(db, actor, row), after: await withRole(db, actor, after) };
      }),
    delete: (actor, idOrSlug, version) =>
      desk.change(async (db, now) => {
        const row = await theOrganization(db, idOrSlug);
        checkVersion(row, version);
        if ((await roleIn(db, actor, row.id)) !== "owner") throw ownersOnly("delete the organization");
        if (row.personal_of !== null) throw isPersonal(row);
        await touchMembers(db, row.id);
        await db
          .updateTable("organization")
          .set({ deleted_at: now, version: row.version + 1 })
          .where("id", "=", row.id)
          .execute();
        return withRole(db, actor, { ...row, deleted_at: now, version: row.version + 1 });
      }),
    restore: (actor, idOrSlug) =>
      desk.change(async (db) => {
        const row = await findOrganization(db, idOrSlug);
        if (row === undefined || (await roleIn(db, actor, row.id)) !== "owner") {
          throw new PeopleError("unknown", `You own no organization ${shown(idOrSlug)} that could be restored.`);
        }
        if (row.deleted_at === null) throw new PeopleError("conflict", "The organization is not deleted.");
        if (row.deleted_at <= graceEnd(desk.wall())) {
          throw new PeopleError("gone", "The organization was deleted more than 90 days ago: it is gone for good.");
        }
        if (row.require_second_factor === 1 && !hasGivenFactor(actor)) {
          throw new PeopleError("refused", ASKS_FOR_FACTOR);
        }
        await db
          .updateTable("organization")
          .set({ deleted_at: null, version: row.version + 1 })
          .where("id", "=", row.id)
          .execute();
        await touchMembers(db, row.id);
        return withRole(db, actor, await theOrganization(db, row.id));
      }),
  };
}

/** What policies look at in a row. */
function columns(where: ExpressionBuilder<PeopleTables, "organization">): ResourceColumns {
  const id = where.ref("organization.id");
  return { id, organization: id, visibility: where.ref("organization.visibility") };
}

/** Besides the personal one. */
const MAX_OWNED = 100;

async function checkMayOwnMore(db: People, person: string): Promise<void> {
  const { count } = await db
    .selectFrom("organization_member")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("person_id", "=", person)
    .where("role", "=", "owner")
    .executeTakeFirstOrThrow();
  if (count <= MAX_OWNED) return;
  throw new PeopleError(
    "conflict",
    `One person makes at most ${MAX_OWNED} organizations: delete one, or ask an admin.`,
  );
}

async function found(db: People, actor: Actor, wish: NewOrganization, now: string): Promise<string> {
  const owner = await ownerOf(db, actor, wish);
  if (!actor.runsServer) await checkMayOwnMore(db, owner);
  await checkSlug(db, wish.slug);
  const id = `org-${randomUUIDv7()}`;
  await db
    .insertInto("organization")
    .values({
      id,
      slug: wish.slug,
      name: wish.name?.trim() ?? wish.slug,
      description: wish.description ?? "",
      visibility: wish.visibility ?? "public",
      join_policy: wish.joinPolicy ?? "invite",
      require_second_factor: 0,
      personal_of: null,
      created_at: now,
      deleted_at: null,
      version: 1,
    })
    .execute();
  await db
    .insertInto("organization_member")
    .values({ organization_id: id, person_id: owner, role: "owner", joined_at: now })
    .execute();
  await touch(db, [owner]);
  return id;
}

/** A person owns what he makes; who is none, or runs the server, names somebody. */
async function ownerOf(db: People, actor: Actor, { owner }: NewOrganization): Promise<string> {
  if (owner === undefined) {
    if (actor.userId !== undefined) return actor.userId;
    throw new PeopleError("wrong", "This token is no person's: say in owner whose the organization shall be.", {
      field: "owner",
    });
  }
  const person = await findPerson(db, owner);
  if (person === undefined || person.deletedAt !== null || person.disabledAt !== null) {
    throw new PeopleError("wrong", `There is nobody ${shown(owner)} who could own it.`, { field: "owner" });
  }
  if (person.id !== actor.userId && !actor.runsServer) {
    throw new PeopleError("refused", "Only who runs the server may make an organization for somebody else.");
  }
  return person.id;
}

async function checkSlug(db: People, slug: string): Promise<void> {
  const fault = slugFault(slug, { least: 3 });
  if (fault !== undefined) throw new PeopleError("wrong", `The slug ${fault}.`, { field: "slug" });
  if ((await findOrganization(db, slug)) === undefined) return;
  throw new PeopleError("conflict", `The slug ${shown(slug)} is taken: choose another.`, { field: "slug" });
}

/** Nobody asks of others what he does not do himself, or takes the lock off with a key. @throws PeopleError */
const ASKS_FOR_FACTOR =
  "This organization asks its members for a second factor: add one at /auth/factors, or sign in again with yours, and restore it then.";

/** Nobody asks the server's own tokens for one. */
function hasGivenFactor({ userId, runsServer, gaveFactor }: Actor): boolean {
  return gaveFactor || (userId === undefined && runsServer);
}

function checkGaveFactor(actor: Actor): void {
  if (hasGivenFactor(actor)) return;
  throw new PeopleError(
    "refused",
    "Whether a second factor is asked for is changed only by a person who has signed in with his own: add one at /auth/factors, or sign in again with it.",
    { field: "requireSecondFactor" },
  );
}

export function checkVersion(row: { readonly version: number }, version: number | undefined): void {
  if (version === undefined || version === row.version) return;
  throw new PeopleError("version", `It has been changed meanwhile and is at version ${row.version}: look at it again.`);
}

/** For what may be put where nothing is, too. @throws PeopleError */
export function checkExpected(there: { readonly version: number } | undefined, expected: Expected): void {
  if (expected === "any") return;
  if (typeof expected === "number") {
    if (there?.version === expected) return;
    const now = there === undefined ? "is not there any more" : `is at version ${there.version}`;
    throw new PeopleError("version", `It has been changed meanwhile and ${now}: look at it again.`);
  }
  if (there === undefined) return;
  if (expected === "nothing") throw new PeopleError("version", "It is there already, and If-None-Match is *.");
  throw new PeopleError(
    "unversioned",
    `It is there already: send the version that you have seen as If-Match, e.g. "${there.version}", or * for any.`,
  );
}

/** @throws PeopleError for who is neither owner nor admin any more. */
export async function checkAdministers(db: People, actor: Actor, { id }: OrganizationRow): Promise<void> {
  const role = await roleIn(db, actor, id);
  if (role === "owner" || role === "admin") return;
  throw new PeopleError("refused", "Only owners and admins of the organization may do that.");
}

export function isPersonal({ slug }: OrganizationRow): PeopleError {
  return new PeopleError(
    "conflict",
    `${slug} is a personal organization: it has its one person, stays private and goes with the account.`,
  );
}

export function ownersOnly(what: string): PeopleError {
  return new PeopleError("refused", `Only owners may ${what}.`);
}

async function withRole(db: People, { userId }: Actor, row: OrganizationRow): Promise<Organization> {
  return organizationOf(row, await memberRole(db, row.id, userId));
}
