// An organization that asks its members for a second factor: a real server, people who sign in by mail.
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import type { TestBrowser } from "../sign-in/browser.testing.ts";
import { askAs, directoryInbox, signInByMail } from "../sign-in/by-mail.testing.ts";
import { type SignInServer, startSignInServer } from "../sign-in/sign-in.testing.ts";
import { headerOf, newThreadId } from "../threads/threads.testing.ts";
import { addApp } from "./factor.testing.ts";

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestHome;
  let server: SignInServer;
  let ada: TestBrowser;
  let bob: TestBrowser;

  beforeEach(async () => {
    home = await engine.create();
    server = await startSignInServer(home, { LOOM_SERVER_MAIL_DIRECTORY: join(home.path, "mail") });
    // The first runs the server; those that the test is about do not.
    await signIn("root");
    [ada, bob] = [await signIn("ada"), await signIn("bob")];
    const made = await ask(ada, "POST", "/api/orgs", { slug: "acme", visibility: "private" });
    expect(made.status).toBe(201);
    expect((await server.call("PUT", "/api/orgs/acme/members/bob", { role: "admin" })).status).toBe(200);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const signIn = (name: string) =>
    signInByMail(server.url, directoryInbox(join(home.path, "mail")), `${name}@example.com`);

  const ask = (
    as: TestBrowser | string,
    method: string,
    path: string,
    ...more: [body?: unknown, expected?: Readonly<Record<string, string>>]
  ) => askAs(server.url, as, method, path, ...more);

  const demand = (as: TestBrowser | string, requireSecondFactor = true) =>
    ask(as, "PATCH", "/api/orgs/acme", { requireSecondFactor });

  async function keyOf(as: TestBrowser, path: string, scopes = ["org:manage", "threads:read"]): Promise<string> {
    const { status, json } = await ask(as, "POST", path, { name: "ci", scopes });
    expect(status).toBe(201);
    return json.key as string;
  }

  const EVERYTHING = [
    ["GET", "/api/orgs/acme"],
    ["PATCH", "/api/orgs/acme"],
    ["GET", "/api/orgs/acme/members"],
    ["PUT", "/api/orgs/acme/members/ada"],
    ["GET", "/api/orgs/acme/teams"],
    ["POST", "/api/orgs/acme/teams"],
    ["GET", "/api/orgs/acme/invitations"],
    ["GET", "/api/orgs/acme/keys"],
    ["GET", "/api/orgs/acme/policies"],
    ["DELETE", "/api/orgs/acme/members/bob"],
  ] as const;

  /** A key may do some of it in no case; that is said as ever. */
  async function expectLockedOut(as: TestBrowser | string): Promise<void> {
    for (const [method, path] of EVERYTHING) {
      const { status, json } = await ask(as, method, path, method === "GET" ? undefined : {});
      if (typeof as === "string" && /keys|policies/.test(path)) {
        expect([method, path, status]).toEqual([method, path, 404]);
        continue;
      }
      expect([method, path, status]).toEqual([method, path, 403]);
      expect(json.detail).toMatch(/^This organization asks its members for a second factor: .*\/auth\/factors/);
    }
    const mine = await ask(as, "GET", "/api/orgs?limit=100");
    expect(JSON.stringify(mine.json)).not.toContain("acme");
  }

  test("who came without a second factor gets nothing of it and keeps what is his own", async () => {
    const adaBefore = await signIn("ada");
    const [keyOfAcme, keyOfBob] = [await keyOf(ada, "/api/orgs/acme/keys"), await keyOf(bob, "/api/keys")];
    const refused = await demand(ada);
    expect([refused.status, refused.json.detail]).toEqual([403, expect.stringMatching(/signed in with his own/)]);
    await addApp(server.url, ada);
    const changed = await demand(ada);
    expect([changed.status, changed.json.requireSecondFactor]).toEqual([200, true]);

    expect((await ask(ada, "GET", "/api/orgs/acme/members")).status).toBe(200);
    // He has a second factor, but this session began without it.
    await expectLockedOut(adaBefore);
    await expectLockedOut(bob);
    await expectLockedOut(keyOfBob);
    expect((await ask(bob, "GET", "/api/users/me")).json.username).toBe("bob");
    expect((await ask(bob, "GET", "/api/keys")).status).toBe(200);
    const own = await ask(bob, "GET", "/api/orgs?limit=100");
    expect(own.json.organizations).toMatchObject([{ slug: "bob", personal: true }]);
    expect((await ask(keyOfAcme, "GET", "/api/orgs/acme/members")).status).toBe(200);
    // Not by a key: it has no second factor.
    expect((await demand(keyOfAcme, false)).status).toBe(403);

    const app = await addApp(server.url, bob);
    expect((await ask(bob, "GET", "/api/orgs/acme/members")).status).toBe(200);
    // The key that was made without it stays outside; one that is made with it does not.
    await expectLockedOut(keyOfBob);
    const strongKeyOfBob = await keyOf(bob, "/api/keys");
    expect((await ask(strongKeyOfBob, "GET", "/api/orgs/acme/members")).status).toBe(200);
    expect((await demand(strongKeyOfBob, false)).status).toBe(403);
    await bob.submit(`${server.url}/auth/factors/remove`, { id: app.id });
    await expectLockedOut(bob);
    await expectLockedOut(strongKeyOfBob);

    expect((await demand(ada, false)).status).toBe(200);
    expect((await ask(bob, "GET", "/api/orgs/acme/members")).status).toBe(200);
    const audit = await server.call("GET", "/api/admin/audit?event=organization.updated");
    expect((audit.json as { events: unknown[] }).events).toMatchObject([
      { before: { requireSecondFactor: true }, after: { requireSecondFactor: false }, actor: { name: "ada" } },
      { before: { requireSecondFactor: false }, after: { requireSecondFactor: true }, actor: { name: "ada" } },
    ]);
  });

  test("who has only got past the first factor makes no key, and neither adds nor removes a factor", async () => {
    const before = await signIn("bob");
    const made = await ask(bob, "POST", "/api/keys", { name: "ci", scopes: ["org:manage"] });
    const { id: old } = made.json.info as { readonly id: string };
    const app = await addApp(server.url, bob);
    for (const [method, path, body] of [
      ["POST", "/api/keys", { name: "mine" }],
      ["POST", `/api/keys/${old}/rotate`, {}],
      ["POST", "/auth/passkey/add-options", {}],
    ] as const) {
      const { status, json } = await ask(before, method, path, body);
      expect([path, status, json.code]).toEqual([path, 403, "recent_sign_in_required"]);
    }
    for (const [path, form] of [
      ["/auth/factors/totp", { name: "Mine" }],
      ["/auth/factors/totp/confirm", { id: app.id, code: "123456" }],
      ["/auth/factors/recovery-codes", {}],
      ["/auth/factors/remove", { id: app.id }],
    ] as const) {
      const page = await before.submit(server.url + path, form);
      expect([path, page.status]).toEqual([path, 403]);
      expect(page.text).toContain("Is it still you?");
    }
    expect((await ask(bob, "GET", "/api/factors")).json.factors).toMatchObject([{ id: app.id }]);
    // With the factor it is as good as any.
    await before.submit(`${server.url}/auth/factors/again`, { code: app.recoveryCodes[0] ?? "" });
    const rotated = await ask(before, "POST", `/api/keys/${old}/rotate`, {});
    expect(rotated.status).toBe(201);
    await addApp(server.url, ada);
    expect((await demand(ada)).status).toBe(200);
    await expectLockedOut(made.json.key as string);
    expect((await ask(rotated.json.key as string, "GET", "/api/orgs/acme/members")).status).toBe(200);
    expect((await ask(before, "GET", "/api/orgs/acme/members")).status).toBe(200);
  });

  test("nobody acts in another's place who has not given the second factor that he has; to sign out everywhere ends it", async () => {
    const [before, root] = [await signIn("root"), await signIn("root")];
    const app = await addApp(server.url, root);
    const path = "/api/admin/users/bob/impersonate";
    const wish = { reason: "to see what he sees, as he asked" };
    const refused = await ask(before, "POST", path, wish);
    expect([refused.status, refused.json.code]).toEqual([403, "recent_sign_in_required"]);
    const page = await before.submit(`${server.url}/auth/impersonation/bob`, wish);
    expect([page.status, page.text]).toEqual([403, expect.stringContaining("/auth/factors/again")]);
    await before.submit(`${server.url}/auth/factors/again`, { code: app.recoveryCodes[0] ?? "" });
    const acting = await ask(before, "POST", path, wish);
    expect(acting.status).toBe(201);
    const token = acting.json.token as string;
    expect((await ask(token, "GET", "/api/whoami")).json).toMatchObject({ name: "bob" });
    expect((await ask(root, "DELETE", "/api/sessions")).status).toBe(200);
    expect((await ask(token, "GET", "/api/whoami")).status).toBe(401);
  });

  test("an owner who came without it does not restore what was deleted", async () => {
    const before = await signIn("ada");
    await addApp(server.url, ada);
    expect((await demand(ada)).status).toBe(200);
    expect((await ask(ada, "DELETE", "/api/orgs/acme")).status).toBe(200);
    const listed = async (as: TestBrowser) => JSON.stringify((await ask(as, "GET", "/api/orgs?which=deleted")).json);
    expect([await listed(before), await listed(ada)]).toEqual([
      expect.not.stringContaining("acme"),
      expect.stringContaining("acme"),
    ]);
    const refused = await ask(before, "POST", "/api/orgs/acme/restore");
    expect([refused.status, refused.json.detail]).toEqual([
      403,
      expect.stringMatching(/asks its members for a second/),
    ]);
    expect((await ask(ada, "GET", "/api/orgs/acme")).status).toBe(404);
    expect((await ask(ada, "POST", "/api/orgs/acme/restore")).status).toBe(200);
    expect((await ask(ada, "GET", "/api/orgs/acme")).status).toBe(200);
  });

  test("who is locked out of an organization puts no thread into it, nor into its teams, nor does his key", async () => {
    const { id: acme } = (await ask(ada, "GET", "/api/orgs/acme")).json as { readonly id: string };
    const { id: team } = (await ask(ada, "POST", "/api/orgs/acme/teams", { slug: "red" })).json as {
      readonly id: string;
    };
    expect((await server.call("PUT", "/api/orgs/acme/teams/red/members/bob", { role: "member" })).status).toBe(200);
    const key = await keyOf(bob, "/api/keys", ["threads:read", "threads:write"]);
    const thread = newThreadId();
    const made = await ask(
      bob,
      "PUT",
      `/api/threads/${thread}`,
      { records: [headerOf(thread)] },
      { "if-none-match": "*" },
    );
    expect(made.status).toBe(201);
    await addApp(server.url, ada);
    expect((await demand(ada)).status).toBe(200);
    const move = (as: TestBrowser | string, body: object) => ask(as, "POST", `/api/threads/${thread}/visibility`, body);
    for (const as of [bob, key]) {
      for (const place of [
        { visibility: "private", organization: acme },
        { visibility: "organization", organization: acme },
        { visibility: "team", organization: acme, team },
        { visibility: "team", team },
      ]) {
        const { status, json } = await move(as, place);
        expect([place, status, json.code]).toEqual([place, 400, "invalid_input"]);
      }
    }
    expect((await ask(bob, "GET", `/api/threads/${thread}`)).json).toMatchObject({ visibility: "private", team: null });
    await addApp(server.url, bob);
    expect((await move(bob, { visibility: "team", team })).json).toMatchObject({ organization: acme, team });
    // What is in it is out of reach without the factor, also for whom it belongs to.
    for (const visibility of ["private", "organization"]) {
      expect([visibility, (await move(key, { visibility })).status]).toEqual([visibility, 403]);
    }
  });

  test("what is explained is what is decided: a key does not have the factor for its person's having it", async () => {
    const { id } = (await ask(ada, "GET", "/api/orgs/acme")).json as { readonly id: string };
    const weak = await keyOf(bob, "/api/keys");
    await addApp(server.url, ada);
    expect((await demand(ada)).status).toBe(200);
    const explained = async (more: string) => {
      const question = `subject=bob&action=read&resource=membership&organization=${id}${more}`;
      const { json } = await server.call("GET", `/api/admin/policy/explain?${question}`);
      return (json as { readonly allowed: boolean; readonly policy: string }).allowed;
    };
    const isLetIn = async (as: TestBrowser | string) => (await ask(as, "GET", "/api/orgs/acme/members")).status === 200;
    expect([await explained(""), await isLetIn(bob)]).toEqual([false, false]);
    const without = await server.call(
      "GET",
      "/api/admin/policy/explain?subject=bob&action=read&resource=thread&secondFactor=true",
    );
    expect([without.status, without.json]).toMatchObject([400, { errors: [{ field: "secondFactor" }] }]);
    const before = await signIn("bob");
    await addApp(server.url, bob);
    const strong = await keyOf(bob, "/api/keys");
    const asKey = "&scopes=org:manage";
    for (const [question, as, allowed] of [
      ["", bob, true],
      ["&secondFactor=false", before, false],
      [asKey, weak, false],
      [`${asKey}&secondFactor=true`, strong, true],
      [`${asKey}&secondFactor=false`, weak, false],
    ] as const) {
      expect([question, await explained(question), await isLetIn(as)]).toEqual([question, allowed, allowed]);
    }
  });

  test("who signs in anew while he acts in another's place leaves no session of his behind", async () => {
    const root = await signIn("root");
    const own = root.jar("127.0.0.1").get("loom_session") ?? "";
    await root.submit(`${server.url}/auth/impersonation/bob`, { reason: "to see what he sees, as he asked" });
    const acting = root.jar("127.0.0.1").get("loom_session") ?? "";
    const whoami = async (session: string) =>
      (await fetch(`${server.url}/api/whoami`, { headers: { cookie: `loom_session=${session}` } })).status;
    expect([acting === own, await whoami(acting), await whoami(own)]).toEqual([false, 200, 200]);
    await signInByMail(server.url, directoryInbox(join(home.path, "mail")), "bob@example.com", root);
    expect([await whoami(acting), await whoami(own)]).toEqual([401, 401]);
    expect((await ask(root, "GET", "/api/whoami")).json).toMatchObject({ name: "bob" });
  });

  test("a sign-in with the second factor is let in; a personal organization asks for none", async () => {
    const app = await addApp(server.url, ada);
    expect((await demand(ada)).status).toBe(200);
    const again = await signIn("ada");
    const code = app.recoveryCodes[0] ?? "";
    expect((await again.submit(`${server.url}/auth/second-factor`, { code })).status).toBe(200);
    expect((await ask(again, "GET", "/api/orgs/acme/members")).status).toBe(200);
    // Nobody has to give one to reach what is his alone.
    const personal = await ask(ada, "PATCH", "/api/orgs/ada", { requireSecondFactor: true });
    expect(personal.status).toBe(409);
  });
});
