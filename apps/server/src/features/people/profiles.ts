import type { ProfileChange, UserProfile } from "@loom/api";
import type { PeopleDesk } from "./desk.ts";
import { hasAll } from "./has-all.ts";
import { thePerson } from "./members.ts";
import { type Change, checkVersion } from "./organizations.ts";
import { PeopleError } from "./people-error.ts";
import { findPerson, type People, type Person, personById, personBySkeleton, touch } from "./person-store.ts";
import { skeletonOf, usernameFault } from "./usernames.ts";

export type Profiles = {
  /** By id or username, tombstones by id too. `viewer`: the id of who asks. */
  get(idOrUsername: string, viewer: string | undefined): Promise<UserProfile | undefined>;
  /**
   * What is so already is no change, and has the version that it had.
   * @throws PeopleError where the username is taken, looks like one that is, or is reserved
   */
  change(userId: string, change: ProfileChange, version: number | undefined): Promise<Change<UserProfile>>;
};

export function createProfiles(desk: PeopleDesk): Profiles {
  return {
    async get(idOrUsername, viewer) {
      const db = await desk.read();
      const person = (await findPerson(db, idOrUsername)) ?? (await personById(db, idOrUsername));
      return person && profileOf(person, viewer);
    },
    change: (userId, change, version) =>
      desk.change(async (db) => {
        const before = await thePerson(db, userId);
        checkVersion(before, version);
        const { username, displayName, showEmail, locale, avatarUrl } = change;
        const wish = {
          ...(username !== undefined && { username }),
          ...(displayName !== undefined && { displayName: displayName.trim() }),
          ...(showEmail !== undefined && { showEmail }),
          ...(locale !== undefined && {
            locale: locale === null ? null : (Intl.getCanonicalLocales(locale)[0] ?? null),
          }),
          ...(avatarUrl !== undefined && { avatarUrl }),
        };
        if (hasAll(before, wish)) return { before: profileOf(before, userId), after: profileOf(before, userId) };
        if (username !== undefined && username !== before.username) await checkUsername(db, before, username);
        await db
          .updateTable("person")
          .set({
            version: before.version + 1,
            ...(username !== undefined && { username, username_key: skeletonOf(username) }),
            ...(wish.displayName !== undefined && { display_name: wish.displayName }),
            ...(showEmail !== undefined && { show_email: showEmail ? 1 : 0 }),
            ...(wish.locale !== undefined && { locale: wish.locale }),
            ...(avatarUrl !== undefined && { avatar_url: avatarUrl }),
          })
          .where("id", "=", userId)
          .execute();
        await touch(db, [userId]);
        return { before: profileOf(before, userId), after: profileOf(await thePerson(db, userId), userId) };
      }),
  };
}

async function checkUsername(db: People, person: Person, username: string): Promise<void> {
  const fault = usernameFault(username);
  if (fault !== undefined) throw new PeopleError("wrong", `The username ${fault}.`, { field: "username" });
  const holder = await personBySkeleton(db, skeletonOf(username));
  if (holder === undefined || holder.id === person.id) return;
  throw new PeopleError("conflict", `The username ${username} is taken, or looks like one that is: choose another.`, {
    field: "username",
  });
}

export function profileOf(person: Person, viewer: string | undefined): UserProfile {
  const { id, username, displayName, showEmail, locale, avatarUrl, createdAt, version } = person;
  const seesEmail = person.purgedAt === null && (showEmail || viewer === id);
  return {
    id,
    username,
    displayName,
    email: seesEmail ? person.email : null,
    showEmail,
    locale,
    avatarUrl,
    createdAt,
    deleted: person.purgedAt !== null,
    version,
  };
}
