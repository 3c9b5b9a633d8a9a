import type {
  Invitation,
  JoinRequestList,
  MintedInvitation,
  Organization,
  OrganizationList,
  OrganizationMembers,
  Problem,
  Team,
} from "@loom/api";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { User } from "../../identity-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import { DAY_MS, type Node, type Town, town } from "./people.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let place: Town;
  let node: Node;
  let [ada, bob, eve]: User[] = [];

  beforeEach(async () => {
    place = await town(engine);
    node = await place.node();
    // The first runs the server; those that the tests are about do not.
    await node.person("root_person");
    [ada, bob, eve] = [await node.person("ada"), await node.person("bob"), await node.person("eve")];
  });

  afterEach(() => place[Symbol.asyncDispose]());

  const id = (user: User | undefined): string => user?.id ?? expect.fail();

  async function acme(wish: object = {}): Promise<Organization> {
    const made = await node.call<Organization>(id(ada), "POST", "/api/orgs", { body: { slug: "acme", ...wish } });
    expect(made.status).toBe(201);
    return made.json;
  }

  const standing = async (user: User | undefined) => (await node.services.users.standing(id(user)))?.organizations;

  /** With a role in acme, put there by who runs the server. */
  const put = (user: User | undefined, role: string, as = "owner") =>
    node.call<Problem>(as, "PUT", `/api/orgs/acme/members/${id(user)}`, { body: { role } });

  test("who founds an organization owns it, and it is audited", async () => {
    const made = await acme({ name: "Acme", joinPolicy: "open" });
    expect(made).toMatchObject({ slug: "acme", visibility: "public", joinPolicy: "open", role: "owner", version: 1 });
    expect(await standing(ada)).toContainEqual({ id: made.id, role: "owner" });
    expect(node.asked.at(-1)).toEqual({ action: "create", resource: { type: "organization" } });
    expect(node.events.at(-1)).toMatchObject({
      event: "organization.created",
      actor: { type: "user", id: id(ada), name: "ada" },
      target: { id: made.id, name: "acme" },
      origin: { address: "127.0.0.1" },
    });
  });

  test("the owner's token says whose the organization shall be", async () => {
    const nobodys = await node.call<Problem>("owner", "POST", "/api/orgs", { body: { slug: "acme" } });
    expect([nobodys.status, nobodys.json.errors?.[0]?.field]).toEqual([400, "owner"]);
    const made = await node.call("owner", "POST", "/api/orgs", { body: { slug: "acme", owner: "bob" } });
    expect(made.status).toBe(201);
    const members = await node.call<OrganizationMembers>("owner", "GET", "/api/orgs/acme/members");
    expect(members.json.members.map(({ username, role }) => [username, role])).toEqual([["bob", "owner"]]);
    const forAda = await node.call(id(bob), "POST", "/api/orgs", { body: { slug: "other", owner: "ada" } });
    expect(forAda.status).toBe(403);
  });

  test("a slug that is taken, reserved or none is refused with its field", async () => {
    await acme();
    for (const [slug, status] of [
      ["acme", 409],
      ["admin", 400],
      ["ab", 400],
      ["Acme", 400],
      ["\u0430cme", 400],
      ["a".repeat(1_000_000), 400],
    ] as const) {
      const answer = await node.call<Problem>(id(bob), "POST", "/api/orgs", { body: { slug } });
      expect([slug.slice(0, 9), answer.status, answer.json.errors?.[0]?.field]).toEqual([
        slug.slice(0, 9),
        status,
        "slug",
      ]);
    }
    const name = "n".repeat(1_000_000 - 100);
    const long = await node.call<Problem>(id(bob), "POST", "/api/orgs", { body: { slug: "long", name } });
    expect([long.status, long.json.errors?.[0]?.field]).toEqual([400, "name"]);
    expect(long.json.detail.length).toBeLessThan(200);
  });

  test("a create that is sent twice with one key makes one organization; another wish with that key is refused", async () => {
    const ask = (slug: string, as = id(ada)) =>
      node.call<Organization>(as, "POST", "/api/orgs", { body: { slug }, key: "k1" });
    const [first, again] = await Promise.all([ask("acme"), ask("acme")]);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.json).toEqual(first.json);
    expect(node.events.filter(({ event }) => event === "organization.created")).toHaveLength(1);
    expect((await ask("other")).status).toBe(409);
    // A key of somebody else means nothing here.
    expect((await ask("other", id(bob))).status).toBe(201);
    place.pass(DAY_MS);
    expect((await ask("third")).status).toBe(201);
  });

  test("a change names the version that it changes", async () => {
    const made = await acme();
    const change = (ifMatch: string) =>
      node.call<Organization>(id(ada), "PATCH", "/api/orgs/acme", { body: { visibility: "private" }, ifMatch });
    expect((await change("")).status).toBe(428);
    expect((await change('"7"')).status).toBe(412);
    expect((await change("seven")).status).toBe(400);
    const changed = await change(`"${made.version}"`);
    expect([changed.status, changed.headers.etag, changed.json.visibility]).toEqual([200, '"2"', "private"]);
    expect((await change('"1"')).status).toBe(412);
    expect(node.events.at(-1)).toMatchObject({
      event: "organization.updated",
      before: { visibility: "public" },
      after: { visibility: "private" },
    });
    expect(node.asked.at(-1)?.resource).toMatchObject({ type: "organization", id: made.id, visibility: "private" });
    // What is so already is no change.
    const events = node.events.length;
    const { slug, name, description, joinPolicy, requireSecondFactor } = changed.json;
    for (const body of [
      { slug, name: ` ${name} `, description, visibility: "private", joinPolicy, requireSecondFactor },
      {},
    ]) {
      const same = await node.call<Organization>(id(ada), "PATCH", "/api/orgs/acme", { body, ifMatch: '"2"' });
      expect([same.status, same.headers.etag, same.json]).toEqual([200, '"2"', changed.json]);
    }
    expect((await change('"1"')).status).toBe(412);
    expect(node.events.length).toBe(events);
  });

  test("what is deleted is nobody's role any more, keeps its slug, and comes back whole within 90 days", async () => {
    const { id: org } = await acme();
    await put(bob, "admin");
    expect((await node.call(id(bob), "DELETE", "/api/orgs/acme")).status).toBe(403);
    expect((await node.call(id(ada), "DELETE", "/api/orgs/acme")).status).toBe(200);
    expect((await node.call(id(ada), "GET", "/api/orgs/acme")).status).toBe(404);
    expect(await standing(bob)).not.toContainEqual(expect.objectContaining({ id: org }));
    expect((await node.call(id(eve), "POST", "/api/orgs", { body: { slug: "acme" } })).status).toBe(409);
    const deleted = await node.call<OrganizationList>(id(ada), "GET", "/api/orgs?which=deleted");
    expect(deleted.json.organizations.map(({ slug }) => slug)).toEqual(["acme"]);
    const ofBob = await node.call<OrganizationList>(id(bob), "GET", "/api/orgs?which=deleted");
    expect(ofBob.json.organizations).toEqual([]);
    expect((await node.call(id(bob), "POST", "/api/orgs/acme/restore")).status).toBe(404);
    expect((await node.call(id(ada), "POST", "/api/orgs/acme/restore")).status).toBe(200);
    expect(await standing(bob)).toContainEqual({ id: org, role: "admin" });
    expect((await node.call(id(ada), "POST", "/api/orgs/acme/restore")).status).toBe(409);
  });

  test("a personal organization stays what it is", async () => {
    for (const [method, path, body] of [
      ["DELETE", "/api/orgs/ada", undefined],
      ["PATCH", "/api/orgs/ada", { visibility: "public" }],
      ["PUT", `/api/orgs/ada/members/${id(bob)}`, { role: "owner" }],
      ["DELETE", `/api/orgs/ada/members/${id(ada)}`, undefined],
      ["POST", "/api/orgs/ada/invitations", { username: "bob" }],
    ] as const) {
      const answer = await node.call<Problem>(id(ada), method, path, { body });
      expect([method, path, answer.status]).toEqual([method, path, 409]);
      expect(answer.json.detail).toContain("personal organization");
    }
  });

  test("the list holds what is one's own and, asked for all, what is public, in pages", async () => {
    node = await place.node({ isPolicied: true });
    await acme();
    for (const [slug, visibility] of [
      ["alpha", "public"],
      ["beta", "unlisted"],
      ["gamma", "private"],
    ]) {
      await node.call(id(bob), "POST", "/api/orgs", { body: { slug, visibility } });
    }
    const slugs = async (as: string, query: string) => {
      const found: string[] = [];
      let cursor = "";
      do {
        const { json } = await node.call<OrganizationList>(as, "GET", `/api/orgs?limit=2&${query}${cursor}`);
        found.push(...json.organizations.map(({ slug }) => slug));
        cursor = json.nextCursor === null ? "" : `&cursor=${json.nextCursor}`;
      } while (cursor !== "");
      return found;
    };
    expect(await slugs(id(ada), "which=mine")).toEqual(["acme", "ada"]);
    expect(await slugs(id(ada), "which=all")).toEqual(["acme", "ada", "alpha"]);
    expect(await slugs(id(bob), "which=all")).toEqual(["acme", "alpha", "beta", "bob", "gamma"]);
    expect(await slugs("owner", "which=all")).toEqual([
      ...["acme", "ada", "alpha", "beta", "bob", "eve", "gamma", "root-person"],
    ]);
    const wrong = await node.call<Problem>(id(ada), "GET", "/api/orgs?cursor=nonsense");
    expect([wrong.status, wrong.json.errors?.[0]?.field]).toEqual([400, "cursor"]);
  });

  test("roles: admins look after members, owners after owners, members after themselves", async () => {
    await acme();
    await put(bob, "admin");
    await put(eve, "member");
    const root = await node.services.users.byUsername("root_person");
    expect((await put(eve, "admin", id(bob))).status).toBe(200);
    expect((await put(eve, "owner", id(bob))).status).toBe(403);
    expect((await put(ada, "member", id(bob))).status).toBe(403);
    expect((await node.call(id(bob), "DELETE", `/api/orgs/acme/members/${id(ada)}`)).status).toBe(403);
    expect((await put(eve, "member", id(ada))).status).toBe(200);
    // What one is already is nothing to record.
    const recorded = node.events.length;
    expect((await put(eve, "member", id(ada))).status).toBe(200);
    expect(node.events.slice(recorded)).toEqual([]);
    expect((await put(bob, "member", id(eve))).status).toBe(403);
    expect((await put(root, "member", id(ada))).status).toBe(409);
    expect((await node.call(id(eve), "DELETE", "/api/orgs/acme/members/eve")).status).toBe(200);
    expect(node.events.at(-1)).toMatchObject({ event: "member.removed", target: { name: "eve" } });
    expect(node.asked.at(-1)).toMatchObject({ action: "delete", resource: { type: "membership", owner: id(eve) } });
    expect((await put(eve, "member", id(ada))).status).toBe(409);
  });

  test("the last owner stays, whether he leaves, is removed or made something else", async () => {
    await acme();
    await put(bob, "admin");
    for (const [as, path] of [
      [id(ada), `/api/orgs/acme/members/${id(ada)}`],
      ["owner", "/api/orgs/acme/members/ada"],
    ] as const) {
      const answer = await node.call<Problem>(as, "DELETE", path);
      expect([answer.status, answer.json.detail]).toEqual([409, expect.stringContaining("Nobody else owns acme")]);
    }
    expect((await put(ada, "member", id(ada))).status).toBe(409);
    await put(bob, "owner", id(ada));
    expect((await put(ada, "member", id(ada))).status).toBe(200);
  });

  test("whatever many owners do to each other at once, on two servers, somebody owns it in the end", async () => {
    const other = await place.node();
    const owners = [ada, bob, eve].map(id);
    const act = fc.record({
      server: fc.constantFrom(node, other),
      as: fc.constantFrom(...owners),
      of: fc.constantFrom(...owners),
      what: fc.constantFrom("remove", "admin", "member", "owner"),
    });
    let world = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 2, maxLength: 6 }), async (acts) => {
        world += 1;
        const slug = `world-${world}`;
        await node.call(id(ada), "POST", "/api/orgs", { body: { slug } });
        for (const owner of owners) {
          await node.call("owner", "PUT", `/api/orgs/${slug}/members/${owner}`, { body: { role: "owner" } });
        }
        const answers = await Promise.all(
          acts.map(({ server, as, of, what }) => {
            const path = `/api/orgs/${slug}/members/${of}`;
            return what === "remove"
              ? server.call(as, "DELETE", path)
              : server.call(as, "PUT", path, { body: { role: what } });
          }),
        );
        expect(answers.map(({ status }) => status).filter((status) => ![200, 403, 404, 409].includes(status))).toEqual(
          [],
        );
        const { json } = await node.call<OrganizationMembers>("owner", "GET", `/api/orgs/${slug}/members`);
        expect(json.members.filter(({ role }) => role === "owner")).not.toHaveLength(0);
      }),
      { numRuns: 8 },
    );
  });

  test("two owners who remove each other at once: one stays", async () => {
    const other = await place.node();
    await acme();
    await put(bob, "owner");
    const answers = await Promise.all([
      node.call(id(ada), "DELETE", `/api/orgs/acme/members/${id(bob)}`),
      other.call(id(bob), "DELETE", `/api/orgs/acme/members/${id(ada)}`),
    ]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const { json } = await node.call<OrganizationMembers>("owner", "GET", "/api/orgs/acme/members");
    expect(json.members).toHaveLength(1);
  });

  test("a removal takes somebody out of the teams and holds at once, on other servers at their next look", async () => {
    const other = await place.node();
    const told: string[] = [];
    other.services.users.onChange((who) => told.push(who));
    await acme();
    await put(bob, "member");
    await node.call(id(ada), "POST", "/api/orgs/acme/teams", { body: { slug: "qa" } });
    await node.call(id(ada), "PUT", "/api/orgs/acme/teams/qa/members/bob", { body: { role: "maintainer" } });
    expect((await node.services.users.standing(id(bob)))?.teams).toMatchObject([{ role: "maintainer" }]);
    await other.services.feed.follow();
    told.length = 0;
    await node.call(id(ada), "DELETE", "/api/orgs/acme/members/bob");
    expect((await node.services.users.standing(id(bob)))?.teams).toEqual([]);
    await other.services.feed.follow();
    expect(told).toEqual([id(bob)]);
  });

  describe("invitations", () => {
    const invite = (body: object, as = id(ada)) =>
      node.call<MintedInvitation & Problem>(as, "POST", "/api/orgs/acme/invitations", { body });
    const accept = (as: string, token: string | null) =>
      node.call<Problem>(as, "POST", "/api/invitations/accept", { body: { token } });

    test("are shown to who has the token, and accepted once by whose address it is", async () => {
      const { id: org } = await acme({ name: "Acme, Inc." });
      const { status, json } = await invite({ email: "BOB@example.com", role: "admin" });
      expect([status, json.token]).toEqual([201, expect.stringMatching(/^li_[\w-]{43}$/)]);
      const seen = await node.call("", "GET", `/api/invitations/${json.token}`);
      expect(seen.json).toEqual({
        organization: { slug: "acme", name: "Acme, Inc." },
        role: "admin",
        invitedBy: "ada",
        expiresAt: json.invitation.expiresAt,
        state: "pending",
      });
      expect((await accept(id(eve), json.token)).status).toBe(403);
      const both = await Promise.all([accept(id(bob), json.token), accept(id(bob), json.token)]);
      expect(both.map((each) => each.status).sort()).toEqual([200, 409]);
      expect((await accept(id(bob), json.token)).json.detail).toMatch(/was accepted before/);
      expect(await standing(bob)).toContainEqual({ id: org, role: "admin" });
      const events = node.events.map(({ event }) => event).filter((event) => event !== "user.created");
      expect(events).toEqual(["organization.created", "invitation.created", "invitation.accepted", "member.added"]);
      expect(JSON.stringify(node.events)).not.toContain(json.token);
      expect(node.mails).toMatchObject([{ to: "BOB@example.com", subject: "ada invites you to Acme, Inc. (acme)" }]);
      expect(node.mails[0]?.paragraphs).toContain(json.token);
    });

    test("are at most a hundred a day", async () => {
      await acme();
      for (let number = 0; number < 100; number += 1) {
        expect((await invite({ email: "bob@example.com" })).status).toBe(201);
      }
      expect((await invite({ email: "bob@example.com" })).json.detail).toMatch(/go on tomorrow/);
      place.pass(DAY_MS);
      expect((await invite({ email: "bob@example.com" })).status).toBe(201);
    });

    test("are over after 30 days, when taken back, declined, or followed by another", async () => {
      await acme();
      const first = (await invite({ username: "bob" })).json.token;
      const second = (await invite({ username: "bob" })).json;
      expect((await accept(id(bob), first)).status).toBe(409);
      place.pass(30 * DAY_MS);
      const late = await accept(id(bob), second.token);
      expect([late.status, late.json.detail]).toEqual([410, expect.stringContaining("past its time")]);
      const third = (await invite({ username: "bob" })).json;
      const cancel = `/api/orgs/acme/invitations/${third.invitation.id}`;
      expect((await node.call<Invitation>(id(ada), "DELETE", cancel)).json.state).toBe("cancelled");
      expect((await node.call(id(ada), "DELETE", cancel)).status).toBe(409);
      expect((await accept(id(bob), third.token)).status).toBe(409);
      const fourth = (await invite({ username: "bob" })).json.token;
      const declined = await node.call(id(bob), "POST", "/api/invitations/decline", { body: { token: fourth } });
      expect(declined.json).toMatchObject({ state: "declined" });
      expect((await accept(id(bob), fourth)).status).toBe(409);
    });

    test("come from admins, name nobody who is there, and make owners only from owners", async () => {
      await acme();
      await put(bob, "admin");
      expect((await invite({ username: "eve", role: "owner" }, id(bob))).status).toBe(403);
      expect((await invite({ username: "eve" }, id(eve))).status).toBe(403);
      expect((await invite({ username: "bob" })).status).toBe(409);
      expect((await invite({ username: "nobody_here" })).status).toBe(404);
      expect((await invite({})).json.errors?.[0]?.field).toBe("email");
      expect((await invite({ email: "e@example.com", username: "eve" })).status).toBe(400);
      expect((await accept(id(eve), `li_${"a".repeat(43)}`)).status).toBe(404);
      expect((await accept("owner", "x")).status).toBe(403);
      expect((await node.call("", "GET", "/api/invitations/nonsense")).status).toBe(404);
    });

    test("with one key are one, and the token is shown once", async () => {
      await acme();
      const options = { body: { username: "bob" }, key: "again" };
      const first = await node.call<MintedInvitation>(id(ada), "POST", "/api/orgs/acme/invitations", options);
      const again = await node.call<MintedInvitation>(id(ada), "POST", "/api/orgs/acme/invitations", options);
      expect(again.json).toEqual({ token: null, invitation: first.json.invitation });
      expect((await accept(id(bob), first.json.token)).status).toBe(200);
    });
  });

  test("who may join without an invitation is for the join policy", async () => {
    const join = (as: User | undefined) =>
      node.call(id(as), "POST", "/api/orgs/acme/join", { body: { message: "Please." } });
    const set = (body: object) => node.call(id(ada), "PATCH", "/api/orgs/acme", { body });
    await acme();
    expect((await join(bob)).status).toBe(403);
    await set({ joinPolicy: "open" });
    expect((await join(bob)).json).toEqual({ state: "joined" });
    expect((await join(bob)).status).toBe(409);
    await set({ joinPolicy: "request" });
    expect((await join(eve)).json).toEqual({ state: "requested" });
    expect((await join(eve)).json).toEqual({ state: "requested" });
    const { json } = await node.call<JoinRequestList>(id(ada), "GET", "/api/orgs/acme/join-requests");
    expect(json.requests).toMatchObject([{ username: "eve", message: "Please.", state: "pending" }]);
    const decide = (as: User | undefined, what: string) =>
      node.call(id(as), "POST", `/api/orgs/acme/join-requests/${json.requests[0]?.id}/${what}`);
    expect((await decide(bob, "approve")).status).toBe(403);
    expect((await decide(ada, "reject")).json).toMatchObject({ state: "rejected" });
    expect((await decide(ada, "approve")).status).toBe(409);
    await join(eve);
    const again = await node.call<JoinRequestList>(id(ada), "GET", "/api/orgs/acme/join-requests?limit=1");
    await node.call(id(ada), "POST", `/api/orgs/acme/join-requests/${again.json.requests[0]?.id}/approve`);
    expect(await standing(eve)).toContainEqual(expect.objectContaining({ role: "member" }));
  });

  test("a team is of its organization's members, and its maintainers look after it", async () => {
    const { id: org } = await acme();
    await put(bob, "member");
    const made = await node.call<Team>(id(ada), "POST", "/api/orgs/acme/teams", {
      body: { slug: "qa", name: "Quality" },
    });
    expect([made.status, made.json]).toMatchObject([201, { slug: "qa", organization: org, version: 1 }]);
    const member = (user: User | undefined, role: string, as: User | undefined) =>
      node.call(id(as), "PUT", `/api/orgs/acme/teams/qa/members/${id(user)}`, { body: { role } });
    expect((await member(eve, "member", ada)).status).toBe(409);
    expect((await member(bob, "maintainer", bob)).status).toBe(403);
    expect((await member(bob, "maintainer", ada)).status).toBe(200);
    expect(node.asked.at(-1)?.resource).toEqual({
      type: "membership",
      team: made.json.id,
      organization: org,
      owner: id(bob),
    });
    await put(eve, "member");
    expect((await member(eve, "member", bob)).status).toBe(200);
    expect((await member(bob, "member", eve)).status).toBe(403);
    const change = await node.call<Team>(id(bob), "PATCH", "/api/orgs/acme/teams/qa", {
      body: { slug: "quality" },
      ifMatch: '"1"',
    });
    expect(change.json).toMatchObject({ slug: "quality", version: 2 });
    // What is so already is no change, and still not for everybody to say.
    const events = node.events.length;
    const same = (as: User | undefined, ifMatch: string) =>
      node.call<Team>(id(as), "PATCH", "/api/orgs/acme/teams/quality", {
        body: { slug: "quality", name: " Quality ", description: "" },
        ifMatch,
      });
    const kept = await same(bob, '"2"');
    expect([kept.status, kept.headers.etag, kept.json]).toEqual([200, '"2"', change.json]);
    expect([(await same(bob, '"1"')).status, (await same(eve, '"2"')).status]).toEqual([412, 403]);
    expect(node.events.length).toBe(events);
    expect((await node.call(id(bob), "DELETE", "/api/orgs/acme/teams/quality")).status).toBe(403);
    expect((await node.call(id(eve), "DELETE", "/api/orgs/acme/teams/quality/members/eve")).status).toBe(200);
    expect((await node.call(id(ada), "DELETE", "/api/orgs/acme/teams/quality", { ifMatch: '"1"' })).status).toBe(412);
    expect((await node.call(id(ada), "DELETE", "/api/orgs/acme/teams/quality")).status).toBe(200);
    expect((await node.services.users.standing(id(bob)))?.teams).toEqual([]);
  });

  test("another role is for the version that one has seen, in organizations and in teams", async () => {
    await acme();
    await put(bob, "member");
    await node.call(id(ada), "POST", "/api/orgs/acme/teams", { body: { slug: "qa" } });
    for (const [path, roles] of [
      [`/api/orgs/acme/members/${id(bob)}`, ["admin", "member"]],
      [`/api/orgs/acme/teams/qa/members/${id(bob)}`, ["maintainer", "member"]],
    ] as const) {
      const asked = (ifMatch: string, role: string, headers = {}) =>
        node.call<Problem & { version: number }>(id(ada), "PUT", path, { body: { role }, ifMatch, headers });
      if (path.includes("teams")) {
        expect((await node.call(id(ada), "GET", path)).status).toBe(404);
        expect((await asked("", roles[1], { "if-none-match": "*" })).headers.etag).toBe('"1"');
      }
      const seen = await node.call<{ version: number }>(id(ada), "GET", path);
      expect(seen.headers.etag).toBe(`"${seen.json.version}"`);
      expect((await asked("", roles[0])).json).toMatchObject({ status: 428, code: "precondition_required" });
      expect((await asked("", roles[0], { "if-none-match": "*" })).status).toBe(412);
      expect((await asked('"99"', roles[0])).status).toBe(412);
      expect((await asked("seven", roles[0])).json.errors?.[0]?.field).toBe("If-Match");
      // Of two who have seen the same, one comes first.
      const both = await Promise.all([
        asked(`"${seen.json.version}"`, roles[0]),
        asked(`"${seen.json.version}"`, roles[0]),
      ]);
      expect(both.map(({ status }) => status).toSorted()).toEqual([200, 412]);
      const after = await node.call<{ version: number; role: string }>(id(ada), "GET", path);
      expect(after.json).toMatchObject({ role: roles[0], version: seen.json.version + 1 });
      const recorded = node.events.length;
      expect((await asked("*", roles[0])).json).toMatchObject(after.json);
      expect(node.events.slice(recorded)).toEqual([]);
      const list = await node.call(id(ada), "GET", path.replace(/\/[^/]+$/, ""));
      expect(list.json).toMatchObject({ members: expect.arrayContaining([expect.objectContaining(after.json)]) });
      expect((await node.call(id(ada), "DELETE", path, { ifMatch: `"${seen.json.version}"` })).status).toBe(412);
      if (path.includes("teams")) expect((await node.call(id(ada), "DELETE", path, { ifMatch: "" })).status).toBe(200);
    }
  });

  test("whoever has asked to join may take that back, and ask again", async () => {
    const { id: acmeId } = await acme({ joinPolicy: "request" });
    const withdraw = () => node.call<{ state: string }>(id(bob), "DELETE", "/api/orgs/acme/join");
    expect((await withdraw()).status).toBe(404);
    await node.call(id(bob), "POST", "/api/orgs/acme/join", { body: {} });
    expect(await withdraw()).toMatchObject({ status: 200, json: { state: "withdrawn" } });
    expect(node.events.at(-1)).toMatchObject({ event: "join_request.cancelled", organization: acmeId });
    expect((await withdraw()).status).toBe(404);
    const listed = await node.call<{ requests: { id: string; state: string }[] }>(
      id(ada),
      "GET",
      "/api/orgs/acme/join-requests?state=withdrawn",
    );
    const [request] = listed.json.requests;
    expect(request).toMatchObject({ state: "withdrawn" });
    // What was taken back is nobody's to decide.
    expect((await node.call(id(ada), "POST", `/api/orgs/acme/join-requests/${request?.id}/approve`)).status).toBe(409);
    expect((await node.call<{ state: string }>(id(bob), "POST", "/api/orgs/acme/join", { body: {} })).json.state).toBe(
      "requested",
    );
    expect((await node.call(id(ada), "GET", "/api/orgs/acme/join-requests")).json).toMatchObject({
      requests: [{ state: "pending" }],
    });
    await withdraw();
    expect((await node.call(id(ada), "GET", "/api/orgs/acme/join-requests")).json).toMatchObject({ requests: [] });
    const all = await node.call<{ requests: unknown[] }>(id(ada), "GET", "/api/orgs/acme/join-requests?state=all");
    expect(all.json.requests).toHaveLength(1);
    expect((await node.call(id(ada), "GET", "/api/orgs/acme/join-requests?state=some")).status).toBe(400);
  });

  test("nobody comes and goes without end: ten times a day at one organization, a hundred times at all", async () => {
    await acme({ joinPolicy: "open" });
    const join = async (as: User | undefined, slug = "acme") => {
      const { status, headers } = await node.call(id(as), "POST", `/api/orgs/${slug}/join`, { body: {} });
      return [status, headers["retry-after"] !== undefined];
    };
    const leave = (as: User | undefined) =>
      node.call(id(as), "DELETE", `/api/orgs/acme/members/${id(as)}`, { ifMatch: "" });
    for (let count = 0; count < 10; count += 1) {
      expect(await join(bob)).toEqual([200, false]);
      expect((await leave(bob)).status).toBe(200);
    }
    const before = node.events.length;
    expect(await join(bob)).toEqual([429, true]);
    expect(node.events.slice(before).filter(({ outcome }) => outcome === "success")).toEqual([]);
    expect(await join(eve)).toEqual([200, false]);
    place.pass(DAY_MS);
    expect(await join(bob)).toEqual([200, false]);
    for (let count = 0; count < 9; count += 1) {
      await node.call(id(ada), "POST", "/api/orgs", { body: { slug: `acme-${count}` } });
      for (let tries = 0; tries < 11; tries += 1) await join(bob, `acme-${count}`);
    }
    await node.call(id(ada), "POST", "/api/orgs", { body: { slug: "another", joinPolicy: "open" } });
    await node.call(id(ada), "POST", "/api/orgs", { body: { slug: "last", joinPolicy: "open" } });
    for (let tries = 0; tries < 9; tries += 1) await join(bob, "another");
    expect(await join(bob, "last")).toEqual([429, true]);
  });
});
