// Every route of a server that stays, and whether it asks somebody who signed in long ago to sign in again.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { everyRoute } from "./every-route.testing.ts";
import { MIGRATIONS } from "./features/migrations.ts";
import type { SessionTables } from "./features/sessions/migrations.ts";
import { TestBrowser } from "./features/sign-in/browser.testing.ts";
import { type SignInServer, startSignInServer } from "./features/sign-in/sign-in.testing.ts";
import { headerOf, newThreadId } from "./features/threads/threads.testing.ts";
import { type DatabasePlace, openDatabase } from "./kit/database.ts";
import { engines, type TestHome } from "./kit/engines.testing.ts";
import { encoded, FAREWELLS, type Json, OpenApi, type Operation } from "./openapi.testing.ts";
import { DATABASE_FILE } from "./server.ts";

/** Here it is that one proves it again. */
const AGAIN = "POST /auth/factors/again";
const MINUTE = 60_000;

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestHome;
  let server: SignInServer;
  let openApi: OpenApi;
  let headers: Readonly<Record<string, string>> = {};
  let known: Readonly<Record<string, string>> = {};
  /** By method and path. */
  const declared = new Map<string, boolean>();

  beforeAll(async () => {
    const every = await everyRoute();
    for (const { contract, recent } of every.routes) declared.set(`${contract.method} ${contract.path}`, recent);
    await every.close();
    home = await engine.create();
    // The first is the system admin, who asks all that follows.
    for (const name of ["ada", "bob"]) {
      await server?.[Symbol.asyncDispose]();
      server = await startSignInServer(home, { LOOM_SERVER_DEV_USER: `${name}@example.com` });
      const cookie = await signIn();
      if (name === "ada") headers = { cookie };
    }
    headers = { ...headers, origin: server.url };
    const { json: document } = await server.call("GET", "/api/openapi.json");
    openApi = new OpenApi(document as Json);
    known = await furnish();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  /** Gives the cookie of a new session of whom the server signs in by itself. */
  async function signIn(): Promise<string> {
    const browser = new TestBrowser();
    await browser.open(`${server.url}/auth/development`);
    return [...browser.jar("127.0.0.1")].map((pair) => pair.join("=")).join("; ");
  }

  /** Something of each kind that the routes which ask for it name, and of some others. */
  async function furnish(): Promise<Record<string, string>> {
    const made = async (method: string, path: string, body: unknown, more = {}): Promise<Json> => {
      const { status, text } = await ask(method, path, {
        type: "application/json",
        content: JSON.stringify(body),
        more,
      });
      if (status >= 300) throw new Error(`${method} ${path}: ${text}`);
      return JSON.parse(text);
    };
    await made("POST", "/api/orgs", { slug: "acme" });
    await made("POST", "/api/orgs/acme/teams", { slug: "web" });
    await made("POST", "/api/orgs/acme/domains", { domain: "example.org" });
    const { info } = await made("POST", "/api/keys", { name: "ci" });
    const bob = await made("GET", "/api/users/bob", undefined);
    const thread = newThreadId();
    await made("PUT", `/api/threads/${thread}`, { records: [headerOf(thread)] }, { "if-none-match": "*" });
    return {
      ...{ org: "acme", team: "web", user: String(bob.id), domain: "example.org", provider: "default", kind: "token" },
      ...{ name: "one", token: "nothing", sha256: "ab".repeat(32) },
      "/api/users/{id}": "bob",
      "/api/budgets/{kind}/{id}": "owner",
      "/api/keys/{id}": String((info as Json).id),
      "/api/threads/{id}": thread,
    };
  }

  async function ask(
    method: string,
    path: string,
    { type, content, more = {} }: { type?: string | undefined; content?: string | undefined; more?: object } = {},
  ): Promise<{ readonly status: number; readonly text: string }> {
    const all = { ...headers, ...(type !== undefined && { "content-type": type }), "if-match": "*", ...more };
    if ("if-none-match" in all) delete (all as { "if-match"?: string })["if-match"];
    const answer = await fetch(server.url + path, {
      ...{ method, headers: all, redirect: "manual" },
      ...(content !== undefined && { body: content }),
    });
    const lasts = answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
    if (lasts) await answer.body?.cancel();
    return { status: answer.status, text: lasts ? "" : await answer.text() };
  }

  /** Whether it was refused because one has signed in long ago. */
  async function isAskedToSignIn(operation: Operation): Promise<boolean> {
    const { status, text } = await askAsIn(operation);
    if (status !== 403) return false;
    return operation.isPage
      ? /signed in within|You have been signed in for a while/.test(text)
      : codeOf(text) === REFUSED;
  }

  /** With what its schema takes, about what is there. */
  async function askAsIn(operation: Operation, { more = {}, id = "" }: { more?: object; id?: string } = {}) {
    const { method, path, body: wanted } = operation;
    const ofPath = Object.entries(known).find(([begin]) => begin.startsWith("/") && path.startsWith(begin));
    const params: Json = { ...known, id: id || (ofPath?.[1] ?? "nothing-1") };
    const { query, body: example } = openApi.exampleOf(operation);
    const body = id === "" ? example : { ...(example as Json), id };
    const search = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name] ?? "x")));
    return ask(method, search === "" ? filled : `${filled}?${search}`, {
      type: wanted?.type,
      content: wanted === undefined ? undefined : encoded(wanted.type, body),
      more,
    });
  }

  async function provenAgo(minutes: number): Promise<void> {
    const database = await openDatabase({ ...placeOf(home), migrations: MIGRATIONS });
    const at = new Date(Date.now() - minutes * MINUTE).toISOString();
    await database.write<SessionTables, unknown>((db) => db.updateTable("session").set({ proven_at: at }).execute());
    await database.close();
  }

  const of = (isDeclared: boolean): Operation[] =>
    openApi.operations.filter(
      ({ method, path }) =>
        (declared.get(`${method} ${path}`) ?? false) === isDeclared && `${method} ${path}` !== AGAIN,
    );

  async function askedAmong(operations: readonly Operation[]): Promise<string[]> {
    const asked: string[] = [];
    for (const operation of operations) {
      if (await isAskedToSignIn(operation)) asked.push(`${operation.method} ${operation.path}`);
    }
    return asked;
  }

  test("after 16 minutes, every route that says so asks for it, and no other", async () => {
    const saying = of(true);
    expect(saying.length).toBe([...declared.values()].filter(Boolean).length);
    expect(saying.length).toBeGreaterThan(10);
    await provenAgo(16);
    expect(await askedAmong(saying)).toEqual(saying.map(({ method, path }) => `${method} ${path}`));
    const others = of(false).filter(({ method, path }) => !FAREWELLS.test(`${method} ${path}`));
    expect(await askedAmong(others)).toEqual([]);
    expect((await ask("GET", "/api/whoami")).status).toBe(200);
  });

  test("after 16 minutes, nobody is asked for it who goes: he ends his sessions, or his account, whenever he likes", async () => {
    const farewells = of(false).filter(({ method, path }) => FAREWELLS.test(`${method} ${path}`));
    // His account comes last.
    farewells.sort((a, b) => Number(a.path.endsWith("/me/delete")) - Number(b.path.endsWith("/me/delete")));
    const refused: string[] = [];
    for (const operation of farewells) {
      const { method, path } = operation;
      // To change roles takes an admin; the others bob does, each in a new session, about that session.
      const isAdmins = path.endsWith("/roles");
      const more = isAdmins ? {} : { cookie: await signIn() };
      const { text } = await ask("GET", "/api/sessions", { more });
      const current = (JSON.parse(text).sessions as Json[]).find(({ current }) => current === true);
      await provenAgo(16);
      const id = isAdmins || /account\/end-others|me\/delete|sign-out/.test(path) ? "" : String(current?.id);
      const { status } = await askAsIn(operation, { more, id });
      if (status !== 200 && status !== 303) refused.push(`${method} ${path}: ${status}`);
    }
    expect(farewells.length).toBeGreaterThan(5);
    expect(refused).toEqual([]);
  });

  test("after 14 minutes, none does", async () => {
    await provenAgo(14);
    expect(await askedAmong(of(true))).toEqual([]);
  });
});

const REFUSED = "recent_sign_in_required";

function codeOf(text: string): unknown {
  return (JSON.parse(text) as Json).code;
}

function placeOf({ path, place }: TestHome): DatabasePlace {
  return "postgres" in place ? place : { file: join(path, "server", DATABASE_FILE) };
}
