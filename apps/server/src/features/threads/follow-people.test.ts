// Who follows a thread, and is not by now who he was: sessions of people, on two servers over one database.
import type { Kysely } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { User } from "../../identity-types.ts";
import { createDispatcher } from "../../kit/dispatcher.ts";
import { engines } from "../../kit/engines.testing.ts";
import { testKit } from "../../kit/kit.testing.ts";
import { listen } from "../../kit/listener.ts";
import { send } from "../../testing.ts";
import { dropMember, putMember, thePerson } from "../people/members.ts";
import type { PeopleTables } from "../people/migrations.ts";
import { policy } from "../policy/index.ts";
import { DAY_MS, type Node, ORIGIN, type SessionHouse, sessionHouse, setPerson } from "../sessions/sessions.testing.ts";
import { type Following, hangUp, listenTo } from "./following.testing.ts";
import { threads } from "./index.ts";
import { headerOf, newThreadId, said, text } from "./threads.testing.ts";

const TWO_WAYS = ["web", "cli"] as const;

describe.each(engines)("on $name", { timeout: 60_000 }, (engine) => {
  let house: SessionHouse;
  let here: Server;
  let there: Server;
  let ada: User;
  let bob: User;
  let tokenOfAda: string;

  beforeEach(async () => {
    house = await sessionHouse(engine, [
      { feature: "policy", migrations: policy.migrations },
      { feature: "threads", migrations: threads.migrations },
    ]);
    [here, there] = [await startFollowed(house), await startFollowed(house)];
    ada = await here.users.create({ email: "ada@example.com", username: "ada" });
    bob = await here.users.create({ email: "bob@example.com", username: "bob" });
    tokenOfAda = (await start(ada, "cli")).token;
  });
  afterEach(async () => {
    hangUp();
    await Promise.all([here.close(), there.close()]);
    await house[Symbol.asyncDispose]();
  });

  async function start(user: User, kind: (typeof TWO_WAYS)[number]) {
    const started = await here.sessions.start({ userId: user.id, kind, origin: ORIGIN });
    if (started === undefined) throw new Error("The session was refused.");
    return { ...started, kind };
  }

  async function threadOfAda(visibility: "public" | "organization"): Promise<string> {
    const path = `/api/threads/${newThreadId()}`;
    const ask = (method: string, at: string, body: unknown) =>
      send(here.url, {
        method,
        path: at,
        headers: {
          authorization: `Bearer ${tokenOfAda}`,
          "content-type": "application/json",
          ...(method === "PUT" ? { "if-none-match": "*" } : {}),
        },
        body: JSON.stringify(body),
      });
    const records = [headerOf(path.slice("/api/threads/".length) as `T-${string}`), text(said("one"))];
    expect((await ask("PUT", path, { records })).status).toBe(201);
    expect((await ask("POST", `${path}/visibility`, { visibility })).status).toBe(200);
    return `${path}/events?after=0`;
  }

  /** By each of the sessions at each of the servers; all of it has come. */
  async function follow(path: string, sessions: readonly Awaited<ReturnType<typeof start>>[]): Promise<Following[]> {
    const followers: Following[] = [];
    for (const { url } of [here, there]) {
      for (const { kind, token } of sessions) {
        const follower = await (kind === "web"
          ? listenTo(url, "", path, { cookie: `loom_session=${token}` })
          : listenTo(url, token, path));
        expect(follower.response.statusCode).toBe(200);
        await follower.until(2);
        followers.push(follower);
      }
    }
    return followers;
  }

  const sessionsOf = async (user: User) => [await start(user, "web"), await start(user, "cli")];

  /** What their jobs do once a second. */
  const hear = () => Promise.all([here.follow(), there.follow()]);

  const changePeople = async (work: Parameters<typeof writePeople>[1]) => {
    await writePeople(house, work);
    await hear();
  };

  const membership = async () => {
    const organization = (await here.users.standing(ada.id))?.personalOrganization ?? "";
    return {
      join: () =>
        changePeople(async (db) => {
          await putMember(db, organization, await thePerson(db, bob.id), "member", new Date(house.now()).toISOString());
        }),
      leave: () => changePeople((db) => dropMember(db, organization, bob.id)),
    };
  };

  test("a session that ends, of a browser or a program, ends what follows by it, and no other, on every server", async () => {
    const path = await threadOfAda("public");
    const sessions = await sessionsOf(bob);
    const followers = await follow(path, sessions);
    const others = await follow(path, await sessionsOf(bob));
    for (const { id } of sessions) expect(await here.sessions.end(id)).toBe(true);
    await hear();
    await Promise.all(followers.map(({ closed }) => closed));
    // They were looked at again meanwhile.
    await Promise.all(others.map((other) => other.pass(2)));
  });

  test("who comes as nobody follows what is public, also with a cookie that means nothing any more", async () => {
    const path = await threadOfAda("public");
    for (const headers of [{}, { cookie: "loom_session=ls_gone" }]) {
      const follower = await listenTo(here.url, "", path, headers);
      await follower.until(2);
      await hear();
      await follower.pass(2);
    }
  });

  test("a session that runs out ends what follows by it: to follow is no use of it", async () => {
    const path = await threadOfAda("public");
    const sessions = await sessionsOf(bob);
    const followers = await follow(path, sessions);
    const usedAt = new Date(house.now()).toISOString();
    house.pass(30 * DAY_MS);
    await Promise.all(followers.map((follower) => follower.pass(2)));
    await Promise.all([here, there].map((server) => server.sessions.saveUses()));
    const { sessions: kept } = await here.sessions.list(bob.id, { limit: 10 });
    expect(kept.map(({ lastUsedAt }) => lastUsedAt)).toEqual([usedAt, usedAt]);
    house.pass(30 * DAY_MS);
    await Promise.all(followers.map(({ closed }) => closed));
  });

  test("who is disabled follows nothing any more, not even what is public, on every server", async () => {
    const followers = await follow(await threadOfAda("public"), await sessionsOf(bob));
    await setPerson(house, bob.id, { disabled: true });
    await hear();
    await Promise.all(followers.map(({ closed }) => closed));
  });

  test("who leaves an organization follows its threads no more, on every server, and those that are public still", async () => {
    const { join, leave } = await membership();
    await join();
    const sessions = await sessionsOf(bob);
    const followers = await follow(await threadOfAda("organization"), sessions);
    const ofAll = await follow(await threadOfAda("public"), sessions);
    await leave();
    await Promise.all(followers.map(({ closed }) => closed));
    await Promise.all(ofAll.map((follower) => follower.pass(2)));
  });
});

type Server = Node & { readonly url: string; close(): Promise<void> };

/** A server of threads, people and policies. */
async function startFollowed(house: SessionHouse): Promise<Server> {
  const node = await house.node();
  const database = await house.home.open();
  const kit = testKit(database);
  kit.audit.connect({ record: () => undefined });
  const rules = policy.build(kit, { users: () => node.users, organizationId: async () => undefined }).services;
  const { routes } = threads.build(kit, { filter: rules.filter, now: house.now, heartbeatMs: 20 });
  const dispatcher = createDispatcher({
    routes,
    rawRoutes: [],
    hosts: { names: ["127.0.0.1"], anyAddress: false, origins: [], ownOrigin: () => "" },
    authenticate: node.sessions.byBearer,
    browsers: { secure: false, authenticate: node.sessions.byCookie },
    authorize: rules.authorize,
    audit: kit.audit,
    isTrustedProxy: () => false,
    isStopping: () => false,
    log: kit.log,
    metrics: kit.metrics,
  });
  const listener = await listen({ host: "127.0.0.1", port: 0, handle: dispatcher.handle });
  return { ...node, url: listener.url, close: () => listener.close({ drainMs: 0, abort: dispatcher.abortOpen }) };
}

async function writePeople(house: SessionHouse, work: (db: Kysely<PeopleTables>) => Promise<unknown>): Promise<void> {
  const database = await house.home.open();
  await database.write<PeopleTables, unknown>(work);
}
