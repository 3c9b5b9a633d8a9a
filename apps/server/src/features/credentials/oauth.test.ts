import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startServer, takeServerConfig } from "../../index.ts";
import { connectDatabase, type Database } from "../../kit/database.ts";
import { engines } from "../../kit/engines.testing.ts";
import { startUpstream, type TestUpstream } from "../gateway/upstream.testing.ts";
import { ANSWER, startHouse, type TestHouse } from "./credentials.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let upstream: TestUpstream;
  let endpoint: TestUpstream;
  let house: TestHouse;
  let watcher: Database;
  /** The refresh token that is good for one use, as strict servers have it. */
  let valid: string;
  let issued: number;
  /** How long a token is on its way. */
  let delayMs: number;
  /** Instead of a token. */
  let refuse: ((response: ServerResponse) => void) | undefined;
  /** Access tokens that the provider does not take. */
  let revoked: Set<string>;
  /** What the database knew when the provider saw a request. */
  let revisions: number[];

  beforeEach(async () => {
    [valid, issued, refuse, revoked, revisions] = ["refresh-0-of-the-tests", 0, undefined, new Set(), []];
    delayMs = 0;
    endpoint = await startUpstream((response, request) => {
      const form = new URLSearchParams(request.body.toString("utf8"));
      if (refuse !== undefined) return refuse(response);
      if (form.get("refresh_token") !== valid) return json(response, 400, { error: "invalid_grant" });
      issued += 1;
      valid = `refresh-${issued}-of-the-tests`;
      const answer = { access_token: `access-${issued}`, expires_in: 3600, refresh_token: valid, scope: "all" };
      setTimeout(() => json(response, 200, answer), delayMs);
    });
    upstream = await startUpstream((response, { headers }) => {
      const key = String(headers.authorization);
      void newestSecret().then((revision) => {
        revisions.push(revision);
        if (revoked.has(key)) json(response, 401, { error: { message: "no" } });
        else response.writeHead(200, { "content-type": "application/json" }).end(ANSWER);
      });
    });
    house = await startHouse({ LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url }, engine);
    watcher = await connectDatabase(house.home.place);
  });

  afterEach(async () => {
    await watcher.close();
    await house[Symbol.asyncDispose]();
    await upstream.close();
    await endpoint.close();
  });

  async function newestSecret(): Promise<number> {
    const newest = watcher
      .tables<{ credential: { secret_revision: number } }>()
      .selectFrom("credential")
      .select(({ fn }) => fn.max("secret_revision").as("revision"));
    return (await newest.executeTakeFirst())?.revision ?? 0;
  }

  function json(response: ServerResponse, status: number, body: object): void {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  async function add(label: string, secret: object): Promise<void> {
    const body = { provider: "anthropic", label, secret };
    const { status, text } = await house.call("POST", "/api/admin/credentials", body);
    expect([status, text]).toEqual([201, expect.anything()]);
  }

  const account = (more: object = {}) => ({
    type: "oauth",
    refreshToken: "refresh-0-of-the-tests",
    tokenEndpoint: `${endpoint.url}/token`,
    clientId: "client-of-the-tests",
    ...more,
  });

  const tokensUsed = () => upstream.seen.map(({ headers }) => headers.authorization ?? headers["x-api-key"]);

  test("requests that need a new access token wait for one refresh, which is kept before it is used", async () => {
    await add("account", account({ clientSecret: "secret-of-the-tests" }));
    const answers = await Promise.all(Array.from({ length: 8 }, () => house.ask()));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(tokensUsed()).toEqual(Array(8).fill("Bearer access-1"));
    expect(revisions).toEqual(Array(8).fill(2));
    expect(endpoint.seen).toHaveLength(1);
    const form = Object.fromEntries(new URLSearchParams(endpoint.seen[0]?.body.toString("utf8")));
    expect(form).toEqual({
      grant_type: "refresh_token",
      refresh_token: "refresh-0-of-the-tests",
      client_id: "client-of-the-tests",
      client_secret: "secret-of-the-tests",
    });
    expect(await house.one("account")).toMatchObject({ kind: "oauth", expiresAt: expect.stringMatching(/^20/) });
    await house.restart();
    await house.ask();
    expect(endpoint.seen).toHaveLength(1);
    expect(tokensUsed().at(-1)).toBe("Bearer access-1");
  });

  test("an access token that is still good is used as it is", async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    await add("account", account({ accessToken: "access-0", expiresAt }));
    await house.ask();
    expect(tokensUsed()).toEqual(["Bearer access-0"]);
    expect(endpoint.seen).toHaveLength(0);
  });

  test("a token that the provider has revoked is refreshed; one that is refused when it is new, disables", async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    await add("account", account({ accessToken: "access-0", expiresAt }));
    revoked.add("Bearer access-0");
    expect((await house.ask()).status).toBe(502);
    expect((await house.ask()).status).toBe(200);
    expect(await house.one("account")).toMatchObject({ state: "available" });
    revoked.add("Bearer access-1");
    await house.ask();
    expect(await house.one("account")).toMatchObject({
      state: "disabled",
      reason: "The provider refused it (HTTP 401).",
    });
  });

  test("a refresh token that is void disables the credential with an alert", async () => {
    valid = "another";
    await add("account", account());
    expect((await house.ask()).status).toBe(502);
    expect(await house.one("account")).toMatchObject({
      state: "disabled",
      reason: expect.stringMatching(
        /^The token endpoint 127\.0\.0\.1:\d+ refused the refresh token \(invalid_grant\): sign in again\.$/,
      ),
    });
    const metrics = (await house.call("GET", "/metrics")).text;
    expect(metrics).toContain('loom_gateway_credential_alerts_total{provider="anthropic"} 1');
    expect((await house.ask()).status).toBe(502);
    expect(upstream.seen).toHaveLength(0);
  });

  test("while the token endpoint is in trouble, others stand in, and nothing is disabled", async () => {
    refuse = (response) => json(response, 503, { error: "invalid_grant" });
    await add("account", account());
    await add("key", { type: "api_key", key: "key-of-the-tests" });
    for (let round = 0; round < 3; round += 1) expect((await house.ask()).status).toBe(200);
    expect(new Set(tokensUsed())).toEqual(new Set(["key-of-the-tests"]));
    expect(await house.one("account")).toMatchObject({ state: "available" });
  });

  test("an answer that is no token, or leads elsewhere, is no token", async () => {
    await add("account", account());
    for (const answer of [
      { status: 200, headers: {}, body: "{}" },
      { status: 200, headers: {}, body: `{"access_token":"a b\\r\\nx-evil: 1"}` },
      { status: 200, headers: {}, body: "x".repeat(100_000) },
      { status: 302, headers: { location: `${upstream.url}/steal` }, body: "" },
    ]) {
      refuse = (response) => void response.writeHead(answer.status, answer.headers).end(answer.body);
      expect((await house.ask()).status).toBe(502);
      // The pause after a failure.
      await house.restart();
    }
    expect(upstream.seen).toHaveLength(0);
    refuse = undefined;
    expect((await house.ask()).status).toBe(200);
  });

  test("what another process has refreshed is taken, and not refreshed again", async () => {
    await add("account", account());
    const other = await import("./other-process.testing.ts");
    await other.refreshElsewhere(house.home, { accessToken: "access-other", refreshToken: "refresh-other" });
    valid = "refresh-other";
    expect((await house.ask()).status).toBe(200);
    expect(tokensUsed()).toEqual(["Bearer access-other"]);
    expect(endpoint.seen).toHaveLength(0);
  });

  test("of two servers one uses the refresh token, and the other waits for what comes for it", async () => {
    delayMs = 500;
    await add("account", account());
    const beside = await startServer({
      config: takeServerConfig({ LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url }),
      access: { type: "owner", tokenFile: join(house.directory, "owner-token"), replace: false },
      dataDirectory: house.directory,
      postgres: house.home.postgres,
      log: { level: "error", destination: { file: join(house.directory, "beside.log") } },
    });
    try {
      const statuses = await Promise.all(
        [house.ask(), house.askAt(beside.url)].map(async (asked) => (await asked).status),
      );
      expect(statuses).toEqual([200, 200]);
    } finally {
      await beside.close();
    }
    expect(endpoint.seen).toHaveLength(1);
    expect(tokensUsed()).toEqual(["Bearer access-1", "Bearer access-1"]);
    expect(await house.one("account")).toMatchObject({ state: "available" });
  });

  test("a server that died on its way to the token endpoint is waited for, and no longer than a minute", async () => {
    await add("account", account());
    const credentials = watcher.tables<{ credential: { refreshing_until: number } }>().updateTable("credential");
    await credentials.set({ refreshing_until: Date.now() + 1_000 }).execute();
    expect((await house.ask()).status).toBe(200);
    // As a clock that has been set back leaves it.
    revoked.add("Bearer access-1");
    await credentials.set({ refreshing_until: Date.now() + 3_600_000 }).execute();
    await house.restart();
    await house.ask();
    expect((await house.ask()).status).toBe(200);
  });

  test("one that is removed while another server is on its way is not waited for, and its refresh token is not used", async () => {
    await add("account", account());
    await watcher
      .tables<{ credential: { refreshing_until: number } }>()
      .updateTable("credential")
      .set({ refreshing_until: Date.now() + 50_000 })
      .execute();
    const asked = house.ask();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { id = "" } = (await house.one("account")) ?? {};
    expect((await house.call("DELETE", `/api/admin/credentials/${id}`)).status).toBe(200);
    // A provider at another address is asked without a credential where there is none.
    expect((await asked).status).toBe(200);
    expect(tokensUsed()).toEqual([undefined]);
    expect(endpoint.seen).toHaveLength(0);
  });

  test("a server that is stopped in the middle of a refresh keeps what comes for it", async () => {
    await add("account", account());
    delayMs = 300;
    const asked = house.ask();
    while (endpoint.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await house.restart();
    expect((await asked).status).toBeGreaterThan(500);
    expect((await house.ask()).status).toBe(200);
    expect(tokensUsed()).toEqual(["Bearer access-1"]);
    expect(endpoint.seen).toHaveLength(1);
  });

  test("a server that is stopped does not wait for another one to refresh", async () => {
    await add("account", account());
    const credentials = watcher.tables<{ credential: { refreshing_until: number | null } }>().updateTable("credential");
    await credentials.set({ refreshing_until: Date.now() + 50_000 }).execute();
    const asked = house.ask();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const beganAt = performance.now();
    await house.restart();
    expect(performance.now() - beganAt).toBeLessThan(10_000);
    expect((await asked).status).toBeGreaterThan(500);
    expect(endpoint.seen).toHaveLength(0);
  });

  test("a refusal disables nothing where the database does not tell who else has used the refresh token", async () => {
    await add("account", account());
    const credentials = watcher.tables().schema.alterTable("credential");
    await credentials.renameColumn("refreshing_until", "unreadable").execute();
    valid = "refresh-other";
    expect((await house.ask()).status).toBe(502);
    expect(endpoint.seen).toHaveLength(1);
    await credentials.renameColumn("unreadable", "refreshing_until").execute();
    expect(await house.one("account")).toMatchObject({ state: "available" });
    const other = await import("./other-process.testing.ts");
    await other.refreshElsewhere(house.home, { accessToken: "access-other", refreshToken: valid });
    let status = 0;
    while (status !== 200) ({ status } = await house.ask());
    expect(tokensUsed()).toEqual(["Bearer access-other"]);
    expect(await house.one("account")).toMatchObject({ state: "available" });
  });

  test("the command line takes an account as JSON", async () => {
    const { type: _, ...secret } = account();
    await house.command(["add", "anthropic", "--oauth", "--label", "account"], { input: JSON.stringify(secret) });
    await house.until(({ credentials }) => credentials.length === 1);
    expect((await house.ask()).status).toBe(200);
    expect((await house.command(["show", "account"])).printed).toMatch(/token ends {1,}20/);
  });
});
