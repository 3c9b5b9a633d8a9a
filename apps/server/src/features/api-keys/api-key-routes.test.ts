import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DatabasePlace, openDatabase } from "../../kit/database.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { DATABASE_FILE } from "../../server.ts";
import { MIGRATIONS } from "../migrations.ts";
import type { SessionTables } from "../sessions/migrations.ts";
import { TestBrowser } from "../sign-in/browser.testing.ts";
import { type SignInServer, startSignInServer } from "../sign-in/sign-in.testing.ts";

type Told = { readonly status: number; readonly json: Record<string, unknown> };
type Info = { readonly id: string; readonly [name: string]: unknown };

describe.each(engines)("on $name", { timeout: 60_000 }, (engine) => {
  let home: TestHome;
  let server: SignInServer;
  /** In which ada is signed in, who is the first and so a system admin. */
  let ada: TestBrowser;

  beforeEach(async () => {
    home = await engine.create();
    server = await startSignInServer(home, { LOOM_SERVER_DEV_USER: "ada@example.com" });
    ada = new TestBrowser();
    await ada.open(`${server.url}/auth/development`);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  async function ask(key: string | TestBrowser, method: string, path: string, body?: unknown): Promise<Told> {
    const cookie = key instanceof TestBrowser ? [...key.jar("127.0.0.1")].map((pair) => pair.join("=")).join("; ") : "";
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(key instanceof TestBrowser ? { cookie, origin: server.url } : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as Told["json"] };
  }

  async function keyOf(by: TestBrowser, body: unknown, path = "/api/keys"): Promise<{ key: string; info: Info }> {
    const { status, json } = await ask(by, "POST", path, body);
    expect(status).toBe(201);
    return json as { key: string; info: Info };
  }

  test("a key does what its scopes say and no more, whoever its owner is", async () => {
    const { key, info } = await keyOf(ada, { name: "ci", scopes: ["llm:use", "org:manage"] });
    expect(await ask(key, "GET", "/api/whoami")).toMatchObject({
      status: 200,
      json: { type: "user", name: "ada", scopes: ["llm:use", "org:manage"] },
    });
    expect((await ask(key, "GET", "/api/llm/models")).status).not.toBe(403);
    for (const path of [
      "/api/keys",
      "/api/sessions",
      "/api/admin/users",
      "/api/audit",
      "/api/credentials",
      "/api/threads",
    ]) {
      expect({ path, status: (await ask(key, "GET", path)).status }).not.toEqual({ path, status: 200 });
    }
    expect((await ask(key, "POST", "/api/keys", { name: "child" })).status).toBe(403);
    const list = (await ask(ada, "GET", "/api/keys")).json as { keys: Info[] };
    expect(list.keys.map(({ id, lastUsedFrom }) => ({ id, lastUsedFrom }))).toEqual([
      { id: info.id, lastUsedFrom: "127.0.0.1" },
    ]);
    expect(JSON.stringify(list)).not.toContain(key);
  });

  test("not even a key that may do everything makes another, or lets somebody in; it can be revoked by itself", async () => {
    const { key, info } = await keyOf(ada, { name: "all", scopes: ["admin"] });
    expect((await ask(key, "GET", "/api/admin/users")).status).toBe(200);
    expect((await ask(key, "POST", "/api/keys", { name: "child" })).status).toBe(403);
    expect((await ask(key, "POST", `/api/keys/${info.id}/rotate`, {})).status).toBe(404);
    expect((await ask(key, "POST", "/api/tokens", { name: "child" })).status).toBe(403);
    expect((await ask(key, "DELETE", `/api/keys/${info.id}`)).status).toBe(200);
    expect((await ask(key, "GET", "/api/whoami")).status).toBe(401);
  });

  test("an organization's key is for its organization alone", async () => {
    for (const slug of ["acme", "other"]) await ask(ada, "POST", "/api/orgs", { slug, visibility: "private" });
    const wish = { name: "robot", scopes: ["org:manage"] };
    const { key } = await keyOf(ada, wish, "/api/orgs/acme/keys");
    expect((await ask(key, "GET", "/api/orgs/acme")).status).toBe(200);
    expect((await ask(key, "GET", "/api/orgs/acme/members")).status).toBe(200);
    expect((await ask(key, "GET", "/api/orgs/other")).status).toBe(404);
    expect((await ask(key, "GET", "/api/orgs/other/members")).status).toBe(404);
    expect((await ask(key, "POST", "/api/orgs/other/teams", { slug: "web" })).status).toBe(404);
    expect((await ask(key, "GET", "/api/orgs/acme/keys")).status).toBe(404);
    expect((await ask(key, "POST", "/api/orgs/acme/keys", wish)).status).toBe(404);
    expect((await ask(key, "GET", "/api/keys")).status).toBe(403);
  });

  test("others' keys are not there, and whoever acts in another's place touches none", async () => {
    const { info } = await keyOf(ada, { name: "ci" });
    await server[Symbol.asyncDispose]();
    server = await startSignInServer(home, { LOOM_SERVER_DEV_USER: "bob@example.com" });
    const bob = new TestBrowser();
    await bob.open(`${server.url}/auth/development`);
    const { info: ofBob } = await keyOf(bob, { name: "bobs" });
    expect((await ask(bob, "DELETE", `/api/keys/${info.id}`)).status).toBe(404);
    expect((await ask(bob, "POST", `/api/keys/${info.id}/rotate`, {})).status).toBe(404);
    const reason = { reason: "to see what he sees, as he asked" };
    const { token } = (await ask(ada, "POST", "/api/admin/users/bob/impersonate", reason)).json as { token: string };
    expect((await ask(token, "GET", "/api/whoami")).json).toMatchObject({ name: "bob", impersonator: "ada" });
    expect((await ask(token, "GET", "/api/keys")).status).toBe(403);
    expect((await ask(token, "POST", "/api/keys", { name: "mine" })).status).toBe(403);
    expect((await ask(token, "DELETE", `/api/keys/${ofBob.id}`)).status).toBe(404);
    // As herself, who looks after the server may end it.
    expect((await ask(ada, "DELETE", `/api/keys/${ofBob.id}`)).status).toBe(200);
  });

  test("who looks after the server lists a person's sessions and ends one of them, or all", async () => {
    await server[Symbol.asyncDispose]();
    server = await startSignInServer(home, { LOOM_SERVER_DEV_USER: "bob@example.com" });
    const browsers = [new TestBrowser(), new TestBrowser(), new TestBrowser()] as const;
    for (const browser of browsers) await browser.open(`${server.url}/auth/development`);
    const bob = String((await ask(browsers[0], "GET", "/api/whoami")).json.id);
    const path = `/api/admin/users/${bob}/sessions`;
    const { sessions } = (await ask(ada, "GET", path)).json as { sessions: Info[] };
    expect(sessions).toHaveLength(3);
    const status = async () =>
      Promise.all(browsers.map(async (each) => (await ask(each, "GET", "/api/whoami")).status));
    expect((await ask(browsers[0], "DELETE", `${path}/${sessions[0]?.id}`)).status).toBe(403);
    expect((await ask(ada, "DELETE", `${path}/session-nobodys`)).status).toBe(404);
    // Not by another's name.
    expect((await ask(ada, "DELETE", `/api/admin/users/user-x/sessions/${sessions[0]?.id}`)).status).toBe(404);
    expect((await ask(ada, "DELETE", `${path}/${sessions[0]?.id}`)).json).toEqual({ ended: 1 });
    expect((await ask(ada, "DELETE", `${path}/${sessions[0]?.id}`)).status).toBe(404);
    expect((await status()).toSorted()).toEqual([200, 200, 401]);
    expect((await ask(ada, "DELETE", path)).json).toEqual({ ended: 2 });
    expect(await status()).toEqual([401, 401, 401]);
  });

  test("to make one takes somebody who has signed in lately; to void one does not", async () => {
    const { info } = await keyOf(ada, { name: "ci" });
    const database = await openDatabase({ ...placeOf(home), migrations: MIGRATIONS });
    const long = new Date(Date.now() - 15 * 60_000).toISOString();
    await database.write<SessionTables, unknown>((db) => db.updateTable("session").set({ proven_at: long }).execute());
    await database.close();
    const refused = { status: 403, json: { code: "recent_sign_in_required" } };
    expect(await ask(ada, "POST", "/api/keys", { name: "late" })).toMatchObject(refused);
    expect(await ask(ada, "POST", `/api/keys/${info.id}/rotate`, {})).toMatchObject(refused);
    expect((await ask(ada, "DELETE", `/api/keys/${info.id}`)).status).toBe(200);
  });

  test.each([
    [{ name: "" }, "name"],
    [{ name: "x".repeat(500_000) }, "name"],
    [{ name: "x", scopes: [] }, "scopes"],
    [{ name: "x", scopes: ["everything"] }, "scopes[0]"],
    [{ name: "x", expiresAt: "tomorrow" }, "expiresAt"],
    [{ name: "x", expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
    [{ name: "x", owner: "user-1" }, "owner"],
  ])("a wish that cannot be is refused, and says why (%#)", async (body, field) => {
    const { status, json } = await ask(ada, "POST", "/api/keys", body);
    expect({ status, errors: json.errors }).toMatchObject({ status: 400, errors: [{ field }] });
  });
});

function placeOf({ path, place }: TestHome): DatabasePlace {
  return "postgres" in place ? place : { file: join(path, "server", DATABASE_FILE) };
}
