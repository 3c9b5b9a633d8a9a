import { join } from "node:path";
import type { DomainClaim, DomainClaimList, Problem } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { engines, type TestHome, testDatabase } from "../../kit/engines.testing.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { TestBrowser } from "./browser.testing.ts";
import { directoryInbox, signInByMail } from "./by-mail.testing.ts";
import { createDomainClaims } from "./domain-claims.ts";
import { createDomains } from "./domains.ts";
import { migrations } from "./migrations.ts";
import { startNameServer, type TestNameServer } from "./name-server.testing.ts";
import { CLIENT, type RealProvider, startRealProvider } from "./real-provider.testing.ts";
import { type SignInServer, startSignInServer } from "./sign-in.testing.ts";
import { createTxtReader } from "./txt-records.ts";

const DAY_MS = 86_400_000;

describe.each(engines)("a claim on $name", { timeout: 60_000 }, (engine) => {
  async function start() {
    let now = Date.UTC(2026, 10, 20);
    const home = await testDatabase(engine, [{ feature: "sign-in", migrations }]);
    const names = await startNameServer();
    const opened = await home.open();
    const database = async () => opened;
    const states = new Map<string, "deleted" | "gone">();
    const organizations = { stateOf: async (id: string) => states.get(id) ?? "there" } as const;
    const claims = createDomainClaims({
      database,
      readTxt: createTxtReader([names.address]),
      domainsOf: (provider) => ({ okta: [], corp: ["corp.example"] })[provider],
      organizations,
      wall: () => now,
    });
    /** Puts the record where it belongs. */
    const publish = ({ record: { name, value } }: DomainClaim) => void names.records.set(name, [[value]]);
    return {
      claims,
      names,
      publish,
      states,
      domains: createDomains(database, organizations),
      pass(ms: number) {
        now += ms;
      },
      async proven(organization: string, domain: string): Promise<DomainClaim> {
        publish((await claims.claim(organization, domain)).claim);
        return claims.prove(organization, domain);
      },
      async [Symbol.asyncDispose]() {
        await names[Symbol.asyncDispose]();
        await home[Symbol.asyncDispose]();
      },
    };
  }

  const refused = (code: string, detail: RegExp) => ({
    name: "ProblemError",
    problem: expect.objectContaining({ code, detail: expect.stringMatching(detail) }),
  });

  test("is proven by its record, in one piece or several, and by no other", async () => {
    await using world = await start();
    const { claim } = await world.claims.claim("org-1", "example.com");
    expect(claim).toMatchObject({
      state: "claimed",
      record: { name: "_loom-challenge.example.com", type: "TXT" },
      version: 1,
    });
    const prove = () => world.claims.prove("org-1", "example.com");
    await expect(prove()).rejects.toMatchObject(
      refused("conflict", /needs a TXT record that says loom-challenge=\S+; there is none/),
    );
    world.names.records.set(claim.record.name, [["v=spf1 -all"], ["loom-challenge=another"]]);
    await expect(prove()).rejects.toMatchObject(refused("conflict", /those there say otherwise/));
    world.names.broken = true;
    await expect(prove()).rejects.toMatchObject(refused("unavailable", /could not be asked for \(ESERVFAIL\)/));
    world.names.broken = false;
    const { value } = claim.record;
    world.names.records.set(claim.record.name, [["v=spf1 -all"], [value.slice(0, 20), value.slice(20)]]);
    expect(await prove()).toMatchObject({
      state: "proven",
      expiresAt: null,
      provider: null,
      forced: false,
      version: 2,
    });
    expect(new Set(world.names.asked)).toEqual(new Set(["_loom-challenge.example.com"]));
    expect(await world.domains.ofAddress("ada@Example.com")).toMatchObject({ organization: "org-1", forced: false });
  });

  test("is over after a week, and the next one has another record", async () => {
    await using world = await start();
    const { claim } = await world.claims.claim("org-1", "example.com");
    expect(await world.claims.claim("org-1", "example.com")).toEqual({ claim, isNew: false });
    world.pass(7 * DAY_MS);
    world.publish(claim);
    await expect(world.claims.prove("org-1", "example.com")).rejects.toMatchObject(refused("not_found", /claim it/));
    await world.claims.removeExpired();
    expect(await world.claims.list("org-1", { limit: 10 })).toEqual([]);
    const again = await world.claims.claim("org-1", "example.com");
    expect(again.isNew).toBe(true);
    expect(again.claim.record.value).not.toBe(claim.record.value);
    await expect(world.claims.prove("org-1", "example.com")).rejects.toThrow(ProblemError);
    // What is proven stays.
    world.publish(again.claim);
    await world.claims.prove("org-1", "example.com");
    world.pass(70 * DAY_MS);
    await world.claims.removeExpired();
    expect(await world.claims.get("org-1", "example.com")).toMatchObject({ state: "proven" });
  });

  test("of a domain that another organization has proven is refused, before and after it was claimed", async () => {
    await using world = await start();
    const { claim } = await world.claims.claim("org-2", "example.com");
    await world.proven("org-1", "example.com");
    world.publish(claim);
    const taken = refused("conflict", /belongs to another organization/);
    await expect(world.claims.prove("org-2", "example.com")).rejects.toMatchObject(taken);
    await expect(world.claims.claim("org-3", "example.com")).rejects.toMatchObject(taken);
    expect(await world.domains.ofAddress("ada@example.com")).toMatchObject({ organization: "org-1" });
    const { version } = await world.claims.get("org-1", "example.com");
    await world.claims.remove("org-1", "example.com", version);
    expect(await world.domains.ofAddress("ada@example.com")).toBeUndefined();
    expect(await world.claims.prove("org-2", "example.com")).toMatchObject({ state: "proven" });
  });

  test("of an organization that is deleted counts no more, is free, and goes when it is gone", async () => {
    await using world = await start();
    await world.proven("org-1", "example.com");
    await world.proven("org-1", "example.net");
    await world.claims.rule("org-1", "example.com", { provider: "okta", forced: true }, undefined);
    for (const domain of ["example\u3002com", "\uff45xample.com", "exa\u00admple.com"]) {
      expect(await world.domains.ofAddress(`ada@${domain}`)).toMatchObject({ domain: "example.com", forced: true });
    }
    world.states.set("org-1", "deleted");
    expect(await world.domains.ofAddress("ada@example.com")).toBeUndefined();
    await world.domains.removeGone();
    world.states.delete("org-1");
    expect(await world.domains.ofAddress("ada@example.com")).toMatchObject({ organization: "org-1", forced: true });
    world.states.set("org-1", "deleted");
    await world.proven("org-2", "example.com");
    expect(await world.domains.ofAddress("ada@example.com")).toMatchObject({ organization: "org-2", forced: false });
    world.states.delete("org-1");
    await expect(world.claims.get("org-1", "example.com")).rejects.toMatchObject(refused("not_found", /claim it/));
    world.states.set("org-1", "gone");
    await world.domains.removeGone();
    expect(await world.claims.list("org-1", { limit: 10 })).toEqual([]);
    expect((await world.domains.list({ limit: 10 })).map(({ domain }) => domain)).toEqual(["example.com"]);
  });

  test("of two who prove the same domain at once one has it", async () => {
    await using world = await start();
    const [one, two] = [
      await world.claims.claim("org-1", "example.com"),
      await world.claims.claim("org-2", "example.com"),
    ];
    world.names.records.set(one.claim.record.name, [[one.claim.record.value], [two.claim.record.value]]);
    const both = await Promise.allSettled(["org-1", "org-2"].map((each) => world.claims.prove(each, "example.com")));
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test.each([
    "gmail.com",
    "outlook.com",
    "proton.me",
    "localhost",
    "-x.example",
    "a b.example",
    "_loom.example",
    "b\u00fccher.example",
    `${"a".repeat(64)}.example`,
  ])("of %j is none", async (domain) => {
    await using world = await start();
    await expect(world.claims.claim("org-1", domain)).rejects.toMatchObject(
      refused("invalid_input", /^The field domain is wrong/),
    );
    expect(world.names.asked).toEqual([]);
  });

  test("an organization has at most fifty", async () => {
    await using world = await start();
    for (let index = 0; index < 50; index += 1) await world.claims.claim("org-1", `d${index}.example`);
    await expect(world.claims.claim("org-1", "more.example")).rejects.toMatchObject(refused("conflict", /at most 50/));
    expect((await world.claims.claim("org-2", "more.example")).isNew).toBe(true);
    world.pass(7 * DAY_MS);
    expect((await world.claims.claim("org-1", "more.example")).isNew).toBe(true);
  });

  test("a provider is forced only where the domain is proven, the provider is set up and is believed about it", async () => {
    await using world = await start();
    const rule = (wish: { provider?: string | null; forced?: boolean }, version?: number) =>
      world.claims.rule("org-1", "example.com", wish, version);
    await world.claims.claim("org-1", "example.com");
    await expect(rule({ provider: "okta" })).rejects.toMatchObject(refused("conflict", /not proven yet/));
    await world.proven("org-1", "example.com");
    await expect(rule({ forced: true })).rejects.toMatchObject(
      refused("invalid_input", /forced is wrong: needs a provider/),
    );
    await expect(rule({ provider: "nowhere" })).rejects.toMatchObject(refused("invalid_input", /none that is set up/));
    await expect(rule({ provider: "corp" })).rejects.toMatchObject(refused("invalid_input", /not believed about/));
    await expect(rule({ provider: "okta" }, 1)).rejects.toMatchObject(refused("version_mismatch", /version 2/));
    const { before, after } = await rule({ provider: "okta", forced: true }, 2);
    expect([before.forced, after.forced, after.provider, after.version]).toEqual([false, true, "okta", 3]);
    expect(await world.domains.ofAddress("a@example.com")).toMatchObject({ provider: "okta", forced: true });
    await expect(rule({ provider: null })).rejects.toMatchObject(refused("invalid_input", /needs a provider/));
    await rule({ provider: null, forced: false });
    expect(await world.domains.ofAddress("a@example.com")).toMatchObject({ forced: false });
  });

  test("what an administrator of the server has said is overwritten by nobody who has not seen it", async () => {
    await using world = await start();
    const { version } = await world.proven("org-1", "example.com");
    const wish = { domain: "example.com", organization: "org-1", provider: "okta", forced: true };
    await world.domains.put(wish, "2026-11-20T00:00:00.000Z");
    const late = world.claims.rule("org-1", "example.com", { provider: null, forced: false }, version);
    await expect(late).rejects.toMatchObject(refused("version_mismatch", /version 3/));
    expect(await world.domains.ofAddress("a@example.com")).toMatchObject({ forced: true });
    expect(await world.domains.remove("example.com")).toBe(true);
    await expect(world.claims.remove("org-1", "example.com", version + 1)).rejects.toMatchObject(
      refused("version_mismatch", /version 4/),
    );
  });

  test("an administrator of the server gives it to another organization all the same", async () => {
    await using world = await start();
    await world.proven("org-1", "example.com");
    await world.domains.put(
      { domain: "example.com", organization: "org-2", provider: "okta", forced: true },
      "2026-11-20T00:00:00.000Z",
    );
    const mine = await world.claims.get("org-1", "example.com");
    expect(mine).toMatchObject({ state: "claimed", provider: null, forced: false });
    await expect(world.claims.rule("org-1", "example.com", { provider: "okta" }, undefined)).rejects.toMatchObject(
      refused("conflict", /not proven/),
    );
    await world.claims.remove("org-1", "example.com", undefined);
    expect(await world.domains.ofAddress("a@example.com")).toMatchObject({ organization: "org-2", forced: true });
  });
});

describe.each(engines)("on $name", { timeout: 120_000 }, (engine) => {
  let home: TestHome;
  let names: TestNameServer;
  let okta: RealProvider;
  let server: SignInServer;
  let ada: TestBrowser;

  beforeEach(async () => {
    home = await engine.create();
    names = await startNameServer();
    okta = await startRealProvider({ name: "okta", loom: () => server.url });
    server = await startSignInServer(home, {
      LOOM_SERVER_MAIL_DIRECTORY: join(home.path, "mail"),
      LOOM_SERVER_DNS_SERVERS: names.address,
      LOOM_SERVER_OKTA_DOMAIN: okta.issuer,
      LOOM_SERVER_OKTA_CLIENT_ID: CLIENT.id,
      LOOM_SERVER_OKTA_CLIENT_SECRET: CLIENT.secret,
    });
    // The first runs the server; those that the test is about do not.
    await signIn("root@other.example");
    ada = await signIn("ada@corp.example");
    expect((await ask(ada, "POST", "/api/orgs", { slug: "acme" })).status).toBe(201);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await okta[Symbol.asyncDispose]();
    await names[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const signIn = (address: string) => signInByMail(server.url, directoryInbox(join(home.path, "mail")), address);

  async function ask<Body = Problem>(as: TestBrowser, method: string, path: string, body?: unknown, ifMatch?: string) {
    const cookie = [...as.jar("127.0.0.1")].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...{ cookie, origin: server.url },
        ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, etag: response.headers.get("etag"), json: (await response.json()) as Body };
  }

  test("an owner claims a domain, proves it, and forces its people to the organization's provider", async () => {
    const path = "/api/orgs/acme/domains";
    const claimed = await ask<DomainClaim>(ada, "POST", path, { domain: "Corp.example" });
    expect([claimed.status, claimed.etag, claimed.json.state]).toEqual([201, '"1"', "claimed"]);
    expect((await ask(ada, "POST", `${path}/corp.example/prove`)).status).toBe(409);
    const { name, value } = claimed.json.record;
    names.records.set(name, [[value]]);
    const proven = await ask<DomainClaim>(ada, "POST", `${path}/CORP.example/prove`);
    expect([proven.status, proven.etag, proven.json.state]).toEqual([200, '"2"', "proven"]);
    const rule = { provider: "okta", forced: true };
    expect((await ask(ada, "PATCH", `${path}/corp.example`, rule)).status).toBe(428);
    expect((await ask(ada, "PATCH", `${path}/corp.example`, rule, '"1"')).status).toBe(412);
    const forced = await ask<DomainClaim>(ada, "PATCH", `${path}/corp.example`, rule, '"2"');
    expect([forced.status, forced.json.forced]).toEqual([200, true]);
    const listed = await ask<DomainClaimList>(ada, "GET", path);
    expect(listed.json).toEqual({ domains: [forced.json], nextCursor: null });

    // Whoever has the domain comes in with Okta, and in no other way.
    const bob = new TestBrowser();
    okta.person = { sub: "bob", email: "bob@corp.example", email_verified: true };
    expect((await bob.open(`${server.url}/auth/login/okta`)).url).toBe(`${server.url}/auth/account`);
    const start = await new TestBrowser().open(`${server.url}/auth/start?email=bob@corp.example`);
    expect(start.text).toContain("Continue with Okta");
    await new TestBrowser().submit(`${server.url}/auth/magic-link`, { email: "bob@corp.example" });
    expect(await directoryInbox(join(home.path, "mail"))("bob@corp.example")).toEqual([]);

    const { events } = (await server.call("GET", "/api/admin/audit?family=domain")).json as { events: object[] };
    expect(events.map((each) => (each as { event: string }).event).sort()).toEqual([
      "domain.added",
      "domain.changed",
      "domain.verified",
    ]);
    const removed = await ask(ada, "DELETE", `${path}/corp.example`, undefined, '"3"');
    expect(removed.status).toBe(200);
    expect((await ask(ada, "GET", `${path}/corp.example`)).status).toBe(404);
  });

  test("members, strangers and keys neither see nor claim domains", async () => {
    const eve = await signIn("eve@other.example");
    expect((await server.call("PUT", "/api/orgs/acme/members/eve", { role: "member" })).status).toBe(200);
    const { json } = await ask<{ key: string }>(ada, "POST", "/api/orgs/acme/keys", {
      name: "ci",
      scopes: ["org:manage"],
    });
    for (const [method, body] of [
      ["GET", undefined],
      ["POST", { domain: "corp.example" }],
    ] as const) {
      expect((await ask(eve, method, "/api/orgs/acme/domains", body)).status).toBe(404);
      const byKey = await fetch(`${server.url}/api/orgs/acme/domains`, {
        method,
        headers: { authorization: `Bearer ${json.key}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      expect(byKey.status).toBe(404);
    }
  });
});
