import type { GlobalRole, UserInfo } from "@loom/api";
import { sql } from "kysely";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { Actor } from "./actor.ts";
import type { PeopleDesk } from "./desk.ts";
import { type Page, thePerson } from "./members.ts";
import { type Change, checkVersion } from "./organizations.ts";
import { PeopleError } from "./people-error.ts";
import { type People, type Person, personOf, touch } from "./person-store.ts";

export type Administration = {
  /** Oldest first; tombstones too. `search`: a part of a name or address, in any case. */
  list(
    page: Page & { readonly search?: string | undefined },
  ): Promise<{ readonly users: readonly UserInfo[]; readonly nextCursor: string | null }>;
  /** @throws PeopleError, as all of these */
  show(idOrUsername: string): Promise<UserInfo>;
  /** Somebody who can act stays system admin, and nobody takes that from himself. */
  setRoles(
    actor: Actor,
    idOrUsername: string,
    roles: readonly GlobalRole[],
    version: number | undefined,
  ): Promise<Change<UserInfo>>;
  /** Nothing that the person has lets him in any more, from now on. */
  disable(actor: Actor, idOrUsername: string): Promise<UserInfo>;
  enable(idOrUsername: string): Promise<UserInfo>;
};

export function createAdministration(desk: PeopleDesk): Administration {
  return {
    async list({ limit, cursor, search }) {
      const db = await desk.read();
      const after = cursor === undefined ? "" : String(decodeCursor(cursor, ["string"])[0]);
      const pattern = `%${(search ?? "").toLowerCase().replace(/[\\%_]/g, "\\$&")}%`;
      const rows = await db
        .selectFrom("person")
        .selectAll()
        .where("id", ">", after)
        .$if(search !== undefined, (query) =>
          query.where((where) =>
            where.or(
              (["username", "display_name", "email"] as const).map(
                (column) => sql<boolean>`lower(${sql.ref(column)}) like ${pattern} escape '\\'`,
              ),
            ),
          ),
        )
        .orderBy("id")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows.map(personOf), limit, ({ id }) => [id]);
      return { users: items.map(infoOf), nextCursor };
    },
    show: async (idOrUsername) => infoOf(await thePerson(await desk.read(), idOrUsername)),
    setRoles: (actor, idOrUsername, roles, version) =>
      desk.change(async (db) => {
        const person = await thePerson(db, idOrUsername);
        checkVersion(person, version);
        const isDemoted = isAdmin(person) && !roles.includes("system_admin");
        if (isDemoted && actor.userId === person.id) {
          throw new PeopleError("conflict", "Nobody takes the role system_admin from himself: another admin has to.");
        }
        if (isDemoted) await checkAdminsLeft(db, person);
        const wanted = new Set(roles);
        const hasThem =
          person.globalRoles.length === wanted.size && person.globalRoles.every((role) => wanted.has(role));
        if (hasThem) return { before: infoOf(person), after: infoOf(person) };
        await db
          .updateTable("person")
          .set({ global_roles: JSON.stringify([...wanted]), version: person.version + 1 })
          .where("id", "=", person.id)
          .execute();
        await touch(db, [person.id]);
        return { before: infoOf(person), after: infoOf(await thePerson(db, person.id)) };
      }),
    disable: (actor, idOrUsername) =>
      desk.change(async (db, now) => {
        const person = await thePerson(db, idOrUsername);
        if (actor.userId === person.id) throw new PeopleError("conflict", "Nobody disables his own account.");
        if (person.disabledAt !== null) throw new PeopleError("conflict", "The account is disabled already.");
        await checkAdminsLeft(db, person);
        return set(db, person, now);
      }),
    enable: (idOrUsername) =>
      desk.change(async (db) => {
        const person = await thePerson(db, idOrUsername);
        if (person.disabledAt === null) throw new PeopleError("conflict", "The account is not disabled.");
        return set(db, person, null);
      }),
  };
}

async function set(db: People, person: Person, disabledAt: string | null): Promise<UserInfo> {
  await db
    .updateTable("person")
    .set({ disabled_at: disabledAt, version: person.version + 1 })
    .where("id", "=", person.id)
    .execute();
  await touch(db, [person.id]);
  return infoOf(await thePerson(db, person.id));
}

/** For when this person will be system admin no more. @throws PeopleError where nobody else is who can act */
export async function checkAdminsLeft(db: People, person: Person): Promise<void> {
  if (!isAdmin(person)) return;
  const others = await db
    .selectFrom("person")
    .select("id")
    .where("id", "!=", person.id)
    .where("global_roles", "like", '%"system_admin"%')
    .where("disabled_at", "is", null)
    .where("deleted_at", "is", null)
    .limit(1)
    .executeTakeFirst();
  if (others !== undefined) return;
  throw new PeopleError(
    "conflict",
    `${person.username} is the last system admin: give the role to somebody else first.`,
  );
}

function isAdmin({ globalRoles, disabledAt, deletedAt }: Person): boolean {
  return globalRoles.includes("system_admin") && disabledAt === null && deletedAt === null;
}

export function infoOf(person: Person): UserInfo {
  const { id, username, displayName, email, globalRoles, createdAt, disabledAt, deletedAt, purgedAt, version } = person;
  return { id, username, displayName, email, globalRoles, createdAt, disabledAt, deletedAt, purgedAt, version };
}
