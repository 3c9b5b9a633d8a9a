import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { say, startScriptedModel } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { runBudgetCommand } from "../../budget-command.ts";
import { startServer, takeServerConfig } from "../../index.ts";
import { type Engine, engines } from "../../kit/engines.testing.ts";
import { send } from "../../testing.ts";
import { TestBrowser } from "../sign-in/browser.testing.ts";
import { NO_SIGN_IN } from "../sign-in/sign-in-config.ts";

const QUESTION = JSON.stringify({
  model: "claude-sonnet-5",
  max_tokens: 10,
  messages: [{ role: "user", content: "Hello" }],
});

type Key = { readonly key: string; readonly info: { readonly id: string; readonly owner: { readonly id: string } } };

/** Two servers on one database, and a person who is signed in at them. */
async function startTown(engine: Engine) {
  const home = await engine.create();
  const model = await startScriptedModel({ script: () => say("Hi.") });
  const start = async (name: string) => {
    // Servers of one PostgreSQL need not see each other's disks.
    const dataDirectory = home.postgres === undefined ? home.path : join(home.path, name);
    await mkdir(dataDirectory, { recursive: true });
    return startServer({
      config: takeServerConfig({
        LOOM_SERVER_ANTHROPIC_API_KEY: "sk-ant-key-of-the-tests",
        LOOM_SERVER_ANTHROPIC_BASE_URL: model.url,
      }),
      access: { type: "owner", tokenFile: join(home.path, "owner-token"), replace: false },
      dataDirectory,
      postgres: home.postgres,
      signIn: { ...NO_SIGN_IN, developmentUser: "ada@example.com" },
    });
  };
  const servers = await Promise.all([start("one"), start("two")]);
  const owner = (await readFile(join(home.path, "owner-token"), "utf8")).trim();
  const [url = "", other = ""] = servers.map((server) => server.url);
  const browser = new TestBrowser();
  await browser.open(`${url}/auth/development`);
  const jar = [...browser.jar("127.0.0.1")].map(([name, value]) => `${name}=${value}`).join("; ");
  const call = async <Body = unknown>(headers: Record<string, string>, method: string, path: string, body?: object) => {
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const all = { "content-type": "application/json", origin: url, ...headers };
    const answer = await fetch(url + path, { method, headers: all, ...text });
    return { status: answer.status, json: (await answer.json()) as Body };
  };
  return {
    url,
    other,
    home,
    owner,
    asPerson: <Body>(method: string, path: string, body?: object) => call<Body>({ cookie: jar }, method, path, body),
    asOwner: (method: string, path: string, body?: object) =>
      call({ authorization: `Bearer ${owner}`, "if-match": "*" }, method, path, body),
    /** Lets a program in that she has: gives the token of its session. */
    async signInProgram(): Promise<string> {
      const post = async <Body>(path: string, form: Readonly<Record<string, string>>) => {
        const answer = await fetch(url + path, { method: "POST", body: new URLSearchParams(form) });
        return (await answer.json()) as Body;
      };
      const client = { client_id: "a-program" };
      const device = await post<{ readonly device_code: string; readonly user_code: string }>(
        "/oauth/device_authorization",
        client,
      );
      await browser.submit(`${url}/device`, { user_code: device.user_code, decision: "allow" });
      const grant = { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: device.device_code };
      return (await post<{ readonly access_token: string }>("/oauth/token", { ...client, ...grant })).access_token;
    },
    models: (token: string) =>
      send(url, { method: "GET", path: "/openai/v1/models", headers: { authorization: `Bearer ${token}` } }),
    ask: (token: string, headers: Record<string, string> = {}, at = url) =>
      send(at, {
        method: "POST",
        path: "/proxy/anthropic/v1/messages",
        body: QUESTION,
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "anthropic-version": "2023-06-01",
          ...headers,
        },
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server.close()));
      await model.close();
      await home[Symbol.asyncDispose]();
    },
  };
}

describe.each(engines)("limits of people, on $name", (engine) => {
  test("hold for a user whichever of his keys is used, and for nobody else", async () => {
    await using town = await startTown(engine);
    const keyNamed = async (name: string) =>
      (await town.asPerson<Key>("POST", "/api/keys", { name, scopes: ["llm:use"] })).json;
    const [first, second] = [await keyNamed("one"), await keyNamed("two")];
    const limits = { requestsPerMinute: 1 };
    expect((await town.asOwner("PUT", `/api/budgets/user/${first.info.owner.id}`, limits)).status).toBe(200);
    const statuses = [];
    for (const token of [first.key, second.key, town.owner]) statuses.push((await town.ask(token)).status);
    expect(statuses).toEqual([200, 429, 200]);
    expect((await town.asOwner("PUT", "/api/budgets/galaxy/x", limits)).status).toBe(400);
  });

  test("hold for the teams that a person is in, at every server, by the API and by the command", async () => {
    await using town = await startTown(engine);
    const { asPerson, ask, home } = town;
    const madeAt = async (path: string, slug: string) =>
      (await asPerson<{ readonly id: string }>("POST", path, { slug, name: slug })).json.id;
    const acme = await madeAt("/api/orgs", "acme");
    const globex = await madeAt("/api/orgs", "globex");
    const [red, blue] = [await madeAt("/api/orgs/acme/teams", "red"), await madeAt("/api/orgs/acme/teams", "blue")];
    const { key, info } = (await asPerson<Key>("POST", "/api/keys", { name: "one", scopes: ["llm:use"] })).json;
    const enter = (slug: string) =>
      asPerson("PUT", `/api/orgs/acme/teams/${slug}/members/${info.owner.id}`, { role: "member" });
    expect([(await enter("red")).status, (await enter("blue")).status]).toEqual([200, 200]);

    // Nothing is left for the team red, and nobody gets round that by naming nobody.
    expect((await town.asOwner("PUT", `/api/budgets/team/${red}`, { totalMicroUsd: 0 })).status).toBe(200);
    const refused = await ask(key);
    expect([refused.status, refused.text]).toEqual([402, expect.stringContaining(red)]);
    expect((await ask(key, { "x-loom-organization": acme })).status).toBe(402);
    expect((await ask(key, { "x-loom-team": red })).status).toBe(402);
    expect((await ask(key, { "x-loom-team": blue })).status).toBe(200);
    expect((await ask(key, { "x-loom-organization": globex })).status).toBe(200);
    const stranger = await ask(key, { "x-loom-team": "team-of-others" });
    expect([stranger.status, stranger.text]).toEqual([403, expect.stringContaining("You belong to no team")]);
    expect((await ask(key, { "x-loom-team": blue, "x-loom-organization": acme })).status).toBe(400);
    expect((await ask(town.owner, { "x-loom-team": blue })).status).toBe(403);

    // What it spent is the team's and the organization's, and not that of those who were not named.
    const usage = async () => {
      const { json } = await town.asOwner("GET", "/api/usage?groupBy=node:team,outcome&outcome=completed");
      return (json as { readonly groups: readonly { readonly requests: number; readonly key: object }[] }).groups;
    };
    await until(async () => (await usage()).length > 0);
    expect(JSON.stringify(await usage())).toContain(blue);
    expect(JSON.stringify(await usage())).not.toContain(red);

    /** What stands in the books against an organization. */
    const chargedTo = async (id: string) => {
      const { json } = await town.asOwner("GET", "/api/usage?groupBy=node:organization");
      const { groups } = json as { readonly groups: readonly { readonly key: readonly string[] }[] };
      return groups.find(({ key }) => key.includes(id));
    };

    // What asks for a second factor pays nothing for her who has none, and she does not get round it by naming nobody.
    expect((await town.asOwner("PUT", `/api/budgets/organization/${acme}`, { totalMicroUsd: 0 })).status).toBe(200);
    expect((await ask(key)).status).toBe(402);
    const before = await chargedTo(acme);
    expect(before).toBeDefined();
    /** Her own rows of requests that were let through by nobody. */
    const refusals = async () => {
      const { json } = await town.asOwner("GET", "/api/usage?groupBy=node:user,outcome&outcome=refused");
      return (json as { readonly groups: readonly { readonly requests: number }[] }).groups[0]?.requests ?? 0;
    };
    const refusedBefore = await refusals();
    expect((await town.asOwner("PATCH", "/api/orgs/acme", { requireSecondFactor: true })).status).toBe(200);
    for (const token of [key, await town.signInProgram()]) {
      const { status, text } = await ask(token);
      expect([status, JSON.parse(text)]).toMatchObject([403, { type: "error", error: { type: "permission_error" } }]);
      expect(text).toContain(acme);
      expect(text).toMatch(
        /sign in with the second factor .*, or name another payer in the header X-Loom-Organization\./,
      );
      expect((await ask(token, { "x-loom-organization": acme })).status).toBe(403);
      expect((await ask(token, { "x-loom-team": blue })).status).toBe(403);
      // The other one's money is its own, and the list of models costs nobody anything.
      expect((await ask(token, { "x-loom-organization": globex })).status).toBe(200);
      expect((await town.models(token)).status).toBe(200);
    }
    expect(await refusals()).toBe(refusedBefore + 6);
    expect((await town.asOwner("PUT", `/api/budgets/organization/${globex}`, { totalMicroUsd: 0 })).status).toBe(200);
    expect((await ask(key, { "x-loom-organization": globex })).status).toBe(402);
    expect((await town.asOwner("DELETE", `/api/budgets/organization/${globex}`)).status).toBe(200);
    expect(await chargedTo(acme)).toEqual(before);
    expect((await town.asOwner("PATCH", "/api/orgs/acme", { requireSecondFactor: false })).status).toBe(200);
    expect((await town.asOwner("DELETE", `/api/budgets/organization/${acme}`)).status).toBe(200);

    // The same by the command, and lifted again.
    const place = ["--data", home.postgres === undefined ? home.path : join(home.path, "one")];
    const said: string[] = [];
    const output = { print: (text: string) => void said.push(text), say: (text: string) => void said.push(text) };
    await runBudgetCommand(["set", `team/${blue}`, "--budget", "total=0usd", ...place], { ...home.env }, output);
    await until(async () => (await ask(key, { "x-loom-team": blue })).status === 402);
    await runBudgetCommand(["list", ...place], { ...home.env }, output);
    expect(said.join("")).toContain(`team/${blue}`);
    await runBudgetCommand(["remove", `team/${blue}`, ...place], { ...home.env }, output);
    await until(async () => (await ask(key, { "x-loom-team": blue })).status === 200);
    await expect(runBudgetCommand(["show", `team/${blue}`, ...place], { ...home.env }, output)).rejects.toThrow(
      /no limits on/,
    );
    await expect(
      runBudgetCommand(["set", "galaxy/x", "--rpm", "1", ...place], { ...home.env }, output),
    ).rejects.toThrow(/KIND\/ID/);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
