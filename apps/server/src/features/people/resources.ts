import type { Resource } from "../../kit/policy.ts";
import { principalOf, type Subject } from "../../kit/subject.ts";
import { actorIn, userIdOf } from "./actor.ts";
import type { PeopleDesk } from "./desk.ts";
import { findOrganization, isOrganizationId, memberRole, type OrganizationRow } from "./organization-store.ts";
import { findPerson, personById } from "./person-store.ts";
import { findTeam } from "./teams.ts";

type OfOrganization = { readonly org: string };
type OfTeam = OfOrganization & { readonly team: string };
type OfMember = OfOrganization & { readonly user: string };
type Lookup<Params> = (params: Params, subject: Subject) => Promise<Resource | undefined>;

/** What the routes about people are about, for the policy: an organization and what is in it, `undefined` where it is not. */
export type Resources = {
  /** Somebody's profile; `me` is the asker. Tombstones are found by their ids. */
  readonly profile: Lookup<{ readonly id: string }>;
  /** The account of somebody who is no tombstone. */
  readonly user: Lookup<{ readonly user: string }>;
  readonly organization: Lookup<OfOrganization>;
  /** One that was deleted, for those who own it. */
  readonly deletedOrganization: Lookup<OfOrganization>;
  /** Who belongs to an organization. */
  readonly memberships: Lookup<OfOrganization>;
  /** That one belongs to it. */
  readonly membership: Lookup<OfMember>;
  /** That the asker himself would like to. */
  readonly ownMembership: Lookup<OfOrganization>;
  readonly invitations: Lookup<OfOrganization>;
  /** Any team of an organization. */
  readonly teams: Lookup<OfOrganization>;
  readonly team: Lookup<OfTeam>;
  readonly teamMemberships: Lookup<OfTeam>;
  readonly teamMembership: Lookup<OfTeam & OfMember>;
};

/**
 * What became of an organization, by its id. What is not the id of one, such as a name that an administrator has given, is
 * there: nobody can delete it.
 */
export function createOrganizationStates(desk: Pick<PeopleDesk, "read">) {
  return {
    async stateOf(id: string): Promise<"there" | "deleted" | "gone"> {
      if (!isOrganizationId(id)) return "there";
      const row = await findOrganization(await desk.read(), id);
      return row === undefined ? "gone" : row.deleted_at === null ? "there" : "deleted";
    },
  };
}

export function createResources(desk: PeopleDesk): Resources {
  const existing = async (idOrSlug: string): Promise<OrganizationRow | undefined> => {
    const row = await findOrganization(await desk.read(), idOrSlug);
    return row?.deleted_at === null ? row : undefined;
  };
  /** A resource of an organization that is there. */
  const within =
    <Params extends OfOrganization>(
      of: (row: OrganizationRow, params: Params, subject: Subject) => Resource | Promise<Resource | undefined>,
    ): Lookup<Params> =>
    async (params, subject) => {
      const row = await existing(params.org);
      return row && of(row, params, subject);
    };
  const person = async (user: string): Promise<string | undefined> => (await findPerson(await desk.read(), user))?.id;

  return {
    async profile({ id }, subject) {
      const me = userIdOf(subject);
      if (id === "me") return me === undefined ? undefined : { type: "user", id: me, owner: me };
      const db = await desk.read();
      const found = (await findPerson(db, id)) ?? (await personById(db, id));
      return found && { type: "user", id: found.id, owner: found.id };
    },
    async user({ user }) {
      const id = await person(user);
      return id === undefined ? undefined : { type: "user", id, owner: id };
    },
    organization: within(organizationResource),
    async deletedOrganization({ org }, subject) {
      const db = await desk.read();
      const row = await findOrganization(db, org);
      if (row === undefined) return undefined;
      const owns = (await memberRole(db, row.id, userIdOf(subject))) === "owner";
      // Nobody's roles say so any more, so that to restore it is like making it; the service looks again.
      return owns || actorIn(subject).runsServer ? { type: "organization" } : undefined;
    },
    memberships: within(({ id }) => ({ type: "membership", organization: id })),
    membership: within(async ({ id }, { user }) => {
      const owner = await person(user);
      return owner === undefined ? undefined : { type: "membership", organization: id, owner };
    }),
    ownMembership: within((row, _, subject) => ({
      type: "membership",
      organization: row.id,
      owner: principalOf(subject),
      visibility: visibilityOf(row),
    })),
    invitations: within(({ id }) => ({ type: "invitation", organization: id })),
    teams: within(({ id }) => ({ type: "team", organization: id })),
    team: within(async ({ id }, { team }) => {
      const row = await findTeam(await desk.read(), id, team);
      return row && { type: "team", id: row.id, team: row.id, organization: id };
    }),
    teamMemberships: within(async ({ id }, { team }) => {
      const row = await findTeam(await desk.read(), id, team);
      return row && { type: "membership", team: row.id, organization: id };
    }),
    teamMembership: within(async ({ id }, { team, user }) => {
      const row = await findTeam(await desk.read(), id, team);
      const owner = await person(user);
      if (row === undefined || owner === undefined) return undefined;
      return { type: "membership", team: row.id, organization: id, owner };
    }),
  };
}

function organizationResource(row: OrganizationRow): Resource {
  return { type: "organization", id: row.id, organization: row.id, visibility: visibilityOf(row) };
}

function visibilityOf({ visibility }: OrganizationRow): NonNullable<Resource["visibility"]> {
  return visibility === "public" || visibility === "unlisted" ? visibility : "private";
}
