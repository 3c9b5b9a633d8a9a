import { randomBytes, randomUUIDv7 } from "node:crypto";
import type { NewUser, User, Users } from "../../identity-types.ts";
import { deliveredAddress } from "../../kit/mail-address.ts";
import type { GlobalRole } from "../../kit/subject.ts";
import { createDesk, type DeskOptions } from "./desk.ts";
import { PeopleError } from "./people-error.ts";
import {
  newestRevision,
  type People,
  type Person,
  personalOrganizationOf,
  personByAddress,
  personById,
  personBySkeleton,
  personByUsername,
  standingOf,
  touch,
} from "./person-store.ts";
import { addressKey, skeletonOf, slugsLike, usernamesLike } from "./usernames.ts";

export type UsersOptions = DeskOptions & {
  /** Whether somebody has a second factor. Default: nobody has. */
  readonly hasSecondFactor?: (userId: string) => Promise<boolean>;
  /** A few letters and digits, for names that are taken. */
  readonly random?: () => string;
  /** Of an account that was not there before. */
  readonly onCreate?: (user: User) => void;
};

const MAX_DISPLAY_NAME = 100;
/** RFC 5321, 4.5.3.1.3. */
const MAX_ADDRESS = 254;

/** The people of this server, for whoever signs them in and decides what they may. */
export function createUsers(options: UsersOptions): Users {
  const { feed, hasSecondFactor = async () => false, random = () => randomBytes(4).toString("hex") } = options;
  const desk = createDesk(options);
  return {
    byId: async (id) => present(await personById(await desk.read(), id)),
    byEmail: async (email) => present(await byAddress(await desk.read(), email)),
    byUsername: async (username) => present(await personByUsername(await desk.read(), username)),
    async create(wish) {
      const email = checkedAddress(wish.email);
      const { user, isNew } = await desk.change(async (db, now) => {
        const known = await byAddress(db, wish.email);
        const user = known === undefined ? await add(db, { ...wish, email }, now) : userOf(known);
        return { user, isNew: known === undefined };
      });
      if (isNew) options.onCreate?.(user);
      return user;
    },
    async standing(id) {
      const db = await desk.read();
      const person = await personById(db, id);
      if (person === undefined || person.disabledAt !== null || person.deletedAt !== null) return undefined;
      const [rest, personalOrganization, hasFactor] = await Promise.all([
        standingOf(db, id),
        personalOrganizationOf(db, id),
        hasSecondFactor(id),
      ]);
      const { username, globalRoles } = person;
      return {
        username,
        globalRoles,
        ...rest,
        ...(personalOrganization !== undefined && { personalOrganization }),
        ...(hasFactor && { hasSecondFactor: true }),
      };
    },
    async standingChanged(id) {
      await desk.change((db) => touch(db, [id]));
    },
    onChange: (listener) => feed.onChange(listener),
  };

  async function add(db: People, wish: NewUser, now: string): Promise<User> {
    const isFirst = (await db.selectFrom("person").select("id").limit(1).executeTakeFirst()) === undefined;
    const globalRoles: readonly GlobalRole[] = isFirst ? ["system_admin"] : [];
    const username = await freeUsername(db, wish);
    const user: User = {
      id: `user-${randomUUIDv7()}`,
      username,
      displayName: displayNameOf(wish) ?? username,
      email: wish.email,
      locale: wish.locale ?? null,
      globalRoles,
      createdAt: now,
      disabledAt: null,
      deletedAt: null,
    };
    await db
      .insertInto("person")
      .values({
        id: user.id,
        username,
        username_key: skeletonOf(username),
        display_name: user.displayName,
        email: user.email,
        show_email: 0,
        locale: user.locale,
        avatar_url: null,
        global_roles: JSON.stringify(globalRoles),
        created_at: now,
        disabled_at: null,
        deleted_at: null,
        purged_at: null,
        version: 1,
        revision: (await newestRevision(db)) + 1,
      })
      .execute();
    await db
      .insertInto("person_address")
      .values({ address_key: addressKey(user.email), address: user.email, person_id: user.id, verified_at: now })
      .execute();
    await addPersonalOrganization(db, user);
    return user;
  }

  async function freeUsername(db: People, { username, email }: NewUser): Promise<string> {
    const wish = username ?? email.slice(0, email.lastIndexOf("@"));
    for (const name of usernamesLike(wish, random)) {
      if ((await personBySkeleton(db, skeletonOf(name))) === undefined) return name;
    }
    throw new Error("There is always another name.");
  }

  async function addPersonalOrganization(db: People, user: User): Promise<void> {
    const id = `org-${randomUUIDv7()}`;
    await db
      .insertInto("organization")
      .values({
        id,
        slug: await freeSlug(db, user.username),
        name: user.displayName,
        description: "",
        visibility: "private",
        join_policy: "invite",
        require_second_factor: 0,
        personal_of: user.id,
        created_at: user.createdAt,
        deleted_at: null,
        version: 1,
      })
      .execute();
    await db
      .insertInto("organization_member")
      .values({ organization_id: id, person_id: user.id, role: "owner", joined_at: user.createdAt })
      .execute();
  }

  async function freeSlug(db: People, wish: string): Promise<string> {
    for (const slug of slugsLike(wish, random)) {
      const taken = await db.selectFrom("organization").select("id").where("slug", "=", slug).executeTakeFirst();
      if (taken === undefined) return slug;
    }
    throw new Error("There is always another name.");
  }
}

/** A tombstone is nobody. */
function present(person: Person | undefined): User | undefined {
  return person === undefined || person.purgedAt !== null ? undefined : userOf(person);
}

function userOf({ showEmail: _, avatarUrl: __, purgedAt: ___, version: ____, ...user }: Person): User {
  return user;
}

/** Of one line and at most 100 characters. */
function displayNameOf({ displayName }: NewUser): string | undefined {
  const text = displayName?.replace(/[\p{Cc}\p{Cf}]/gu, " ").trim();
  return text === undefined || text === "" ? undefined : [...text].slice(0, MAX_DISPLAY_NAME).join("");
}

/** Also the one of two who was written down by it before addresses were kept as they are delivered. */
async function byAddress(db: People, address: string): Promise<Person | undefined> {
  const delivered = deliveredAddress(address) ?? address;
  return (await personByAddress(db, addressKey(address))) ?? personByAddress(db, addressKey(delivered));
}

/** As it is delivered. @throws PeopleError */
function checkedAddress(address: string): string {
  const delivered = deliveredAddress(address) ?? "";
  const longest = Math.max(address.length, delivered.length);
  if (longest <= MAX_ADDRESS && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(delivered)) return delivered;
  throw new PeopleError("wrong", "The e-mail address is none: it needs one @ and at most 254 characters.", {
    field: "email",
  });
}
