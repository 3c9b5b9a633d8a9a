import { hash, randomBytes } from "node:crypto";
import type { AccountDeletion } from "@loom/api";
import { checkAdminsLeft } from "./administration.ts";
import type { PeopleDesk } from "./desk.ts";
import { GRACE_MS, graceEnd } from "./grace.ts";
import { thePerson } from "./members.ts";
import { PeopleError } from "./people-error.ts";
import { type People, type Person, personById, touch } from "./person-store.ts";

const TOKEN_SHAPE = /^lr_[A-Za-z0-9_-]{43}$/;

export type Departure = {
  /** Nobody can act as this person from now on. @throws PeopleError for the last who runs something with others */
  leave(userId: string): Promise<AccountDeletion>;
  /** @throws PeopleError for a token that restores nothing */
  restore(token: string): Promise<Person>;
  /** For administrators. @throws PeopleError */
  remove(idOrUsername: string): Promise<Person>;
  bringBack(idOrUsername: string): Promise<Person>;
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
  };
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
