// Every route of a server that stays, as its own OpenAPI document describes it, asked by all kinds of people.
import { Agent, request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestBrowser } from "./features/sign-in/browser.testing.ts";
import { type SignInServer, startSignInServer } from "./features/sign-in/sign-in.testing.ts";
import { headerOf, newThreadId } from "./features/threads/threads.testing.ts";
import { engines, type TestHome } from "./kit/engines.testing.ts";
import { encoded, FAREWELLS, type Json, OpenApi, type Operation } from "./openapi.testing.ts";
import { type Break, breaksOf } from "./schema-breaks.testing.ts";
import { type Asked, anyRequest, MAX_SEGMENT } from "./schema-fuzz.testing.ts";
import type { Answer } from "./testing.ts";

/** Who asks, and by which headers he is known. */
type Asker = { readonly name: string; readonly headers: Readonly<Record<string, string>> };

/** What is wrong is said in the words of another standard (RFC 6749, 5.2), or in no words, by the end of a redirect. */
const OTHER_WORDS = /^\/(?:oauth|\.well-known|device)/;

/** How zod says it; ours are the sentences of `field-errors.ts` and those in the schemas. */
const ZODS_WORDS =
  /Invalid|Too (?:big|small)|expected|received|Unrecognized|NaN|is not what it has to be|something else/;

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestHome;
  let server: SignInServer;
  let openApi: OpenApi;
  let known: Readonly<Record<string, string>> = {};
  const agent = new Agent({ keepAlive: true });
  const askers: Asker[] = [];

  beforeAll(async () => {
    home = await engine.create();
    // The first is the system admin; the last comes and goes as the others like.
    const ids: Record<string, string> = {};
    for (const name of ["ada", "bob", "carol"]) {
      await server?.[Symbol.asyncDispose]();
      server = await startSignInServer(home, { LOOM_SERVER_DEV_USER: `${name}@example.com` });
      const browser = new TestBrowser();
      await browser.open(`${server.url}/auth/development`);
      const cookie = [...browser.jar("127.0.0.1")].map((pair) => pair.join("=")).join("; ");
      const headers = { cookie, origin: server.url };
      if (name !== "carol") askers.push({ name, headers });
      ids[name] = String(json(await ask({ name, headers }, "GET", "/api/whoami")).id);
    }
    const own = askers.map((each) => ({ ...each, headers: { ...each.headers, origin: server.url } }));
    askers.splice(
      0,
      askers.length,
      ...own,
      { name: "owner", headers: ownersHeaders() },
      { name: "nobody", headers: {} },
    );
    openApi = new OpenApi(json(await ask(asker("owner"), "GET", "/api/openapi.json")));
    known = await furnish(ids);
  });
  afterAll(async () => {
    agent.destroy();
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  function asker(name: string): Asker {
    const found = askers.find((each) => each.name === name);
    if (found === undefined) throw new Error(`There is no ${name}.`);
    return found;
  }

  function ownersHeaders(): Record<string, string> {
    return { authorization: `Bearer ${server.token}` };
  }

  /** Something of each kind that paths name, so that requests come as far as to be read. */
  async function furnish(ids: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const [ada, bob] = [asker("ada"), asker("bob")];
    const made = async (by: Asker, method: string, path: string, body: unknown, headers = {}): Promise<Json> => {
      const answer = await ask(by, method, path, { body, headers });
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`);
      return json(answer);
    };
    const idOf = (thing: unknown): string => String((thing as Json).id);
    await made(ada, "POST", "/api/orgs", { slug: "acme", joinPolicy: "request" });
    await made(ada, "POST", "/api/orgs/acme/teams", { slug: "web" });
    await made(bob, "POST", "/api/orgs/acme/join", {});
    const { requests } = await made(ada, "GET", "/api/orgs/acme/join-requests", undefined);
    const { invitation, token } = await made(ada, "POST", "/api/orgs/acme/invitations", { email: "eve@example.com" });
    const { info } = await made(ada, "POST", "/api/keys", { name: "ci" });
    const thread = newThreadId();
    const text = { records: [headerOf(thread)] };
    await made(ada, "PUT", `/api/threads/${thread}`, text, { "if-none-match": "*" });
    return {
      org: "acme",
      team: "web",
      user: ids.carol ?? "",
      provider: "default",
      kind: "token",
      name: "one",
      domain: "example.com",
      token: String(token),
      sha256: "ab".repeat(32),
      "/api/users/{id}": "bob",
      "/api/budgets/{kind}/{id}": "owner",
      "/api/orgs/{org}/invitations/{id}": idOf(invitation),
      "/api/orgs/{org}/join-requests/{id}": idOf((requests as readonly unknown[])[0]),
      "/api/keys/{id}": idOf(info),
      "/api/threads/{id}": thread,
    };
  }

  function knownOf({ path }: Operation): Json {
    const ofPath = Object.entries(known).find(([begin]) => begin.startsWith("/") && path.startsWith(begin));
    return { ...known, ...(ofPath === undefined ? {} : { id: ofPath[1] }) };
  }

  function ask(
    { headers }: Asker,
    method: string,
    path: string,
    { body, type = "application/json", headers: more = {} }: { body?: unknown; type?: string; headers?: object } = {},
  ): Promise<Answer> {
    const content = body === undefined ? undefined : encoded(type, body);
    const all = {
      ...headers,
      ...(content === undefined ? {} : { "content-type": type, "content-length": String(Buffer.byteLength(content)) }),
      "if-match": "*",
      ...more,
    };
    if ("if-none-match" in all) delete (all as { "if-match"?: string })["if-match"];
    return new Promise((resolve, reject) => {
      const outgoing = request(server.url + path, { method, headers: all, agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        const { headers: told, statusCode: status = 0 } = response;
        response.once("error", reject);
        response.once("end", () => resolve({ status, headers: told, text: Buffer.concat(chunks).toString("utf8") }));
        if (!told["content-type"]?.startsWith("text/event-stream")) return;
        // What lasts has begun well: that is all there is to know.
        resolve({ status, headers: told, text: "" });
        outgoing.destroy();
      });
      outgoing.once("error", reject);
      outgoing.end(content);
    });
  }

  function send(as: Asker, { operation, params, query, body }: Asked): Promise<Answer> {
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => segment(params[name]));
    const search = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, short(String(value))]),
    ).toString();
    const { method, body: wanted } = operation;
    return ask(as, method, search === "" ? path : `${path}?${search}`, {
      ...(method === "GET" || wanted === undefined ? {} : { body: body ?? null, type: wanted.type }),
    });
  }

  /** What every answer is, whatever was asked. */
  function expectSound(asked: Pick<Asked, "operation">, { status, headers, text }: Answer): void {
    const { method, path, isPage } = asked.operation;
    const what = `${method} ${path} ${status} ${text.slice(0, 300)}`;
    expect(status, what).toBeLessThan(500);
    if (status < 400) return;
    expect(text.length, what).toBeLessThan(100_000);
    if (OTHER_WORDS.test(path) && headers["content-type"]?.startsWith("application/json")) return;
    if (isPage && headers["content-type"]?.startsWith("text/html")) return;
    expect(headers["content-type"], what).toBe("application/problem+json");
    if (path.startsWith("/api/openapi")) return;
    expect(JSON.parse(text), what).toMatchObject({
      status,
      instance: headers["x-request-id"],
      code: expect.any(String),
    });
    expect(text, what).not.toMatch(ZODS_WORDS);
  }

  test("an input that breaks its schema in one place is refused, in a sentence about that field", async () => {
    const all = openApi.operations.flatMap((operation) => breaksOf(openApi, operation));
    expect(all.length).toBeGreaterThan(500);
    // Of each operation, the first who comes as far as to be read; the others have to be turned away soundly.
    const readers = new Map<Operation, Asker>();
    const silent: string[] = [];
    for (const each of all) {
      const { operation, field, what } = each;
      const asked = { ...each, params: knownOf(operation) };
      const answer = await tried(asked, readers);
      const told = OTHER_WORDS.test(operation.path) || operation.isPage ? true : names(answer, field);
      if (!told)
        silent.push(`${operation.method} ${operation.path}, ${field} ${what}: ${answer.status} ${answer.text}`);
    }
    expect(silent).toEqual([]);
  });

  async function tried(asked: Asked & Break, readers: Map<Operation, Asker>): Promise<Answer> {
    const reader = readers.get(asked.operation);
    let answer: Answer | undefined;
    for (const as of reader === undefined ? askers : [reader]) {
      answer = await send(as, asked);
      expectSound(asked, answer);
      if (!readers.has(asked.operation) && ![401, 403, 404].includes(answer.status)) readers.set(asked.operation, as);
      if (readers.has(asked.operation)) break;
    }
    if (answer === undefined) throw new Error("Somebody asks.");
    return answer;
  }

  test("whatever else one asks, nothing fails and every refusal is a problem document", async () => {
    const lasting = openApi.operations.filter(({ method, path }) => !FAREWELLS.test(`${method} ${path}`));
    const byAnybody = fc.record({ as: fc.constantFrom(0, 1, 2, 3), asked: anyRequest(openApi, lasting, knownOf) });
    const byOthers = fc.record({ as: fc.constantFrom(2, 3), asked: anyRequest(openApi, openApi.operations, knownOf) });
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 9, arbitrary: byAnybody }, byOthers), async ({ as, asked }) => {
        const by = askers[as];
        if (by === undefined) return;
        const answer = await send(by, asked);
        seen.add(answer.status);
        expectSound(asked, answer);
      }),
      { numRuns: 600, seed: 4 },
    );
    // It came as far as to do something, and whoever was signed in still is.
    expect([200, 201, 400, 401, 403, 404].filter((status) => !seen.has(status))).toEqual([]);
    for (const name of ["ada", "bob"]) expect((await ask(asker(name), "GET", "/api/whoami")).status).toBe(200);
  });
});

function names({ status, text }: Answer, field: string): boolean {
  if (status !== 400 && status !== 422) return false;
  const { errors = [] } = JSON.parse(text) as { readonly errors?: readonly { readonly field: string }[] };
  return errors.some((each) => each.field === field);
}

function json({ text }: Answer): Json {
  return JSON.parse(text) as Json;
}

/** Short enough for a request line. */
function short(text: string): string {
  return text.slice(0, MAX_SEGMENT).toWellFormed();
}

function segment(value: unknown): string {
  const text = encodeURIComponent(short(String(value ?? "x")));
  return text === "" || text === "." || text === ".." ? "x" : text;
}
