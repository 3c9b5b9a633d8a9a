import type { OrganizationRole } from "@loom/api";
import type { Kysely } from "kysely";
import { forgetMade, forgetOnce, type IdempotencyTables } from "../../kit/idempotency.ts";
import type { Metrics } from "../../kit/metrics.ts";
import type { Departed, DissolvedOrganization, Purge } from "../../kit/purge.ts";
import type { PeopleDesk } from "./desk.ts";
import { graceEnd } from "./grace.ts";
import { dropMember, putMember, thePerson } from "./members.ts";
import type { PeopleTables } from "./migrations.ts";
import { type People, type Person, touch } from "./person-store.ts";

/** How long somebody can look at what was done to his account, in milliseconds. */
const NOTICE_MS = 365 * 24 * 3_600_000;
/** People, and organizations, at once; the rest has its turn at the next. */
const MAX_PURGED = 100;

/** What a purge has done, for the audit log. */
export type Purged = {
  readonly people: readonly Person[];
  readonly organizations: readonly { readonly id: string; readonly slug: string }[];
  /** Who owns an organization now because its last owner is gone. */
  readonly heirs: readonly Heir[];
  /** Who could not be removed, and why: he has his turn again behind all that have not had theirs. */
  readonly failures: readonly { readonly id: string; readonly error: unknown }[];
};

type Heir = { readonly organization: string; readonly person: Person; readonly was: OrganizationRole };

export type Purging = {
  /**
   * Makes an end of what has been deleted for 90 days: of a person a tombstone is left, so that ids still mean somebody,
   * of an organization nothing. Each by itself, after `elsewhere` has removed what others keep of it.
   */
  purge(elsewhere: Purge): Promise<Purged>;
};

export function createPurging(desk: PeopleDesk, metrics: Metrics): Purging {
  const count = metrics.counter({
    name: "loom_purged_total",
    help: "People and organizations that were due to be removed for good, by what became of it: purged, failed",
    labels: ["outcome"],
  });
  async function purgeOrganization(elsewhere: Purge, organization: DissolvedOrganization): Promise<void> {
    await elsewhere.organization(organization);
    await desk.change((db) => removeOrganization(db, organization));
  }

  /** They were dissolved by somebody, and are gone already: what others keep of each, or come to keep later. */
  async function purgeTeams(elsewhere: Purge, onFailure: (id: string, error: unknown) => undefined): Promise<void> {
    const isThere = async (id: string): Promise<boolean> =>
      (await (await desk.read()).selectFrom("team").select("id").where("id", "=", id).executeTakeFirst()) !== undefined;
    for (const kept of elsewhere.teams) {
      const nextAfter = (id: string) => kept.nextAfter(id).catch((error: unknown) => onFailure("teams", error));
      for (let id = await nextAfter(""); id !== undefined; id = await nextAfter(id)) {
        const team = id;
        // In this order: what something points to was there before.
        if (!(await isThere(team))) await kept.purge(team).catch((error: unknown) => onFailure(team, error));
      }
    }
    await desk.change(forgetMadeTeams);
  }

  return {
    async purge(elsewhere) {
      const people: Person[] = [];
      const organizations: DissolvedOrganization[] = [];
      const heirs: Heir[] = [];
      const failures: Purged["failures"][number][] = [];
      const attempt = async (table: "person" | "organization", id: string, work: () => Promise<void>) => {
        try {
          await work();
        } catch (error) {
          failures.push({ id, error });
          const failed = { purge_failed_at: new Date(desk.wall()).toISOString() };
          // Where not even that can be written down, it is simply among the first again.
          await desk
            .change((db) => db.updateTable(table).set(failed).where("id", "=", id).execute())
            .catch(() => undefined);
        }
      };
      await desk.change((db) =>
        db
          .deleteFrom("notice")
          .where("created_at", "<=", new Date(desk.wall() - NOTICE_MS).toISOString())
          .execute(),
      );
      const before = graceEnd(desk.wall());
      const db = await desk.read();
      const [dissolved, gone] = [await dissolvedBefore(db, before), await departedBefore(db, before)];
      for (const organization of dissolved) {
        await attempt("organization", organization.id, async () => {
          await purgeOrganization(elsewhere, organization);
          organizations.push(organization);
        });
      }
      for (const departed of gone) {
        await attempt("person", departed.id, async () => {
          for (const organization of await desk.change((transaction) => dissolve(transaction, departed, before))) {
            await purgeOrganization(elsewhere, organization);
            organizations.push(organization);
          }
          await elsewhere.person(departed);
          const left = await desk.change(async (transaction, now) => {
            const person = await thePerson(transaction, departed.id);
            const inherited = await leaveOrganizations(transaction, person, { now, before });
            await makeTombstone(transaction, departed, person.version, now);
            return { person, inherited };
          });
          people.push(left.person);
          heirs.push(...left.inherited);
        });
      }
      const onFailure = (id: string, error: unknown): undefined => void failures.push({ id, error });
      await purgeTeams(elsewhere, onFailure).catch((error: unknown) => onFailure("teams", error));
      count({ outcome: "purged" }, people.length + organizations.length);
      count({ outcome: "failed" }, failures.length);
      return { people, organizations, heirs, failures };
    },
  };
}

/** Those that were tried in vain come last, and of them first what was tried first. */
async function dissolvedBefore(db: People, before: string): Promise<readonly DissolvedOrganization[]> {
  const rows = await db
    .selectFrom("organization")
    .select(["id", "slug"])
    .where("deleted_at", "<=", before)
    .orderBy("purge_failed_at")
    .orderBy("deleted_at")
    .limit(MAX_PURGED)
    .execute();
  return withTeams(db, rows);
}

async function withTeams(
  db: People,
  rows: readonly { readonly id: string; readonly slug: string }[],
): Promise<readonly DissolvedOrganization[]> {
  return Promise.all(
    rows.map(async ({ id, slug }) => {
      const teams = await db.selectFrom("team").select("id").where("organization_id", "=", id).execute();
      return { id, slug, teams: teams.map((team) => team.id) };
    }),
  );
}

async function departedBefore(db: People, before: string): Promise<readonly Departed[]> {
  const rows = await db
    .selectFrom("person")
    .select(["id", "username", "email"])
    .where("deleted_at", "<=", before)
    .where("purged_at", "is", null)
    .orderBy("purge_failed_at")
    .orderBy("deleted_at")
    .limit(MAX_PURGED)
    .execute();
  return rows.map((row) => ({ ...row, tombstone: `deleted_${row.id.slice(-12)}` }));
}

/** What nobody else belongs to ends with him: from now on nobody joins it or takes that back. */
async function dissolve(db: People, { id }: Departed, before: string): Promise<readonly DissolvedOrganization[]> {
  const rows = await db
    .selectFrom("organization")
    .leftJoin("organization_member", "organization_member.organization_id", "organization.id")
    .select(["organization.id as id", "organization.slug as slug"])
    .where((where) => where.or([where("organization_member.person_id", "=", id), where("personal_of", "=", id)]))
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom("organization_member as other")
            .select("other.person_id")
            .whereRef("other.organization_id", "=", "organization.id")
            .where("other.person_id", "!=", id),
        ),
      ),
    )
    .execute();
  for (const row of rows) await endOrganization(db, row.id, before);
  return withTeams(db, rows);
}

async function endOrganization(db: People, id: string, before: string): Promise<void> {
  await db.updateTable("organization").set({ deleted_at: before }).where("id", "=", id).execute();
}

/** Where no owner who can act is left, of those who can the member of the highest role and longest standing is one. */
async function leaveOrganizations(
  db: People,
  person: Person,
  { now, before }: { readonly now: string; readonly before: string },
): Promise<readonly Heir[]> {
  const left = await db
    .selectFrom("organization_member")
    .select("organization_id as id")
    .where("person_id", "=", person.id)
    .execute();
  const heirs: Heir[] = [];
  for (const { id } of left) {
    await dropMember(db, id, person.id);
    const members = await db
      .selectFrom("organization_member")
      .innerJoin("person", "person.id", "organization_member.person_id")
      .select(["person_id", "role", "disabled_at", "deleted_at"])
      .where("organization_id", "=", id)
      .orderBy("joined_at")
      .execute();
    const able = members.filter((member) => (member.disabled_at ?? member.deleted_at) === null);
    const candidates = able.length === 0 ? members : able;
    if (candidates.some(({ role }) => role === "owner")) continue;
    const heir = candidates.find(({ role }) => role === "admin") ?? candidates[0];
    if (heir === undefined) {
      // The others have left since: it has its turn at the next purge.
      await endOrganization(db, id, before);
      continue;
    }
    const of = await thePerson(db, heir.person_id);
    await putMember(db, id, of, "owner", now);
    heirs.push({ organization: id, person: of, was: heir.role as OrganizationRole });
  }
  return heirs;
}

async function removeOrganization(db: People, { id, teams }: DissolvedOrganization): Promise<void> {
  await db
    .deleteFrom("team_member")
    .where("team_id", "in", (where) =>
      where.selectFrom("team").select("team.id").where("team.organization_id", "=", id),
    )
    .execute();
  await db.deleteFrom("team").where("organization_id", "=", id).execute();
  await db.deleteFrom("organization_member").where("organization_id", "=", id).execute();
  await db.deleteFrom("invitation").where("organization_id", "=", id).execute();
  await db.deleteFrom("join_request").where("organization_id", "=", id).execute();
  await db.deleteFrom("organization").where("id", "=", id).execute();
  await forgetMade(db, [id, ...teams]);
}

async function forgetMadeTeams(db: People): Promise<void> {
  await (db as unknown as Kysely<PeopleTables & IdempotencyTables>)
    .deleteFrom("idempotency_key")
    .where("made", "like", "team-%")
    .where(({ not, exists, selectFrom }) => not(exists(selectFrom("team").select("id").whereRef("id", "=", "made"))))
    .execute();
}

/** The id stays, and the name stays taken: nobody comes later and is held for him. */
async function makeTombstone(
  db: People,
  { id, username, tombstone }: Departed,
  version: number,
  now: string,
): Promise<void> {
  const addresses = db.selectFrom("person_address").select("address_key").where("person_id", "=", id);
  await db.deleteFrom("invitation").where("email_key", "in", addresses).execute();
  await db.updateTable("invitation").set({ invited_by: tombstone }).where("invited_by", "=", username).execute();
  await forgetOnce(db, id);
  // Where an organization was gone before him.
  for (const table of ["organization_member", "team_member"] as const) {
    await db.deleteFrom(table).where("person_id", "=", id).execute();
  }
  await db.deleteFrom("person_address").where("person_id", "=", id).execute();
  await db.deleteFrom("person_restore").where("person_id", "=", id).execute();
  await db.deleteFrom("join_request").where("person_id", "=", id).execute();
  await db.deleteFrom("notice").where("person_id", "=", id).execute();
  await db.deleteFrom("seen_device").where("person_id", "=", id).execute();
  await db
    .updateTable("person")
    .set({
      username: tombstone,
      display_name: "Deleted user",
      email: "",
      show_email: 0,
      locale: null,
      avatar_url: null,
      global_roles: "[]",
      purged_at: now,
      version: version + 1,
    })
    .where("id", "=", id)
    .execute();
  await touch(db, [id]);
}
