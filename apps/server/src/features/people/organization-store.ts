import type { JoinPolicy, Organization, OrganizationVisibility } from "@loom/api";
import type { Selectable } from "kysely";
import type { OrganizationRole } from "../../kit/subject.ts";
import type { PeopleTables } from "./migrations.ts";
import { PeopleError } from "./people-error.ts";
import type { People } from "./person-store.ts";

export type OrganizationRow = Selectable<PeopleTables["organization"]>;

/** By id or slug, deleted ones too. */
export async function findOrganization(db: People, idOrSlug: string): Promise<OrganizationRow | undefined> {
  return db
    .selectFrom("organization")
    .selectAll()
    .where(isOrganizationId(idOrSlug) ? "id" : "slug", "=", idOrSlug)
    .executeTakeFirst();
}

/** `org-` and a UUID; a slug may begin like one, and is never as long with hyphens in the same places. */
const ID_LENGTH = 40;

export function isOrganizationId(text: string): boolean {
  return text.startsWith("org-") && text.length === ID_LENGTH;
}

/** One that is there. @throws PeopleError */
export async function theOrganization(db: People, idOrSlug: string): Promise<OrganizationRow> {
  const row = await findOrganization(db, idOrSlug);
  if (row !== undefined && row.deleted_at === null) return row;
  throw new PeopleError("unknown", `There is no organization ${shown(idOrSlug)}: give the id or the slug of one.`);
}

export function organizationOf(row: OrganizationRow, role: string | null | undefined): Organization {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    description: row.description,
    visibility: row.visibility as OrganizationVisibility,
    joinPolicy: row.join_policy as JoinPolicy,
    requireSecondFactor: row.require_second_factor === 1,
    personal: row.personal_of !== null,
    createdAt: row.created_at,
    deletedAt: row.deleted_at,
    version: row.version,
    role: (role ?? null) as OrganizationRole | null,
  };
}

export async function memberRole(
  db: People,
  organizationId: string,
  personId: string | undefined,
): Promise<OrganizationRole | undefined> {
  if (personId === undefined) return undefined;
  const row = await db
    .selectFrom("organization_member")
    .select("role")
    .where("organization_id", "=", organizationId)
    .where("person_id", "=", personId)
    .executeTakeFirst();
  return row?.role as OrganizationRole | undefined;
}

/** What somebody typed, short enough for a sentence. */
export function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
