import type { CedarValueJson, EntityJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Resource, ResourceType } from "../../kit/policy.ts";
import { lockedOutOf, principalOf, type Subject, type UserSubject } from "../../kit/subject.ts";

/** What the schema calls each type of resource. */
export const RESOURCE_ENTITIES: { readonly [Type in ResourceType]: string } = {
  model: "Model",
  tool: "Tool",
  usage: "Usage",
  token: "AccessToken",
  budget: "Budget",
  credential: "Credential",
  system: "System",
  audit: "Audit",
  policy: "Policy",
  sign_in: "SignIn",
  user: "Profile",
  identity: "Identity",
  factor: "Factor",
  session: "Session",
  api_key: "ApiKey",
  organization: "Organization",
  membership: "Membership",
  team: "Team",
  invitation: "Invitation",
  mail_domain: "MailDomain",
  thread: "Thread",
  share_link: "ShareLink",
  support_access: "SupportAccess",
};

export const PRINCIPAL_ENTITIES: { readonly [Type in Subject["type"]]: string } = {
  owner: "Owner",
  token: "Token",
  user: "User",
  organization_key: "OrganizationKey",
  anonymous: "Anonymous",
};

type Attributes = Record<string, CedarValueJson>;

/** Everything of a subject that a policy can see. */
export function principalEntity(subject: Subject): EntityJson {
  const id = principalOf(subject);
  return { uid: { type: PRINCIPAL_ENTITIES[subject.type], id }, attrs: { id, ...standingOf(subject) }, parents: [] };
}

function standingOf(subject: Subject): Attributes {
  switch (subject.type) {
    case "owner":
    case "anonymous":
      return {};
    case "token":
      return { scopes: [...subject.scopes] };
    case "organization_key":
      return { organization: organization(subject.organization), scopes: [...subject.scopes] };
    case "user":
      return standingOfUser(subject);
  }
}

function standingOfUser(subject: UserSubject): Attributes {
  const { globalRoles, organizations, teams, via, scopes, impersonator } = subject;
  const inRole = (...roles: readonly string[]) =>
    organizations.filter(({ role }) => roles.includes(role)).map(({ id }) => organization(id));
  return {
    roles: [...globalRoles],
    memberOf: inRole("owner", "admin", "member"),
    administers: inRole("owner", "admin"),
    owns: inRole("owner"),
    lockedOut: lockedOutOf(subject).map(organization),
    teams: teams.map(({ id }) => team(id)),
    maintains: teams.filter(({ role }) => role === "maintainer").map(({ id }) => team(id)),
    via: via.type === "key" ? "key" : via.kind,
    ...(scopes === undefined ? {} : { scopes: [...scopes] }),
    ...(impersonator === undefined ? {} : { impersonator: impersonator.id }),
  };
}

/** Everything of a resource that a policy can see. */
export function resourceEntity(resource: Resource): EntityJson {
  const { type, id = "", owner, visibility = "private", sharedWithSupport = false } = resource;
  const inOrganization = organizationOf(resource);
  const inTeam = teamOf(resource);
  return {
    uid: { type: RESOURCE_ENTITIES[type], id },
    attrs: {
      visibility,
      sharedWithSupport,
      ...(owner === undefined ? {} : { owner }),
      ...(inOrganization === undefined ? {} : { organization: organization(inOrganization) }),
      ...(inTeam === undefined ? {} : { team: team(inTeam) }),
    },
    parents: [],
  };
}

/** An organization is in itself. */
export function organizationOf({ type, id, organization }: Resource): string | undefined {
  return type === "organization" && id !== undefined ? id : organization;
}

/** A team is in itself. */
export function teamOf({ type, id, team }: Resource): string | undefined {
  return type === "team" && id !== undefined ? id : team;
}

function organization(id: string): CedarValueJson {
  return { __entity: { type: "Organization", id } };
}

function team(id: string): CedarValueJson {
  return { __entity: { type: "Team", id } };
}
