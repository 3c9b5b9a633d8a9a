import type { OrganizationMember } from "@loom/api";
import type { ListFilter } from "../../kit/list-filter.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { OrganizationRole, Subject } from "../../kit/subject.ts";
import type { Expected } from "../../kit/versions.ts";
import { type Actor, roleIn } from "./actor.ts";
import type { PeopleDesk } from "./desk.ts";
import { type OrganizationRow, shown, theOrganization } from "./organization-store.ts";
import { checkAdministers, checkExpected, isPersonal, ownersOnly } from "./organizations.ts";
import { PeopleError } from "./people-error.ts";
import { findPerson, type People, type Person, touch } from "./person-store.ts";

export type Page = { readonly limit: number; readonly cursor?: string | undefined };

export type MemberChange = {
  readonly organization: string;
  readonly member: OrganizationMember;
  /** What he was; absent: nobody in it. */
  readonly was?: OrganizationRole | undefined;
};

export type Members = {
  /** By username. */
  list(
    subject: Subject,
    idOrSlug: string,
    page: Page,
  ): Promise<{ readonly members: readonly OrganizationMember[]; readonly nextCursor: string | null }>;
  /** @throws PeopleError, as all of these */
  get(idOrSlug: string, user: string): Promise<OrganizationMember>;
  /** Another role for a member. Who runs the server also makes somebody a member. */
  put(
    actor: Actor,
    idOrSlug: string,
    user: string,
    wish: { readonly role: OrganizationRole; readonly expected: Expected },
  ): Promise<MemberChange>;
  /** Also out of the teams. @throws PeopleError where nobody would own the organization any more */
  remove(actor: Actor, idOrSlug: string, user: string, expected: Expected): Promise<MemberChange>;
};

export function createMembers(desk: PeopleDesk, filter: ListFilter): Members {
  return {
    async list(subject, idOrSlug, { limit, cursor }) {
      const db = await desk.read();
      const { id } = await theOrganization(db, idOrSlug);
      const after = cursor === undefined ? "" : String(decodeCursor(cursor, ["string"])[0]);
      const rows = await db
        .selectFrom("organization_member")
        .innerJoin("person", "person.id", "organization_member.person_id")
        .select([
          "person.id as userId",
          "person.username as username",
          "person.display_name as displayName",
          "organization_member.role as role",
          "organization_member.joined_at as joinedAt",
          "organization_member.version as version",
        ])
        .where("organization_member.organization_id", "=", id)
        .where("person.username", ">", after)
        .where((where) =>
          filter(subject, "read", "membership", {
            id: where.ref("person.id"),
            owner: where.ref("person.id"),
            organization: where.ref("organization_member.organization_id"),
          }),
        )
        .orderBy("person.username")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows, limit, ({ username }) => [username]);
      return { members: items.map((row) => ({ ...row, role: row.role as OrganizationRole })), nextCursor };
    },
    async get(idOrSlug, user) {
      const db = await desk.read();
      const organization = await theOrganization(db, idOrSlug);
      const person = await thePerson(db, user);
      return (await memberOf(db, organization.id, person)) ?? throwNoMember(person);
    },
    put: (actor, idOrSlug, user, { role, expected }) =>
      desk.change(async (db, now) => {
        const organization = await theOrganization(db, idOrSlug);
        const person = await thePerson(db, user);
        const before = await memberOf(db, organization.id, person);
        const was = before?.role;
        if (organization.personal_of !== null) throw isPersonal(organization);
        await checkAdministers(db, actor, organization);
        if (was === undefined && !actor.runsServer) {
          throw new PeopleError("conflict", `${person.username} is no member: invite him, so that he can say yes.`);
        }
        if (was === undefined && (person.disabledAt ?? person.deletedAt) !== null) {
          throw new PeopleError("conflict", `The account ${person.username} is disabled or deleted.`);
        }
        if ((was === "owner" || role === "owner") && (await roleIn(db, actor, organization.id)) !== "owner") {
          throw ownersOnly("make owners and take that from them");
        }
        checkExpected(before, expected);
        // Nothing to write down, to record or to tell anybody.
        if (before?.role === role) return { organization: organization.id, was, member: before };
        if (was === "owner" && role !== "owner") await checkOthersOwn(db, organization, person);
        return { organization: organization.id, was, member: await putMember(db, organization.id, person, role, now) };
      }),
    remove: (actor, idOrSlug, user, expected) =>
      desk.change(async (db) => {
        const organization = await theOrganization(db, idOrSlug);
        const person = await thePerson(db, user);
        const member = await memberOf(db, organization.id, person);
        if (member === undefined) throwNoMember(person);
        if (organization.personal_of !== null) throw isPersonal(organization);
        if (actor.userId !== person.id) {
          await checkAdministers(db, actor, organization);
          const mayTouchOwners = (await roleIn(db, actor, organization.id)) === "owner";
          if (member.role === "owner" && !mayTouchOwners) throw ownersOnly("remove an owner");
        }
        checkExpected(member, expected ?? "any");
        if (member.role === "owner") await checkOthersOwn(db, organization, person);
        await dropMember(db, organization.id, person.id);
        return { organization: organization.id, was: member.role, member };
      }),
  };
}

function throwNoMember({ username }: Person): never {
  throw new PeopleError("unknown", `${username} is no member.`);
}

/** Makes somebody a member, or gives him another role; within a `write`. */
export async function putMember(
  db: People,
  organizationId: string,
  person: Person,
  role: OrganizationRole,
  now: string,
): Promise<OrganizationMember> {
  await db
    .insertInto("organization_member")
    .values({ organization_id: organizationId, person_id: person.id, role, joined_at: now })
    .onConflict((conflict) =>
      conflict
        .columns(["organization_id", "person_id"])
        .doUpdateSet({ role, version: (where) => where("organization_member.version", "+", 1) }),
    )
    .execute();
  await touch(db, [person.id]);
  const member = await memberOf(db, organizationId, person);
  if (member === undefined) throw new Error("A member that was put is there.");
  return member;
}

/** Also out of the organization's teams; within a `write`. */
export async function dropMember(db: People, organizationId: string, personId: string): Promise<void> {
  await db
    .deleteFrom("team_member")
    .where("person_id", "=", personId)
    .where("team_id", "in", (where) =>
      where.selectFrom("team").select("team.id").where("team.organization_id", "=", organizationId),
    )
    .execute();
  await db
    .deleteFrom("organization_member")
    .where("organization_id", "=", organizationId)
    .where("person_id", "=", personId)
    .execute();
  await touch(db, [personId]);
}

/** Somebody besides him who can act has to own it. */
async function checkOthersOwn(db: People, { id, slug }: OrganizationRow, { id: leaving }: Person): Promise<void> {
  const other = await db
    .selectFrom("organization_member")
    .innerJoin("person", "person.id", "organization_member.person_id")
    .select("person.id")
    .where("organization_member.organization_id", "=", id)
    .where("organization_member.role", "=", "owner")
    .where("person.id", "!=", leaving)
    .where("person.disabled_at", "is", null)
    .where("person.deleted_at", "is", null)
    .limit(1)
    .executeTakeFirst();
  if (other !== undefined) return;
  throw new PeopleError(
    "conflict",
    `Nobody else owns ${slug}: make somebody else an owner first, or delete the organization.`,
  );
}

export async function thePerson(db: People, idOrUsername: string): Promise<Person> {
  const person = await findPerson(db, idOrUsername);
  if (person !== undefined) return person;
  throw new PeopleError("unknown", `There is nobody ${shown(idOrUsername)}: give an id or a username.`);
}

async function memberOf(db: People, organizationId: string, person: Person): Promise<OrganizationMember | undefined> {
  const row = await db
    .selectFrom("organization_member")
    .select(["role", "joined_at", "version"])
    .where("organization_id", "=", organizationId)
    .where("person_id", "=", person.id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { id: userId, username, displayName } = person;
  const { joined_at: joinedAt, version } = row;
  return { userId, username, displayName, role: row.role as OrganizationRole, joinedAt, version };
}
