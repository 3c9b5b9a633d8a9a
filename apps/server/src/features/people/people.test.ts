import type {
  AccountDeletion,
  NoticeList,
  Organization,
  OrganizationMembers,
  Problem,
  StartedImpersonation,
  UserInfo,
  UserList,
  UserProfile,
} from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { User } from "../../identity-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import { DAY_MS, type Node, type Town, town } from "./people.testing.ts";
import { purge } from "./purge.ts";

describe.each(engines)("on $name", (engine) => {
  let place: Town;
  let node: Node;
  let [root, ada, bob]: User[] = [];

  beforeEach(async () => {
    place = await town(engine);
    node = await place.node({ isPolicied: true });
    [root, ada, bob] = [await node.person("root_person"), await node.person("ada"), await node.person("bob")];
  });

  afterEach(() => place[Symbol.asyncDispose]());

  const id = (user: User | undefined): string => user?.id ?? expect.fail();
  const last = () => node.events.at(-1);
  const purgeNow = () =>
    purge(
      node.services.purging,
      { record: (event) => void (node.events as unknown[]).push(event) },
      node.services.purgeElsewhere,
    );

  test("an account is in the audit log from its beginning, once", async () => {
    await node.person("ada");
    expect(node.events).toMatchObject([
      { event: "user.created", target: { name: "root_person" }, after: { globalRoles: ["system_admin"] } },
      { event: "user.created", target: { id: id(ada), name: "ada" }, after: { globalRoles: [] } },
      { event: "user.created", target: { name: "bob" } },
    ]);
  });

  test("a profile shows the address to whom it is for", async () => {
    const seen = async (as: string, who = "ada") => (await node.call<UserProfile>(as, "GET", `/api/users/${who}`)).json;
    expect(await seen(id(ada), "me")).toMatchObject({ id: id(ada), username: "ada", email: "ada@example.com" });
    expect((await seen(id(bob))).email).toBeNull();
    await node.call(id(ada), "PATCH", "/api/users/me", { body: { showEmail: true } });
    expect((await seen(id(bob), id(ada))).email).toBe("ada@example.com");
    expect((await node.call("", "GET", "/api/users/ada")).status).toBe(401);
    expect((await node.call(id(bob), "GET", "/api/users/nobody")).status).toBe(404);
    expect((await node.call("owner", "GET", "/api/users/me")).status).toBe(404);
  });

  test("a person changes his profile and nobody else's, and names the version", async () => {
    const change = (body: object, ifMatch = "*") =>
      node.call<UserProfile & Problem>(id(ada), "PATCH", "/api/users/me", { body, ifMatch });
    expect((await change({ displayName: "Ada" }, "")).status).toBe(428);
    const changed = await change(
      { displayName: "Ada Lovelace", locale: "pt-br", avatarUrl: "https://example.com/a.png" },
      '"1"',
    );
    expect([changed.headers.etag, changed.json]).toMatchObject([
      '"2"',
      { displayName: "Ada Lovelace", locale: "pt-BR", avatarUrl: "https://example.com/a.png" },
    ]);
    expect(last()).toMatchObject({ event: "user.updated", before: { locale: null }, after: { locale: "pt-BR" } });
    expect((await change({ displayName: "Ada" }, '"1"')).status).toBe(412);
    // What is so already, also once it is written as it is kept, is no change.
    const events = node.events.length;
    for (const body of [{ displayName: " Ada Lovelace ", locale: "PT-br", showEmail: false, username: "ada" }, {}]) {
      const { status, headers, json } = await change(body, '"2"');
      expect([status, headers.etag, json.version]).toEqual([200, '"2"', 2]);
    }
    expect((await change({ displayName: "Ada Lovelace" }, '"1"')).status).toBe(412);
    expect(node.events.length).toBe(events);
    for (const [field, value] of [
      ["displayName", "n".repeat(900_000)],
      ["displayName", "ada\u202Egnp"],
      ["displayName", "  "],
      ["locale", "not a locale"],
      ["avatarUrl", "javascript:alert(1)"],
      ["avatarUrl", "http://example.com/a.png"],
      ["globalRoles", ["system_admin"]],
    ] as const) {
      const answer = await change({ [field]: value });
      expect([field, answer.status, answer.json.errors?.length]).toEqual([field, 400, 1]);
    }
  });

  test("a username that is reserved, taken or looks like another is refused; one's own may be written anew", async () => {
    const rename = async (username: string) => {
      const { status, json } = await node.call<Problem>(id(ada), "PATCH", "/api/users/me", { body: { username } });
      return [username, status, json.errors?.[0]?.field];
    };
    expect(await rename("BOB")).toEqual(["BOB", 409, "username"]);
    expect(await rename("b0b")).toEqual(["b0b", 409, "username"]);
    expect(await rename("adm1n")).toEqual(["adm1n", 400, "username"]);
    expect(await rename("\u0430da")).toEqual(["\u0430da", 400, "username"]);
    expect(await rename("a-d-a")).toEqual(["a-d-a", 400, "username"]);
    expect(await rename("ADA")).toEqual(["ADA", 200, undefined]);
    const both = await Promise.all([
      node.call(id(ada), "PATCH", "/api/users/me", { body: { username: "wanted" } }),
      node.call(id(bob), "PATCH", "/api/users/me", { body: { username: "Wanted" } }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test("who deletes his account acts no more at once, and has 90 days to think better of it", async () => {
    const { json, status } = await node.call<AccountDeletion>(id(ada), "POST", "/api/users/me/delete");
    expect([status, Date.parse(json.purgeAt) - Date.parse(json.deletedAt)]).toEqual([200, 90 * DAY_MS]);
    expect((await node.call(id(ada), "GET", "/api/users/me")).status).toBe(401);
    expect(await node.services.users.byEmail("ada@example.com")).toMatchObject({ deletedAt: json.deletedAt });
    const restore = (token: string) => node.call("", "POST", "/api/users/me/restore", { body: { token } });
    expect((await restore(`lr_${"a".repeat(43)}`)).status).toBe(404);
    expect((await restore("x")).status).toBe(404);
    place.pass(89 * DAY_MS);
    await purgeNow();
    expect((await restore(json.restoreToken)).status).toBe(200);
    expect((await restore(json.restoreToken)).status).toBe(404);
    expect((await node.call(id(ada), "GET", "/api/users/me")).status).toBe(200);
    expect(JSON.stringify(node.events)).not.toContain(json.restoreToken);
  });

  test("after 90 days a tombstone is left, whose name nobody takes and whose organizations have heirs", async () => {
    await node.call(id(ada), "POST", "/api/orgs", { body: { slug: "acme" } });
    await node.call(id(ada), "POST", "/api/orgs", { body: { slug: "alone" } });
    await node.call("owner", "PUT", "/api/orgs/acme/members/bob", { body: { role: "member" } });
    const refused = await node.call<Problem>(id(ada), "POST", "/api/users/me/delete");
    expect([refused.status, refused.json.detail]).toEqual([409, expect.stringContaining("only owner of acme")]);
    await node.call(id(ada), "DELETE", "/api/orgs/acme");
    expect((await node.call(id(ada), "POST", "/api/users/me/delete")).status).toBe(200);
    // Who runs the server brings back what has nobody to run it.
    expect((await node.call("owner", "POST", "/api/orgs/acme/restore")).status).toBe(200);
    place.pass(90 * DAY_MS);
    await purgeNow();
    expect(node.events.slice(-4)).toMatchObject([
      { event: "user.deleted", actor: { type: "system" }, target: { id: id(ada), name: "ada" } },
      { event: "organization.purged" },
      { event: "organization.purged" },
      { event: "member.role_changed", target: { name: "bob" }, before: { role: "member" }, after: { role: "owner" } },
    ]);
    const tombstone = await node.call<UserProfile>(id(root), "GET", `/api/users/${id(ada)}`);
    expect(tombstone.json).toMatchObject({ deleted: true, displayName: "Deleted user", email: null });
    expect(await node.services.users.byEmail("ada@example.com")).toBeUndefined();
    expect((await node.services.users.create({ email: "ada@example.com", username: "ada" })).username).toBe("ada_2");
    const { json } = await node.call<OrganizationMembers>("owner", "GET", "/api/orgs/acme/members");
    expect(json.members.map(({ username, role }) => [username, role])).toEqual([["bob", "owner"]]);
    expect((await node.call("owner", "GET", "/api/orgs/alone")).status).toBe(404);
  });

  test("an administrator finds people, in pages", async () => {
    const names = async (query: string) => {
      const { json } = await node.call<UserList>(id(root), "GET", `/api/admin/users?${query}`);
      return [json.users.map(({ username }) => username), json.nextCursor !== null];
    };
    // They come by their ids, of which two of one millisecond are in no order.
    const all = [root, ada, bob].toSorted((a, b) => (id(a) < id(b) ? -1 : 1)).map((user) => user?.username);
    expect(await names("limit=2")).toEqual([all.slice(0, 2), true]);
    expect(await names("search=EXAMPLE.com")).toEqual([all, false]);
    expect(await names("search=t_p")).toEqual([["root_person"], false]);
    expect(await names("search=%25")).toEqual([[], false]);
    expect((await node.call(id(ada), "GET", "/api/admin/users")).status).toBe(403);
    expect(last()).toMatchObject({ event: "access.denied", actor: { name: "ada" } });
  });

  test("roles over the server: nobody takes his own, and one admin is left whatever happens at once", async () => {
    const roles = (as: User | undefined, of: User | undefined, list: string[], ifMatch = "*") =>
      node.call<UserInfo>(id(as), "PATCH", `/api/admin/users/${id(of)}/roles`, { body: { roles: list }, ifMatch });
    expect((await roles(ada, ada, ["system_admin"])).status).toBe(403);
    expect((await roles(root, root, [])).status).toBe(409);
    expect((await roles(root, ada, ["boss"])).status).toBe(400);
    expect((await roles(root, ada, ["system_admin"], "")).status).toBe(428);
    expect((await roles(root, ada, ["system_admin", "auditor"], '"1"')).json).toMatchObject({ version: 2 });
    expect(last()).toMatchObject({ event: "global_role.granted", before: { roles: [] }, target: { name: "ada" } });
    const granted = node.events.length;
    expect((await roles(root, ada, ["auditor", "system_admin"], '"2"')).json).toMatchObject({ version: 2 });
    expect(node.events.length).toBe(granted);
    const other = await place.node({ isPolicied: true });
    const [one, two] = await Promise.all([
      roles(root, ada, []),
      other.call(id(ada), "PATCH", `/api/admin/users/${id(root)}/roles`, { body: { roles: [] } }),
    ]);
    expect([one.status, two.status].filter((status) => status === 200)).toHaveLength(1);
    const { json } = await node.call<UserList>("owner", "GET", "/api/admin/users");
    const admins = json.users.filter(({ globalRoles }) => globalRoles.includes("system_admin"));
    expect(admins).toHaveLength(1);
    for (const [method, path] of [
      ["POST", `/api/admin/users/${admins[0]?.id}/disable`],
      ["DELETE", `/api/admin/users/${admins[0]?.id}`],
    ] as const) {
      const answer = await node.call<Problem>("owner", method, path);
      expect([answer.status, answer.json.detail]).toEqual([409, expect.stringContaining("last system admin")]);
    }
  });

  test("who is disabled acts no more until he is enabled; who is deleted until he is restored", async () => {
    const act = (method: string, what: string) => node.call(id(root), method, `/api/admin/users/ada${what}`);
    const isIn = async () => (await node.call(id(ada), "GET", "/api/users/me")).status === 200;
    expect((await act("POST", "/disable")).status).toBe(200);
    expect([await isIn(), (await act("POST", "/disable")).status]).toEqual([false, 409]);
    expect((await act("POST", "/enable")).status).toBe(200);
    expect([await isIn(), (await act("POST", "/enable")).status]).toEqual([true, 409]);
    expect((await act("DELETE", "")).status).toBe(200);
    expect(await isIn()).toBe(false);
    expect((await act("POST", "/restore")).status).toBe(200);
    expect(await isIn()).toBe(true);
    const changes = node.events.map(({ event }) => event).filter((event) => /^user\./.test(event));
    expect(changes.slice(-4)).toEqual(["user.disabled", "user.enabled", "user.deletion_requested", "user.restored"]);
    expect((await node.call(id(root), "POST", `/api/admin/users/${id(root)}/disable`)).status).toBe(409);
  });

  describe("acting in another's place", () => {
    const reason = "Ticket 4711: his runs hang";
    const start = (as: User | undefined, of: User | undefined, body: object = { reason }) =>
      node.call<StartedImpersonation & Problem>(id(as), "POST", `/api/admin/users/${id(of)}/impersonate`, { body });

    test("needs a reason, ends by itself, is known to the person and stands in each audit row", async () => {
      expect((await start(root, ada, {})).json.errors?.[0]?.field).toBe("reason");
      expect((await start(root, ada, { reason, minutes: 61 })).json.errors?.[0]?.field).toBe("minutes");
      const { json } = await start(root, ada, { reason, minutes: 30 });
      expect(last()).toMatchObject({
        event: "impersonation.started",
        actor: { name: "root_person" },
        details: { reason },
      });
      const notices = await node.call<NoticeList>(id(ada), "GET", "/api/users/me/notices");
      expect(notices.json.notices[0]?.text).toMatch(/^root_person acts in your place until .* Ticket 4711/);
      const noticeId = notices.json.notices[0]?.id;
      const read = (as: string, body: object) => node.call(as, "POST", "/api/users/me/notices/read", { body });
      // Not by whoever acts in her place, and others' are nobody else's.
      expect((await read(json.token, {})).status).toBe(403);
      expect((await read(id(bob), { ids: [noticeId] })).json).toEqual({ read: 0 });
      expect(notices.json.notices[0]?.readAt).toBeNull();
      expect((await read(id(ada), { ids: [noticeId] })).json).toEqual({ read: 1 });
      expect((await read(id(ada), {})).json).toEqual({ read: 0 });
      const again = await node.call<NoticeList>(id(ada), "GET", "/api/users/me/notices");
      expect(again.json.notices[0]?.readAt).toMatch(/^2026-11-/);
      expect(node.mails).toMatchObject([{ to: "ada@example.com", subject: "root_person acts in your place" }]);
      await node.call(json.token, "PATCH", "/api/users/me", { body: { displayName: "Changed" } });
      expect(last()).toMatchObject({
        event: "user.updated",
        actor: { id: id(ada), impersonator: { id: id(root), name: "root_person" } },
      });
      const state = await node.call(json.token, "GET", "/api/admin/impersonation");
      expect(state.json).toMatchObject({ active: true, username: "ada", impersonatorName: "root_person" });
      place.pass(30 * 60_000);
      expect((await node.call(json.token, "GET", "/api/users/me")).status).toBe(401);
    });

    test("is over when it is stopped, and when the one who does it is no admin any more", async () => {
      const first = (await start(root, ada)).json.token;
      expect((await node.call(first, "POST", "/api/admin/impersonation/stop")).json).toEqual({ active: false });
      expect(last()).toMatchObject({ event: "impersonation.ended", actor: { impersonator: { name: "root_person" } } });
      expect((await node.call(first, "GET", "/api/users/me")).status).toBe(401);
      expect((await node.call(id(ada), "POST", "/api/admin/impersonation/stop")).status).toBe(404);
      await node.call("owner", "PATCH", `/api/admin/users/${id(bob)}/roles`, { body: { roles: ["system_admin"] } });
      const second = (await start(bob, ada)).json.token;
      expect((await node.call(second, "GET", "/api/users/me")).status).toBe(200);
      await node.call(id(root), "PATCH", `/api/admin/users/${id(bob)}/roles`, { body: { roles: [] } });
      expect((await node.call(second, "GET", "/api/users/me")).status).toBe(401);
    });

    test("is for admins who are signed in, and never for acting as one who runs something", async () => {
      expect((await start(ada, bob)).status).toBe(403);
      expect((await start(root, root)).status).toBe(409);
      expect(
        (await node.call("owner", "POST", `/api/admin/users/${id(ada)}/impersonate`, { body: { reason } })).status,
      ).toBe(403);
      await node.call(id(root), "PATCH", `/api/admin/users/${id(bob)}/roles`, { body: { roles: ["support"] } });
      expect((await start(root, bob)).status).toBe(403);
      await node.call(id(root), "POST", `/api/admin/users/${id(ada)}/disable`);
      expect((await start(root, ada)).status).toBe(409);
    });

    test("deletes no account and gives nobody access", async () => {
      const { token } = (await start(root, ada)).json;
      expect((await node.call(token, "POST", "/api/users/me/delete")).status).toBe(403);
      expect(
        (await node.call(token, "POST", `/api/admin/users/${id(bob)}/impersonate`, { body: { reason } })).status,
      ).toBe(403);
    });
  });

  test("a private organization is nothing to others, an unlisted one is seen, a public one listed", async () => {
    for (const visibility of ["public", "unlisted", "private"]) {
      await node.call(id(ada), "POST", "/api/orgs", { body: { slug: `acme-${visibility}`, visibility } });
    }
    const seen = async (as: string) => {
      const answers = ["public", "unlisted", "private"].map((each) =>
        node.call<Organization>(as, "GET", `/api/orgs/acme-${each}`),
      );
      return (await Promise.all(answers)).map(({ status }) => status);
    };
    expect(await seen(id(bob))).toEqual([200, 200, 404]);
    expect(await seen(id(ada))).toEqual([200, 200, 200]);
    expect(await seen(id(root))).toEqual([200, 200, 200]);
    for (const [method, path, body] of [
      ["GET", "/members", undefined],
      ["GET", "/teams", undefined],
      ["GET", "/invitations", undefined],
      ["PATCH", "", { name: "Mine" }],
      ["DELETE", "", undefined],
      ["POST", "/invitations", { username: "bob" }],
      ["POST", "/teams", { slug: "qa" }],
      ["PUT", "/members/bob", { role: "owner" }],
      ["POST", "/restore", undefined],
    ] as const) {
      const answer = await node.call(id(bob), method, `/api/orgs/acme-public${path}`, { body });
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
  });
});
