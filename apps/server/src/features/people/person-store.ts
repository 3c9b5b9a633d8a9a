import type { Kysely, Selectable } from "kysely";
import type { User } from "../../identity-types.ts";
import type { GlobalRole, OrganizationRole, Standing, TeamRole } from "../../kit/subject.ts";
import type { Changes } from "./change-feed.ts";
import type { PeopleTables } from "./migrations.ts";
import { skeletonOf } from "./usernames.ts";

// Each takes the tables of a transaction, or of none: what belongs together is put together by the services.
export type People = Kysely<PeopleTables>;

/** What is there about a person besides what everybody needs. */
export type Person = User & {
  readonly showEmail: boolean;
  readonly avatarUrl: string | null;
  readonly purgedAt: string | null;
  readonly version: number;
};

export async function personById(db: People, id: string): Promise<Person | undefined> {
  const row = await db.selectFrom("person").selectAll().where("id", "=", id).executeTakeFirst();
  return row && personOf(row);
}

export async function personByAddress(db: People, key: string): Promise<Person | undefined> {
  const row = await db
    .selectFrom("person_address")
    .innerJoin("person", "person.id", "person_address.person_id")
    .selectAll("person")
    .where("person_address.address_key", "=", key)
    .executeTakeFirst();
  return row && personOf(row);
}

/** By what its username looks like: at most one person has it. */
export async function personBySkeleton(db: People, skeleton: string): Promise<Person | undefined> {
  const row = await db.selectFrom("person").selectAll().where("username_key", "=", skeleton).executeTakeFirst();
  return row && personOf(row);
}

export async function standingOf(
  db: People,
  id: string,
): Promise<Omit<Standing, "globalRoles"> & { readonly personalOrganization?: string }> {
  const [organizations, teams] = await Promise.all([
    db
      .selectFrom("organization_member")
      .innerJoin("organization", "organization.id", "organization_member.organization_id")
      .select([
        "organization.id as id",
        "organization_member.role as role",
        "organization.personal_of as personalOf",
        "organization.require_second_factor as asks",
      ])
      .where("organization_member.person_id", "=", id)
      .where("organization.deleted_at", "is", null)
      .orderBy("organization.id")
      .execute(),
    db
      .selectFrom("team_member")
      .innerJoin("team", "team.id", "team_member.team_id")
      .innerJoin("organization", "organization.id", "team.organization_id")
      .select(["team.id as id", "team.organization_id as organization", "team_member.role as role"])
      .where("team_member.person_id", "=", id)
      .where("organization.deleted_at", "is", null)
      .orderBy("team.id")
      .execute(),
  ]);
  const personal = organizations.find((each) => each.personalOf === id);
  return {
    ...(personal === undefined ? {} : { personalOrganization: personal.id }),
    organizations: organizations.map((each) => ({
      id: each.id,
      role: each.role as OrganizationRole,
      ...(each.asks === 1 ? { asksForFactor: true } : {}),
    })),
    teams: teams.map((each) => ({ ...each, role: each.role as TeamRole })),
  };
}

export async function personalOrganizationOf(db: People, id: string): Promise<string | undefined> {
  const row = await db.selectFrom("organization").select("id").where("personal_of", "=", id).executeTakeFirst();
  return row?.id;
}

const MAX_CHANGES = 1_000;

export async function changesSince(db: People, revision: number): Promise<Changes> {
  const rows = await db
    .selectFrom("person")
    .select(["id", "revision"])
    .where("revision", ">", revision)
    .orderBy("revision")
    .limit(MAX_CHANGES + 1)
    .execute();
  if (rows.length <= MAX_CHANGES) return { revision: rows.at(-1)?.revision ?? revision, ids: rows.map(({ id }) => id) };
  return { revision: await newestRevision(db), ids: undefined };
}

/** Makes the other servers look at these people anew; within a `write`. */
export async function touch(db: People, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const revision = (await newestRevision(db)) + 1;
  await db
    .updateTable("person")
    .set({ revision })
    .where("id", "in", [...ids])
    .execute();
}

/** As `touch`, for whoever belongs to an organization. */
export async function touchMembers(db: People, organizationId: string): Promise<void> {
  const revision = (await newestRevision(db)) + 1;
  await db
    .updateTable("person")
    .set({ revision })
    .where("id", "in", (where) =>
      where
        .selectFrom("organization_member")
        .select("organization_member.person_id")
        .where("organization_member.organization_id", "=", organizationId),
    )
    .execute();
}

/** By id or username; nobody who is only a tombstone. */
export async function findPerson(db: People, idOrUsername: string): Promise<Person | undefined> {
  const person = idOrUsername.startsWith("user-")
    ? await personById(db, idOrUsername)
    : await personByUsername(db, idOrUsername);
  return person?.purgedAt === null ? person : undefined;
}

/** In any case, but not by what only looks like it. */
export async function personByUsername(db: People, username: string): Promise<Person | undefined> {
  const person = await personBySkeleton(db, skeletonOf(username));
  return person?.username.toLowerCase() === username.toLowerCase() ? person : undefined;
}

export async function newestRevision(db: People): Promise<number> {
  const row = await db
    .selectFrom("person")
    .select(({ fn }) => fn.max("revision").as("newest"))
    .executeTakeFirst();
  return row?.newest ?? 0;
}

export function personOf(row: Selectable<PeopleTables["person"]>): Person {
  return {
    id: row.id,
    username: row.username,
    displayName: row.display_name,
    email: row.email,
    showEmail: row.show_email === 1,
    locale: row.locale,
    avatarUrl: row.avatar_url,
    globalRoles: JSON.parse(row.global_roles) as GlobalRole[],
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
    deletedAt: row.deleted_at,
    purgedAt: row.purged_at,
    version: row.version,
  };
}
