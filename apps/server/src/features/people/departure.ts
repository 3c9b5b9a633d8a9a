import { hash, randomBytes } from "node:crypto";
import type { AccountDeletion, OrganizationRole } from "@loom/api";
import { forgetOnce } from "../../kit/idempotency.ts";
import type { Departed, PurgePerson } from "../../kit/purge.ts";
import { checkAdminsLeft } from "./administration.ts";
import type { PeopleDesk } from "./desk.ts";
import { dropMember, putMember, thePerson } from "./members.ts";
import { PeopleError } from "./people-error.ts";
import { type People, type Person, personById, touch } from "./person-store.ts";

/** How long what is deleted can be restored, in milliseconds. */
export const GRACE_MS = 90 * 24 * 3_600_000;
/** How long somebody can look at what was done to his account, in milliseconds. */
const NOTICE_MS = 365 * 24 * 3_600_000;
/** At once; the rest has its turn at the next. */
const MAX_PURGED = 100;

const TOKEN_SHAPE = /^lr_[A-Za-z0-9_-]{43}$/;

/** What a purge has done, for the audit log. */
export type Purged = {
  readonly people: readonly Person[];
  readonly organizations: readonly { readonly id: string; readonly slug: string }[];
  /** Who owns an organization now because its last owner is gone. */
  /** Why others could not yet remove what they keep of somebody. */
  readonly failures: readonly unknown[];
  readonly heirs: readonly {
    readonly organization: string;
    readonly person: Person;
    readonly was: OrganizationRole;
  }[];
};

export type Departure = {
  /** Nobody can act as this person from now on. @throws PeopleError for the last who runs something with others */
  leave(userId: string): Promise<AccountDeletion>;
  /** @throws PeopleError for a token that restores nothing */
  restore(token: string): Promise<Person>;
  /** For administrators. @throws PeopleError */
  remove(idOrUsername: string): Promise<Person>;
  bringBack(idOrUsername: string): Promise<Person>;
  /**
   * Makes an end of what has been deleted for 90 days: of a person a tombstone is left, so that ids still mean somebody.
   * `before` removes what others keep of him; where it fails, he has his turn again at the next.
   */
  purge(before?: PurgePerson): Promise<Purged>;
};

export function createDeparture(desk: PeopleDesk): Departure {
  const remove = async (db: People, person: Person, now: string): Promise<Person> => {
    if (person.deletedAt !== null) throw new PeopleError("conflict", "The account is deleted already.");
    await checkAdminsLeft(db, person);
    await checkHandedOver(db, person);
    await db
      .updateTable("person")
      .set({ deleted_at: now, version: person.version + 1 })
      .where("id", "=", person.id)
      .execute();
    await touch(db, [person.id]);
    return { ...person, deletedAt: now, version: person.version + 1 };
  };
  const restore = async (db: People, person: Person): Promise<Person> => {
    if (person.deletedAt === null) throw new PeopleError("conflict", "The account is not deleted.");
    if (person.deletedAt <= graceEnd(desk.wall())) {
      throw new PeopleError("gone", "The account was deleted more than 90 days ago: it is gone for good.");
    }
    await db
      .updateTable("person")
      .set({ deleted_at: null, version: person.version + 1 })
      .where("id", "=", person.id)
      .execute();
    await db.deleteFrom("person_restore").where("person_id", "=", person.id).execute();
    await touch(db, [person.id]);
    return { ...person, deletedAt: null, version: person.version + 1 };
  };

  return {
    leave: (userId) =>
      desk.change(async (db, now) => {
        const { id } = await remove(db, await thePerson(db, userId), now);
        const restoreToken = `lr_${randomBytes(32).toString("base64url")}`;
        await db.deleteFrom("person_restore").where("person_id", "=", id).execute();
        await db
          .insertInto("person_restore")
          .values({ person_id: id, token_hash: digest(restoreToken) })
          .execute();
        return { deletedAt: now, purgeAt: new Date(Date.parse(now) + GRACE_MS).toISOString(), restoreToken };
      }),
    restore: (token) =>
      desk.change(async (db) => {
        const row = TOKEN_SHAPE.test(token)
          ? await db
              .selectFrom("person_restore")
              .select("person_id")
              .where("token_hash", "=", digest(token))
              .executeTakeFirst()
          : undefined;
        const person = row && (await personById(db, row.person_id));
        if (person === undefined) {
          throw new PeopleError("unknown", "There is no deleted account with this token.", { field: "token" });
        }
        return restore(db, person);
      }),
    remove: (idOrUsername) => desk.change(async (db, now) => remove(db, await thePerson(db, idOrUsername), now)),
    bringBack: (idOrUsername) => desk.change(async (db) => restore(db, await thePerson(db, idOrUsername))),
    async purge(before = async () => {}) {
      const failures: unknown[] = [];
      const done: string[] = [];
      for (const person of await departed(await desk.read(), graceEnd(desk.wall()))) {
        try {
          await before(person);
          done.push(person.id);
        } catch (error) {
          failures.push(error);
        }
      }
      return { ...(await purgeAll(done)), failures };
    },
  };

  function purgeAll(ids: readonly string[]): Promise<Omit<Purged, "failures">> {
    return desk.change(async (db, now) => {
      const before = graceEnd(Date.parse(now));
      const late = new Date(Date.parse(now) - NOTICE_MS).toISOString();
      await db.deleteFrom("notice").where("created_at", "<=", late).execute();
      const organizations = await db
        .selectFrom("organization")
        .select(["id", "slug"])
        .where("deleted_at", "<=", before)
        .limit(MAX_PURGED)
        .execute();
      for (const { id } of organizations) await purgeOrganization(db, id);
      const gone = (await departed(db, before)).filter(({ id }) => ids.includes(id));
      const people: Person[] = [];
      const heirs: Purged["heirs"][number][] = [];
      for (const { id } of gone) {
        const person = await thePerson(db, id);
        people.push(person);
        const left = await leaveOrganizations(db, person, now);
        organizations.push(...left.organizations);
        heirs.push(...left.heirs);
        await makeTombstone(db, person, now);
      }
      return { people, organizations, heirs };
    });
  }
}

/** What was deleted then or before is gone for good. */
function graceEnd(nowMs: number): string {
  return new Date(nowMs - GRACE_MS).toISOString();
}

async function departed(db: People, before: string): Promise<readonly Departed[]> {
  const rows = await db
    .selectFrom("person")
    .leftJoin("organization", "organization.personal_of", "person.id")
    .select(["person.id", "person.username", "person.email", "organization.id as personal"])
    .where("person.deleted_at", "<=", before)
    .where("person.purged_at", "is", null)
    .orderBy("person.deleted_at")
    .limit(MAX_PURGED)
    .execute();
  return rows.map(({ id, username, email, personal }) => {
    return { id, username, email, tombstone: tombstoneOf(id), personalOrganization: personal ?? undefined };
  });
}

function tombstoneOf(id: string): string {
  return `deleted_${id.slice(-12)}`;
}

function digest(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

/** Organizations that somebody owns alone and shares with others need another owner first. */
async function checkHandedOver(db: People, person: Person): Promise<void> {
  const owned = await db
    .selectFrom("organization_member")
    .innerJoin("organization", "organization.id", "organization_member.organization_id")
    .select(["organization.id as id", "organization.slug as slug"])
    .where("organization_member.person_id", "=", person.id)
    .where("organization_member.role", "=", "owner")
    .where("organization.deleted_at", "is", null)
    .where("organization.personal_of", "is", null)
    .execute();
  for (const { id, slug } of owned) {
    const others = await db
      .selectFrom("organization_member")
      .innerJoin("person", "person.id", "organization_member.person_id")
      .select(["organization_member.role as role", "person.disabled_at", "person.deleted_at"])
      .where("organization_member.organization_id", "=", id)
      .where("person.id", "!=", person.id)
      .execute();
    const isOwned = others.some((each) => each.role === "owner" && (each.disabled_at ?? each.deleted_at) === null);
    if (isOwned || others.length === 0) continue;
    throw new PeopleError(
      "conflict",
      `${person.username} is the only owner of ${slug}: make another member an owner first, or delete the organization.`,
    );
  }
}

/** What has no other member ends with him; where no owner is left, the member of the highest role and longest standing is. */
async function leaveOrganizations(db: People, person: Person, now: string) {
  const left = await db
    .selectFrom("organization_member")
    .innerJoin("organization", "organization.id", "organization_member.organization_id")
    .select(["organization.id as id", "organization.slug as slug"])
    .where("organization_member.person_id", "=", person.id)
    .execute();
  const organizations: { id: string; slug: string }[] = [];
  const heirs: Purged["heirs"][number][] = [];
  for (const { id, slug } of left) {
    await dropMember(db, id, person.id);
    const members = await db
      .selectFrom("organization_member")
      .select(["person_id", "role"])
      .where("organization_id", "=", id)
      .orderBy("joined_at")
      .execute();
    if (members.some(({ role }) => role === "owner")) continue;
    const heir = members.find(({ role }) => role === "admin") ?? members[0];
    if (heir === undefined) {
      await purgeOrganization(db, id);
      organizations.push({ id, slug });
      continue;
    }
    const of = await thePerson(db, heir.person_id);
    await putMember(db, id, of, "owner", now);
    heirs.push({ organization: id, person: of, was: heir.role as OrganizationRole });
  }
  return { organizations, heirs };
}

async function purgeOrganization(db: People, id: string): Promise<void> {
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
}

/** The id stays, and the name stays taken: nobody comes later and is held for him. */
async function makeTombstone(db: People, { id, version, username }: Person, now: string): Promise<void> {
  const addresses = db.selectFrom("person_address").select("address_key").where("person_id", "=", id);
  await db.deleteFrom("invitation").where("email_key", "in", addresses).execute();
  await db
    .updateTable("invitation")
    .set({ invited_by: tombstoneOf(id) })
    .where("invited_by", "=", username)
    .execute();
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
      username: tombstoneOf(id),
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
