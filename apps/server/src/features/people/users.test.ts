import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NewUser, Users } from "../../identity-types.ts";
import { engines, type TestDatabase, testDatabase } from "../../kit/engines.testing.ts";
import { ChangeFeed } from "./change-feed.ts";
import { migrations, type PeopleTables } from "./migrations.ts";
import { changesSince } from "./person-store.ts";
import { createUsers } from "./users.ts";

describe.each(engines)("on $name", (engine) => {
  let home: TestDatabase;
  let users: Users;

  /** As a process of its own would have them. */
  async function server(): Promise<{ users: Users; feed: ChangeFeed }> {
    const database = await home.open();
    const feed = new ChangeFeed((revision) => changesSince(database.tables<PeopleTables>(), revision));
    let made = 0;
    const random = (): string => {
      made += 1;
      return `r${made}`;
    };
    const wall = (): number => Date.UTC(2026, 11);
    return { feed, users: createUsers({ database: async () => database, feed, random, wall }) };
  }

  beforeEach(async () => {
    home = await testDatabase(engine, [{ feature: "people", migrations }]);
    users = (await server()).users;
  });

  afterEach(() => home[Symbol.asyncDispose]());

  const named = (username: string): NewUser => ({ email: `${username}@example.com`, username });

  test("the very first becomes system admin, and everybody has an organization of his own", async () => {
    const first = await users.create({ email: "Ada@Example.com", displayName: "Ada Lovelace" });
    expect(first).toMatchObject({ username: "Ada", displayName: "Ada Lovelace", globalRoles: ["system_admin"] });
    expect(first.id).toMatch(/^user-[0-9a-f-]{36}$/);
    const second = await users.create(named("bob"));
    expect(second.globalRoles).toEqual([]);
    expect(await users.standing(first.id)).toEqual({
      username: "Ada",
      globalRoles: ["system_admin"],
      personalOrganization: expect.stringMatching(/^org-/),
      organizations: [{ id: expect.stringMatching(/^org-/), role: "owner" }],
      teams: [],
    });
    const ids = await Promise.all(
      [first, second].map(async ({ id }) => (await users.standing(id))?.organizations[0]?.id),
    );
    expect(new Set(ids).size).toBe(2);
  });

  test("somebody is found by id, by address in any case, and by username in any case", async () => {
    const ada = await users.create({ email: "Ada@Example.com", username: "ada_l" });
    expect(await users.byId(ada.id)).toEqual(ada);
    expect(await users.byEmail("aDA@example.COM")).toEqual(ada);
    expect(await users.byUsername("ADA_L")).toEqual(ada);
    // Mail to it reaches her: it is nobody else's.
    const written = "ada@\uff45xam\u00adple\u3002com";
    expect(await users.byEmail(written)).toEqual(ada);
    expect((await users.create({ email: written })).id).toBe(ada.id);
    expect((await users.create({ email: "eve@Other\u3002example" })).email).toBe("eve@other.example");
    // Looks like it and is not it.
    expect(await users.byUsername("ada_1")).toBeUndefined();
    expect(await users.byId("user-nobody")).toBeUndefined();
    expect(await users.standing("user-nobody")).toBeUndefined();
  });

  test("two at once with one address get the same account, also by two servers", async () => {
    const other = (await server()).users;
    const wish = named("ada");
    const made = await Promise.all([users.create(wish), other.create(wish), users.create(wish)]);
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  });

  test("of many that come at once to an empty server, one is system admin", async () => {
    const other = (await server()).users;
    const made = await Promise.all(
      ["ada", "bob", "eve", "dan"].map((name, index) => (index % 2 === 0 ? users : other).create(named(name))),
    );
    expect(made.filter(({ globalRoles }) => globalRoles.length > 0)).toHaveLength(1);
  });

  test("an address that Unicode calls the same is another one", async () => {
    const mike = await users.create({ email: "mike@example.com" });
    expect(await users.byEmail("mi\u212Ae@example.com")).toBeUndefined();
    expect((await users.create({ email: "mi\u212Ae@example.com" })).id).not.toBe(mike.id);
  });

  test("a wish that is taken, looks like one that is, is reserved or cannot be becomes another name", async () => {
    const names = [];
    for (const username of ["alice", "ALICE", "a1ice", "admin", "R00T", "\u0430dmin", "x", "José Müller", "", "_me_"]) {
      names.push((await users.create({ email: `${names.length}@example.com`, username })).username);
    }
    expect(names).toEqual([
      "alice",
      "ALICE_2",
      "a1ice_3",
      "user_admin",
      "user_R00T",
      "dmin",
      "user_x",
      "Jose_Muller",
      "user__2",
      "user_me",
    ]);
  });

  test("an address that is none is refused", async () => {
    for (const email of ["", "ada", "a@b@c", "a b@example.com", "a\n@example.com", `${"a".repeat(250)}@example.com`]) {
      await expect(users.create({ email })).rejects.toThrow("The e-mail address is none");
    }
  });

  test("a million characters are a name of a hundred", async () => {
    const { displayName, username } = await users.create({
      email: "ada@example.com",
      displayName: "\u{1F600}".repeat(1_000_000),
      username: "a".repeat(1_000_000),
    });
    expect([...displayName]).toHaveLength(100);
    expect(username).toHaveLength(39);
  });

  test("a change is told at once here, and at the next look on another server", async () => {
    const [here, there] = [await server(), await server()];
    const told: string[] = [];
    here.users.onChange((id) => told.push(`here ${id}`));
    there.users.onChange((id) => told.push(`there ${id}`));
    const { id } = await here.users.create(named("ada"));
    expect(told).toEqual([`here ${id}`]);
    await there.feed.follow();
    await there.feed.follow();
    expect(told).toEqual([`here ${id}`, `there ${id}`]);
  });
});
