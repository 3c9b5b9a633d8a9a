import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { User } from "../../identity-types.ts";
import { engines, everythingIn } from "../../kit/engines.testing.ts";
import { DAY_MS, type Node, ORIGIN, type SessionHouse, sessionHouse, setPerson } from "./sessions.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let house: SessionHouse;
  let here: Node;
  let there: Node;
  let ada: User;

  beforeEach(async () => {
    house = await sessionHouse(engine);
    [here, there] = [await house.node(), await house.node()];
    ada = await here.users.create({ email: "ada@example.com", username: "ada" });
  });

  afterEach(() => house[Symbol.asyncDispose]());

  async function start(kind: "web" | "cli" | "editor" = "cli", userId = ada.id, node = here) {
    const started = await node.sessions.start({ userId, kind, origin: ORIGIN });
    if (started === undefined) throw new Error("The session was refused.");
    return started;
  }

  test("a session's token says who it is, on every server, and is kept as a hash", async () => {
    const { id, token, expiresAt } = await start("cli");
    expect(token).toMatch(/^ls_[A-Za-z0-9_-]{43}$/);
    expect(expiresAt).toBe(new Date(house.now() + 180 * DAY_MS).toISOString());
    const organization = (await here.users.standing(ada.id))?.personalOrganization;
    const subject = {
      type: "user",
      id: ada.id,
      name: "ada",
      via: { type: "session", id, kind: "cli" },
      globalRoles: ["system_admin"],
      organizations: [{ id: organization, role: "owner" }],
      teams: [],
      nodes: [
        { kind: "user", id: ada.id },
        { kind: "organization", id: organization },
      ],
    };
    expect(await there.sessions.byBearer(token)).toEqual(subject);
    // Known by now: nobody waits.
    expect(there.sessions.byBearer(token)).toEqual(subject);
    expect(await everythingIn(house.home)).not.toContain(token.slice(3, 20));
    expect(here.events).toMatchObject([
      { event: "session.created", actor: { id: ada.id }, target: { id }, details: { kind: "cli", country: "US" } },
    ]);
    expect(JSON.stringify(here.events)).not.toContain(token);
  });

  test("a browser's session is good as a cookie only, that of a program as a token only", async () => {
    const [web, editor] = [await start("web"), await start("editor")];
    expect(await here.sessions.byCookie(web.token)).toMatchObject({ id: ada.id });
    expect(await here.sessions.byBearer(web.token)).toBeUndefined();
    expect(here.sessions.byBearer(web.token)).toBeUndefined();
    expect(await here.sessions.byBearer(editor.token)).toMatchObject({ id: ada.id });
    expect(here.sessions.byCookie(editor.token)).toBeUndefined();
  });

  test("what does not look like a token costs no question to the database", () => {
    for (const token of ["", "ls_short", `lt_${"a".repeat(43)}`, `ls_${"a".repeat(44)}`]) {
      expect(here.sessions.byBearer(token)).toBeUndefined();
    }
  });

  test("a session that is ended is void here at once, and elsewhere after the next look", async () => {
    const { id, token } = await start();
    await here.sessions.byBearer(token);
    await there.sessions.byBearer(token);
    expect(await here.sessions.end(id)).toBe(true);
    expect(await here.sessions.end(id)).toBe(false);
    expect(await here.sessions.byBearer(token)).toBeUndefined();
    expect(there.sessions.byBearer(token)).toMatchObject({ id: ada.id });
    await there.follow();
    expect(await there.sessions.byBearer(token)).toBeUndefined();
  });

  test("an end overtakes a look-up that is under way", async () => {
    const { id, token } = await start();
    const asked = here.sessions.byBearer(token);
    await Promise.all([asked, here.sessions.end(id)]);
    expect(await here.sessions.byBearer(token)).toBeUndefined();
  });

  test("all sessions of a user end together, but for the one that is excepted", async () => {
    const [one, two, three] = [await start("cli"), await start("web"), await start("editor")];
    const bob = await here.users.create({ email: "bob@example.com" });
    const other = await start("cli", bob.id);
    for (const token of [one.token, three.token]) await here.sessions.byBearer(token);
    expect(await here.sessions.endAllOf(ada.id, { except: one.id })).toBe(2);
    expect(await here.sessions.byBearer(one.token)).toMatchObject({ id: ada.id });
    expect(await here.sessions.byCookie(two.token)).toBeUndefined();
    expect(await here.sessions.byBearer(three.token)).toBeUndefined();
    expect(await here.sessions.endAllOf(ada.id)).toBe(1);
    expect(await here.sessions.byBearer(other.token)).toMatchObject({ id: bob.id });
  });

  test("sixty days without use are the end; a use begins them anew, for a hundred and eighty days at most", async () => {
    const { token } = await start();
    for (let day = 59; day < 180; day += 59) {
      house.pass(59 * DAY_MS);
      expect(await there.sessions.byBearer(token)).toMatchObject({ id: ada.id });
      await there.sessions.saveUses();
    }
    house.pass(3 * DAY_MS - 1);
    expect(await there.sessions.byBearer(token)).toMatchObject({ id: ada.id });
    house.pass(1);
    expect(await there.sessions.byBearer(token)).toBeUndefined();

    const unused = await start();
    await there.sessions.byBearer(unused.token);
    house.pass(60 * DAY_MS);
    expect(await there.sessions.byBearer(unused.token)).toBeUndefined();
    expect((await here.sessions.list(ada.id, { limit: 10 })).sessions).toEqual([]);
  });

  test("a use that another server saw later is not forgotten", async () => {
    const { token } = await start();
    await here.sessions.byBearer(token);
    house.pass(1_000);
    await there.sessions.byBearer(token);
    await there.sessions.saveUses();
    await here.sessions.saveUses();
    const [info] = (await (await house.node()).sessions.list(ada.id, { limit: 10 })).sessions;
    expect(info?.lastUsedAt).toBe(new Date(house.now()).toISOString());
  });

  test("who is disabled is out at once and everywhere, and has to sign in again when enabled", async () => {
    const bob = await here.users.create({ email: "bob@example.com" });
    const { token } = await start("cli", bob.id);
    await here.sessions.byBearer(token);
    await there.sessions.byBearer(token);
    await setPerson(house, bob.id, { disabled: true });
    await there.follow();
    expect(await there.sessions.byBearer(token)).toBeUndefined();
    expect(await there.sessions.start({ userId: bob.id, kind: "cli", origin: ORIGIN })).toBeUndefined();
    await here.follow();
    expect(await here.sessions.byBearer(token)).toBeUndefined();
    await expect.poll(async () => (await here.sessions.list(bob.id, { limit: 1 })).sessions).toEqual([]);
    await setPerson(house, bob.id, { disabled: false });
    await Promise.all([here.follow(), there.follow()]);
    expect(await here.sessions.byBearer(token)).toBeUndefined();
    expect(await there.sessions.byBearer(token)).toBeUndefined();
  });

  test("other roles hold for sessions that are there already", async () => {
    const { token } = await start();
    await there.sessions.byBearer(token);
    await setPerson(house, ada.id, { globalRoles: ["auditor"] });
    await there.follow();
    expect(await there.sessions.byBearer(token)).toMatchObject({ globalRoles: ["auditor"] });
  });

  test("who acts in a user's place is named, for as long as he may and for as long as was said", async () => {
    const bob = await here.users.create({ email: "bob@example.com", username: "bob" });
    const impersonator = { id: ada.id, name: "ada" };
    const wish = { userId: bob.id, kind: "cli", origin: ORIGIN, impersonator, durationMs: 3_600_000 } as const;
    const [one, two] = [await here.sessions.startImpersonation(wish), await here.sessions.startImpersonation(wish)];
    expect(await here.sessions.byBearer(one?.token ?? "")).toMatchObject({ id: bob.id, impersonator });
    expect((await here.sessions.list(bob.id, { limit: 1 })).sessions).toMatchObject([{ impersonator }]);
    house.pass(3_599_999);
    expect(await here.sessions.byBearer(one?.token ?? "")).toMatchObject({ id: bob.id });
    house.pass(1);
    expect(await here.sessions.byBearer(one?.token ?? "")).toBeUndefined();
    house.pass(-10);
    expect(await here.sessions.byBearer(two?.token ?? "")).toMatchObject({ id: bob.id });
    await setPerson(house, ada.id, { globalRoles: [] });
    await here.follow();
    expect(await here.sessions.byBearer(two?.token ?? "")).toBeUndefined();
  });

  test("to sign out everywhere ends also those in which one acts in another's place, on every server; so does to be disabled", async () => {
    const bob = await here.users.create({ email: "bob@example.com", username: "bob" });
    const impersonator = { id: ada.id, name: "ada" };
    const wish = { userId: bob.id, kind: "cli", origin: ORIGIN, impersonator, durationMs: 3_600_000 } as const;
    const acting = (await here.sessions.startImpersonation(wish))?.token ?? "";
    const [own, ofBob] = [await start("web"), await start("cli", bob.id)];
    for (const node of [here, there]) expect(await node.sessions.byBearer(acting)).toMatchObject({ id: bob.id });
    expect(await here.sessions.endAllOf(ada.id, { except: own.id })).toBe(1);
    await there.follow();
    for (const node of [here, there]) {
      expect(await node.sessions.byBearer(acting)).toBeUndefined();
      expect(await node.sessions.byCookie(own.token)).toMatchObject({ id: ada.id });
      expect(await node.sessions.byBearer(ofBob.token)).toMatchObject({ id: bob.id });
    }
    const again = (await here.sessions.startImpersonation(wish))?.token ?? "";
    await setPerson(house, ada.id, { disabled: true });
    await here.follow();
    await expect.poll(() => here.sessions.ownerOf(own.id)).toBeUndefined();
    await setPerson(house, ada.id, { disabled: false });
    await here.follow();
    expect(await here.sessions.byBearer(again)).toBeUndefined();
  });

  test("a list shows where somebody is signed in, a page at a time, the newest first", async () => {
    // Of two of one millisecond, none is newer.
    const later = async (kind: Parameters<typeof start>[0]) => {
      await setTimeout(2);
      return start(kind);
    };
    const started = [await later("web"), await later("cli"), await later("editor")];
    const first = await here.sessions.list(ada.id, { limit: 2, current: started[1]?.id });
    expect(first.sessions).toMatchObject([
      { kind: "editor", current: false, device: "curl", address: "8.8.8.8", country: "US", impersonator: null },
      { kind: "cli", current: true },
    ]);
    const second = await here.sessions.list(ada.id, { limit: 2, cursor: first.nextCursor ?? "" });
    expect([second.sessions.map(({ kind }) => kind), second.nextCursor]).toEqual([["web"], null]);
    await expect(here.sessions.list(ada.id, { limit: 2, cursor: "nonsense" })).rejects.toMatchObject({
      problem: { status: 400 },
    });
  });

  test("what is over is removed, and what ended later is still heard of", async () => {
    const [one, two] = [await start(), await start()];
    await there.sessions.byBearer(two.token);
    await here.sessions.end(one.id);
    await there.follow();
    house.pass(DAY_MS + 1);
    await here.sessions.purge();
    await there.sessions.byBearer(two.token);
    await here.sessions.end(two.id);
    await there.follow();
    expect(await there.sessions.byBearer(two.token)).toBeUndefined();
    house.pass(DAY_MS + 1);
    await here.sessions.purge();
    expect(await here.sessions.ownerOf(one.id)).toBeUndefined();
  });

  test("whoever cannot be checked is not let in", async () => {
    const [known, unknown] = [await start(), await start()];
    await there.sessions.byBearer(known.token);
    const database = await house.home.open();
    await database.tables<{ session: { id: string } }>().schema.dropTable("session").execute();
    house.pass(5_000);
    await expect(there.sessions.byBearer(known.token)).rejects.toMatchObject({ problem: { status: 503 } });
    await expect(there.sessions.byBearer(unknown.token)).rejects.toMatchObject({ problem: { status: 503 } });
  });
});
