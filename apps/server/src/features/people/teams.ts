import { randomUUIDv7 } from "node:crypto";
import type { NewTeam, Team, TeamChange, TeamMember } from "@loom/api";
import type { Selectable } from "kysely";
import { makeOnce, type Once } from "../../kit/idempotency.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { Subject, TeamRole } from "../../kit/subject.ts";
import type { Expected } from "../../kit/versions.ts";
import { type Actor, roleIn } from "./actor.ts";
import type { PeopleDesk } from "./desk.ts";
import { hasAll } from "./has-all.ts";
import { type Page, thePerson } from "./members.ts";
import type { PeopleTables } from "./migrations.ts";
import { memberRole, type OrganizationRow, shown, theOrganization } from "./organization-store.ts";
import { type Change, checkAdministers, checkExpected, checkVersion } from "./organizations.ts";
import { PeopleError } from "./people-error.ts";
import { type People, type Person, touch } from "./person-store.ts";
import { slugFault } from "./usernames.ts";

/** In one organization. */
const MAX_TEAMS = 1_000;

export type TeamRow = Selectable<PeopleTables["team"]>;

export type TeamMemberChange = {
  readonly team: Team;
  readonly member: TeamMember;
  readonly was?: TeamRole | undefined;
};

/** Ids, or slugs and usernames. */
type MemberPlace = { readonly org: string; readonly team: string; readonly user: string };

export type Teams = {
  /** By slug. */
  list(
    subject: Subject,
    organization: string,
    page: Page,
  ): Promise<{ readonly teams: readonly Team[]; readonly nextCursor: string | null }>;
  /** @throws PeopleError, as all of these */
  get(organization: string, team: string): Promise<Team>;
  create(
    actor: Actor,
    organization: string,
    wish: NewTeam,
    once?: Once,
  ): Promise<{ readonly team: Team; readonly repeated: boolean }>;
  /** What is so already is no change, and has the version that it had. */
  change(
    actor: Actor,
    organization: string,
    team: string,
    change: TeamChange,
    version: number | undefined,
  ): Promise<Change<Team>>;
  delete(actor: Actor, organization: string, team: string, version: number | undefined): Promise<Team>;
  /** By username. */
  members(
    subject: Subject,
    organization: string,
    team: string,
    page: Page,
  ): Promise<{ readonly members: readonly TeamMember[]; readonly nextCursor: string | null }>;
  getMember(where: MemberPlace): Promise<TeamMember>;
  putMember(
    actor: Actor,
    where: MemberPlace,
    wish: { readonly role: TeamRole; readonly expected: Expected },
  ): Promise<TeamMemberChange>;
  removeMember(actor: Actor, where: MemberPlace, expected: Expected): Promise<TeamMemberChange>;
};

export function createTeams(desk: PeopleDesk, filter: ListFilter): Teams {
  return {
    async list(subject, organization, { limit, cursor }) {
      const db = await desk.read();
      const { id } = await theOrganization(db, organization);
      const after = cursor === undefined ? "" : String(decodeCursor(cursor, ["string"])[0]);
      const rows = await db
        .selectFrom("team")
        .selectAll()
        .where("organization_id", "=", id)
        .where("slug", ">", after)
        .where((where) =>
          filter(subject, "read", "team", { id: where.ref("id"), organization: where.ref("organization_id") }),
        )
        .orderBy("slug")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows, limit, ({ slug }) => [slug]);
      return { teams: items.map(teamOf), nextCursor };
    },
    get: async (organization, team) => teamOf((await theTeam(await desk.read(), organization, team)).team),
    create: (actor, organization, wish, once) =>
      desk.change(async (db, now) => {
        const { id, repeated } = await makeOnce(db, { once, now: desk.wall() }, async () => {
          const row = await theOrganization(db, organization);
          await checkAdministers(db, actor, row);
          return add(db, row, wish, now);
        });
        const { team } = await theTeam(db, organization, id);
        return { team: teamOf(team), repeated };
      }),
    change: (actor, organization, idOrSlug, change, version) =>
      desk.change(async (db) => {
        const { team, organization: row } = await theTeam(db, organization, idOrSlug);
        checkVersion(team, version);
        await checkMaintains(db, actor, row, team);
        if (change.slug !== undefined && change.slug !== team.slug) await checkSlug(db, row, change.slug);
        const columns = {
          ...(change.slug !== undefined && { slug: change.slug }),
          ...(change.name !== undefined && { name: change.name.trim() }),
          ...(change.description !== undefined && { description: change.description }),
        };
        if (hasAll(team, columns)) return { before: teamOf(team), after: teamOf(team) };
        await db
          .updateTable("team")
          .set({ version: team.version + 1, ...columns })
          .where("id", "=", team.id)
          .execute();
        const after = await theTeam(db, row.id, team.id);
        return { before: teamOf(team), after: teamOf(after.team) };
      }),
    delete: (actor, organization, idOrSlug, version) =>
      desk.change(async (db) => {
        const { team, organization: row } = await theTeam(db, organization, idOrSlug);
        checkVersion(team, version);
        await checkAdministers(db, actor, row);
        const members = await db.selectFrom("team_member").select("person_id").where("team_id", "=", team.id).execute();
        await db.deleteFrom("team_member").where("team_id", "=", team.id).execute();
        await db.deleteFrom("team").where("id", "=", team.id).execute();
        await touch(
          db,
          members.map(({ person_id }) => person_id),
        );
        return teamOf(team);
      }),
    async members(subject, organization, idOrSlug, { limit, cursor }) {
      const db = await desk.read();
      const { team } = await theTeam(db, organization, idOrSlug);
      const after = cursor === undefined ? "" : String(decodeCursor(cursor, ["string"])[0]);
      const rows = await db
        .selectFrom("team_member")
        .innerJoin("team", "team.id", "team_member.team_id")
        .innerJoin("person", "person.id", "team_member.person_id")
        .select([
          "person.id as userId",
          "person.username as username",
          "person.display_name as displayName",
          "team_member.role as role",
          "team_member.joined_at as joinedAt",
          "team_member.version as version",
        ])
        .where("team_member.team_id", "=", team.id)
        .where("person.username", ">", after)
        .where((where) =>
          filter(subject, "read", "membership", {
            id: where.ref("person.id"),
            owner: where.ref("person.id"),
            team: where.ref("team_member.team_id"),
            organization: where.ref("team.organization_id"),
          }),
        )
        .orderBy("person.username")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows, limit, ({ username }) => [username]);
      return { members: items.map((row) => ({ ...row, role: row.role as TeamRole })), nextCursor };
    },
    async getMember({ org, team: idOrSlug, user }) {
      const db = await desk.read();
      const { team } = await theTeam(db, org, idOrSlug);
      const person = await thePerson(db, user);
      return (await memberOf(db, team, person)) ?? throwNoMember(person);
    },
    putMember: (actor, { org, team: idOrSlug, user }, { role, expected }) =>
      desk.change(async (db, now) => {
        const { team, organization: row } = await theTeam(db, org, idOrSlug);
        await checkMaintains(db, actor, row, team);
        const person = await thePerson(db, user);
        if ((await memberRole(db, row.id, person.id)) === undefined) {
          throw new PeopleError(
            "conflict",
            `${person.username} does not belong to ${row.slug}: only its members can be in its teams.`,
          );
        }
        const before = await memberOf(db, team, person);
        checkExpected(before, expected);
        // Nothing to write down or to record.
        if (before?.role === role) return { team: teamOf(team), member: before, was: role };
        await db
          .insertInto("team_member")
          .values({ team_id: team.id, person_id: person.id, role, joined_at: now })
          .onConflict((conflict) =>
            conflict
              .columns(["team_id", "person_id"])
              .doUpdateSet({ role, version: (where) => where("team_member.version", "+", 1) }),
          )
          .execute();
        await touch(db, [person.id]);
        const member = await memberOf(db, team, person);
        if (member === undefined) throw new Error("A member that was put is there.");
        return { team: teamOf(team), member, was: before?.role };
      }),
    removeMember: (actor, { org, team: idOrSlug, user }, expected) =>
      desk.change(async (db) => {
        const { team, organization: row } = await theTeam(db, org, idOrSlug);
        const person = await thePerson(db, user);
        if (actor.userId !== person.id) await checkMaintains(db, actor, row, team);
        const member = await memberOf(db, team, person);
        if (member === undefined) throwNoMember(person);
        checkExpected(member, expected ?? "any");
        await db.deleteFrom("team_member").where("team_id", "=", team.id).where("person_id", "=", person.id).execute();
        await touch(db, [person.id]);
        return { team: teamOf(team), member, was: member.role };
      }),
  };
}

function throwNoMember({ username }: Person): never {
  throw new PeopleError("unknown", `${username} is not in the team.`);
}

/** By id or slug, in an organization that is there. */
export async function findTeam(db: People, organizationId: string, idOrSlug: string): Promise<TeamRow | undefined> {
  return db
    .selectFrom("team")
    .selectAll()
    .where("organization_id", "=", organizationId)
    .where(idOrSlug.startsWith("team-") && idOrSlug.length === ID_LENGTH ? "id" : "slug", "=", idOrSlug)
    .executeTakeFirst();
}

const ID_LENGTH = 41;

async function theTeam(
  db: People,
  organization: string,
  idOrSlug: string,
): Promise<{ readonly team: TeamRow; readonly organization: OrganizationRow }> {
  const row = await theOrganization(db, organization);
  const team = await findTeam(db, row.id, idOrSlug);
  if (team !== undefined) return { team, organization: row };
  throw new PeopleError("unknown", `${row.slug} has no team ${shown(idOrSlug)}: give the id or the slug of one.`);
}

async function add(db: People, organization: OrganizationRow, wish: NewTeam, now: string): Promise<string> {
  await checkSlug(db, organization, wish.slug);
  const { count } = await db
    .selectFrom("team")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("organization_id", "=", organization.id)
    .executeTakeFirstOrThrow();
  if (count >= MAX_TEAMS) throw new PeopleError("conflict", `${organization.slug} has ${MAX_TEAMS} teams already.`);
  const id = `team-${randomUUIDv7()}`;
  await db
    .insertInto("team")
    .values({
      id,
      organization_id: organization.id,
      slug: wish.slug,
      name: wish.name?.trim() ?? wish.slug,
      description: wish.description ?? "",
      created_at: now,
      version: 1,
    })
    .execute();
  return id;
}

async function checkSlug(db: People, { id, slug: of }: OrganizationRow, slug: string): Promise<void> {
  const fault = slugFault(slug, { least: 2 });
  if (fault !== undefined) throw new PeopleError("wrong", `The slug ${fault}.`, { field: "slug" });
  if ((await findTeam(db, id, slug)) === undefined) return;
  throw new PeopleError("conflict", `${of} has a team ${shown(slug)} already: choose another slug.`, { field: "slug" });
}

/** Owners and admins of the organization, and the team's maintainers. */
async function checkMaintains(db: People, actor: Actor, organization: OrganizationRow, team: TeamRow): Promise<void> {
  const role = await roleIn(db, actor, organization.id);
  if (role === "owner" || role === "admin") return;
  const own = await db
    .selectFrom("team_member")
    .select("role")
    .where("team_id", "=", team.id)
    .where("person_id", "=", actor.userId ?? "")
    .executeTakeFirst();
  if (own?.role === "maintainer") return;
  throw new PeopleError(
    "refused",
    "Only maintainers of the team, and owners and admins of its organization, may do that.",
  );
}

async function memberOf(db: People, { id }: TeamRow, person: Person): Promise<TeamMember | undefined> {
  const row = await db
    .selectFrom("team_member")
    .select(["role", "joined_at", "version"])
    .where("team_id", "=", id)
    .where("person_id", "=", person.id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { id: userId, username, displayName } = person;
  const { joined_at: joinedAt, version } = row;
  return { userId, username, displayName, role: row.role as TeamRole, joinedAt, version };
}

function teamOf(row: TeamRow): Team {
  return {
    id: row.id,
    organization: row.organization_id,
    slug: row.slug,
    name: row.name,
    description: row.description,
    createdAt: row.created_at,
    version: row.version,
  };
}
