import { writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { CredentialInfo } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectDatabase } from "../../kit/database.ts";
import { engines } from "../../kit/engines.testing.ts";
import { temporaryDirectory } from "../../testing.ts";
import { type SeenRequest, startUpstream, type TestUpstream } from "../gateway/upstream.testing.ts";
import { ANSWER, startHouse, type TestHouse } from "./credentials.testing.ts";

describe.each(engines)("on $name", (engine) => {
  let upstream: TestUpstream;
  let house: TestHouse;
  /** What the provider does with a key; else it answers. */
  let refusals: Map<string, (response: ServerResponse) => void>;

  beforeEach(async () => {
    refusals = new Map();
    upstream = await startUpstream((response, request) => {
      const refuse = refusals.get(keyOf(request));
      if (refuse !== undefined) refuse(response);
      else response.writeHead(200, { "content-type": "application/json" }).end(ANSWER);
    });
  });

  afterEach(async () => {
    await house[Symbol.asyncDispose]();
    await upstream.close();
  });

  function keyOf({ headers }: SeenRequest): string {
    return String(headers["x-api-key"] ?? headers.authorization);
  }

  /** A server in front of the provider, without a key of its own. */
  async function start(env: NodeJS.ProcessEnv = {}): Promise<TestHouse> {
    house = await startHouse({ LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url, ...env }, engine);
    return house;
  }

  async function add(label: string, key: string, more: object = {}): Promise<CredentialInfo> {
    const secret = { type: "api_key", key };
    const { status, text } = await house.call("POST", "/api/admin/credentials", {
      provider: "anthropic",
      label,
      secret,
      ...more,
    });
    expect([status, text]).toEqual([201, expect.anything()]);
    return JSON.parse(text) as CredentialInfo;
  }

  const answer =
    (status: number, headers: Record<string, string> = {}, message = "no") =>
    (response: ServerResponse): void =>
      void response
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(JSON.stringify({ type: "error", error: { type: "some_error", message } }));

  describe("a stored credential", () => {
    test("is used at once, and is seen by nobody", async () => {
      await start();
      const info = await add("one", "key-number-one-of-the-tests");
      expect(info).toEqual({
        id: expect.stringMatching(/^credential-/),
        provider: "anthropic",
        label: "one",
        kind: "api_key",
        source: "stored",
        state: "available",
        reason: null,
        since: null,
        until: null,
        expiresAt: null,
        fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
        weight: 1,
        createdAt: expect.any(String),
      });
      expect((await house.ask()).status).toBe(200);
      expect(upstream.seen.map(keyOf)).toEqual(["key-number-one-of-the-tests"]);
      const { credentials, providers } = await house.list();
      expect(credentials).toEqual([info]);
      expect(providers).toEqual([{ provider: "anthropic", health: "all", available: 1, coolingDown: 0, disabled: 0 }]);
    });

    test("survives a restart", async () => {
      await start();
      await add("one", "key-number-one-of-the-tests");
      await house.restart();
      expect((await house.ask()).status).toBe(200);
      expect(upstream.seen.map(keyOf)).toEqual(["key-number-one-of-the-tests"]);
    });

    test("sets up a provider that had none, until it is removed", async () => {
      house = await startHouse({}, engine);
      const configured = async () => {
        const models = JSON.parse((await house.call("GET", "/api/models")).text);
        return models.providers.find(({ name }: { name: string }) => name === "openai").configured;
      };
      expect(await configured()).toBe(false);
      expect(house.server.hasProvider).toBe(false);
      const body = { provider: "openai", secret: { type: "api_key", key: "sk-of-the-tests" } };
      const { label, fingerprint } = JSON.parse((await house.call("POST", "/api/admin/credentials", body)).text);
      expect([label, fingerprint]).toEqual(["openai-1", null]);
      expect(await configured()).toBe(true);
      await house.restart();
      expect(house.server.hasProvider).toBe(true);
      expect(await configured()).toBe(true);
      expect((await house.call("DELETE", `/api/admin/credentials/${label}`)).status).toBe(200);
      expect(await configured()).toBe(false);
    });

    test("is asked in turn with the others, by weight", async () => {
      await start();
      await add("one", "key-one");
      await add("two", "key-two", { weight: 2 });
      for (let round = 0; round < 6; round += 1) await house.ask();
      const keys = upstream.seen.map(keyOf);
      expect(keys.filter((key) => key === "key-two")).toHaveLength(4);
      expect(keys.filter((key) => key === "key-one")).toHaveLength(2);
    });

    test("stays with a session", async () => {
      await start();
      for (const name of ["one", "two", "three"]) await add(name, `key-${name}`);
      for (let round = 0; round < 6; round += 1) await house.ask({ "x-loom-session": "a" });
      expect(new Set(upstream.seen.map(keyOf)).size).toBe(1);
    });

    test("takes the place of another whose quota is used up, and of that session only", async () => {
      await start();
      await add("one", "key-one");
      await add("two", "key-two");
      refusals.set("key-one", answer(429, { "retry-after": "600" }, "You exceeded your current quota."));
      for (let round = 0; round < 4; round += 1) expect((await house.ask()).status).toBe(200);
      expect(upstream.seen.map(keyOf).filter((key) => key === "key-one")).toHaveLength(1);
      expect(await house.one("one")).toMatchObject({
        state: "cooling_down",
        reason: "Its quota at the provider is used up.",
      });
      const { providers } = await house.list();
      expect(providers[0]).toMatchObject({ health: "some", available: 1, coolingDown: 1 });
    });
  });

  describe("when all credentials are used up", () => {
    test("the client hears when the first of them comes back", async () => {
      await start();
      await add("one", "key-one");
      await add("two", "key-two");
      refusals.set("key-one", answer(429, { "retry-after": "600" }, "quota"));
      refusals.set("key-two", answer(429, { "retry-after": "90" }, "quota"));
      for (let round = 0; round < 2; round += 1) {
        const { status, headers, text } = await house.ask();
        expect(status).toBe(429);
        expect(Number(headers.get("retry-after"))).toBeGreaterThan(80);
        expect(Number(headers.get("retry-after"))).toBeLessThanOrEqual(90);
        expect(text).toContain("All credentials of the provider anthropic have used up their quota");
      }
      expect(upstream.seen).toHaveLength(2);
      await house.restart();
      expect((await house.ask()).status).toBe(429);
      expect(upstream.seen).toHaveLength(2);
    });

    test("it is no quota where the provider only limits their rate", async () => {
      await start();
      await add("one", "key-one");
      await add("two", "key-two");
      refusals.set("key-one", answer(429, { "retry-after": "40" }));
      refusals.set("key-two", answer(429, { "retry-after": "40" }));
      for (let round = 0; round < 2; round += 1) {
        const { status, headers, text } = await house.ask();
        expect([status, text]).toEqual([429, expect.stringContaining("anthropic limits the rate of its credentials")]);
        expect(Number(headers.get("retry-after"))).toBeLessThanOrEqual(40);
        expect(text).not.toContain("quota");
      }
      expect(upstream.seen).toHaveLength(2);
    });

    test("one that can be asked again at once says it in the provider's own words", async () => {
      await start();
      await add("one", "key-one");
      await add("two", "key-two");
      refusals.set("key-one", answer(429, {}, "You exceeded your current quota."));
      refusals.set("key-two", answer(429, {}, "Slow down."));
      for (let round = 0; round < 3; round += 1) {
        const { status, headers, text } = await house.ask();
        expect([status, text]).toEqual([429, expect.stringContaining("Slow down.")]);
        expect(headers.get("retry-after")).toBeNull();
      }
      expect(upstream.seen.map(keyOf).filter((key) => key === "key-two")).toHaveLength(3);
    });

    test("a single one says it in the provider's own words first", async () => {
      await start({ LOOM_SERVER_ANTHROPIC_API_KEY: "key-of-the-environment" });
      refusals.set("key-of-the-environment", answer(429, {}, "Your credit balance is too low."));
      expect((await house.ask()).text).toContain("Your credit balance is too low.");
      const second = await house.ask();
      expect(second.status).toBe(429);
      expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(7_000);
      expect(upstream.seen).toHaveLength(1);
    });
  });

  describe("a credential that the provider refuses", () => {
    test("is disabled with an alert, until somebody enables it", async () => {
      await start();
      await add("one", "key-one");
      refusals.set("key-one", answer(401));
      expect((await house.ask()).status).toBe(502);
      const after = await house.ask();
      expect([after.status, after.text]).toEqual([502, expect.stringContaining("has no credential that works")]);
      expect(upstream.seen).toHaveLength(1);
      expect(await house.one("one")).toMatchObject({
        state: "disabled",
        reason: "The provider refused it (HTTP 401).",
        since: expect.stringMatching(/^20/),
      });
      const metrics = (await house.call("GET", "/metrics")).text;
      expect(metrics).toContain('loom_gateway_credentials{provider="anthropic",state="disabled"} 1');
      expect(metrics).toContain('loom_gateway_credential_alerts_total{provider="anthropic"} 1');
      const ready = await house.call("GET", "/readyz");
      expect(ready.status).toBe(200);
      expect(JSON.parse(ready.text).details.credentials.anthropic).toMatchObject({ health: "none", disabled: 1 });

      await house.restart();
      expect(await house.one("one")).toMatchObject({ state: "disabled" });
      refusals.clear();
      expect((await house.call("PATCH", "/api/admin/credentials/one", { enabled: true })).status).toBe(200);
      expect((await house.ask()).status).toBe(200);
    });

    test("on a path of the provider's own that it may not use, stays", async () => {
      await start();
      await add("one", "key-one");
      refusals.set("key-one", answer(403));
      const { status } = await house.call("GET", "/proxy/anthropic/v1/organizations/members");
      expect([status, upstream.seen.length]).toEqual([502, 1]);
      expect(await house.one("one")).toMatchObject({ state: "available" });
    });

    test("comes back when its file changes", async () => {
      await using files = await startFiles();
      const file = await files.write("key", "key-old\n");
      await start({ LOOM_SERVER_ANTHROPIC_API_KEY_FILE: file });
      refusals.set("key-old", answer(403));
      await house.ask();
      expect(await house.one("anthropic-environment")).toMatchObject({ state: "disabled", source: "environment" });
      await writeFile(file, "key-new\n");
      await house.until(({ credentials }) => credentials[0]?.state === "available");
      expect((await house.ask()).status).toBe(200);
      expect(upstream.seen.map(keyOf)).toEqual(["key-old", "key-new"]);
    });
  });

  describe("keys of the environment", () => {
    test("may be many in a file, which is read again when it changes", async () => {
      await using files = await startFiles();
      const file = await files.write("keys", "# ours\nkey-a\n\nkey-b\n");
      await start({ LOOM_SERVER_ANTHROPIC_API_KEYS_FILE: file });
      for (let round = 0; round < 4; round += 1) await house.ask();
      expect(upstream.seen.map(keyOf).sort()).toEqual(["key-a", "key-a", "key-b", "key-b"]);
      await writeFile(file, "key-b\nkey-c\nkey-d\n");
      await house.until(({ credentials }) => credentials.length === 3);
      for (let round = 0; round < 3; round += 1) await house.ask();
      expect(upstream.seen.slice(4).map(keyOf).sort()).toEqual(["key-b", "key-c", "key-d"]);
    });

    test("are gone when their file was emptied", async () => {
      await using files = await startFiles();
      const [many, one] = [await files.write("keys", "key-a\nkey-b\n"), await files.write("key", "key-one\n")];
      const variables = { LOOM_SERVER_ANTHROPIC_API_KEYS_FILE: many, LOOM_SERVER_ANTHROPIC_API_KEY_FILE: one };
      await start(variables);
      await house.until(({ credentials }) => credentials.length === 3);
      await writeFile(many, "# none\n");
      await house.until(({ credentials }) => credentials.length === 1);
      await writeFile(one, "");
      await house.until(({ credentials }) => credentials.length === 0);
      const { status } = await house.ask();
      expect([status, upstream.seen.length]).toEqual([404, 0]);
      await writeFile(many, "key-c\n");
      await house.until(({ credentials }) => credentials.length === 1);
      await house.ask();
      expect(upstream.seen.map(keyOf)).toEqual(["key-c"]);
    });

    test("can be disabled until the next start, and are changed elsewhere", async () => {
      await start({ LOOM_SERVER_ANTHROPIC_API_KEY: "key-of-the-environment" });
      const path = "/api/admin/credentials/anthropic-environment";
      expect((await house.call("PATCH", path, { enabled: false })).status).toBe(200);
      expect((await house.ask()).status).toBe(502);
      expect((await house.call("PATCH", path, { weight: 2 })).status).toBe(400);
      expect((await house.call("DELETE", path)).status).toBe(400);
      await house.restart();
      expect((await house.ask()).status).toBe(200);
    });
  });

  test("a stored credential cannot take the name of one of the environment, nor what is done to that one", async () => {
    await start({ LOOM_SERVER_ANTHROPIC_API_KEY: "key-of-the-environment" });
    const stored = await add("k2", "key-two");
    const label = "anthropic-environment";
    const path = "/api/admin/credentials";
    const renamed = await house.call("PATCH", `${path}/k2`, { label });
    expect([renamed.status, renamed.text]).toEqual([
      400,
      expect.stringContaining("is kept for the server's environment"),
    ]);
    // As an earlier version has let it.
    const database = await connectDatabase(house.home.place);
    await database.write<{ credential: { id: string; label: string; revision: number } }, unknown>((db) =>
      db.updateTable("credential").set({ label, revision: 1_000 }).where("id", "=", stored.id).execute(),
    );
    await database.write<{ credential_vault: { revision: number } }, unknown>((db) =>
      db.updateTable("credential_vault").set({ revision: 1_000 }).execute(),
    );
    await database.close();
    expect((await house.call("DELETE", `${path}/${label}`)).status).toBe(400);
    const disabled = await house.call("PATCH", `${path}/${label}`, { enabled: false });
    expect(JSON.parse(disabled.text)).toMatchObject({ id: label, source: "environment", state: "disabled" });
    const back = await house.call("PATCH", `${path}/${stored.id}`, { label: "k2" });
    expect(JSON.parse(back.text)).toMatchObject({ id: stored.id, label: "k2", state: "available" });
  });

  test("a server that wants no key is asked without one, until there is one", async () => {
    await start();
    await house.ask();
    expect(upstream.seen.map(keyOf)).toEqual(["undefined"]);
    await add("one", "key-one");
    await house.ask();
    expect(upstream.seen.map(keyOf)).toEqual(["undefined", "key-one"]);
  });

  test("wrong wishes are refused with a sentence that repeats no key", async () => {
    await start();
    await add("one", "key-one");
    const secret = { type: "api_key", key: "sk-canary-canary-canary" };
    const wrong: [object, RegExp][] = [
      [{ provider: "nobody", secret }, /The provider "nobody" is not known here/],
      [{ provider: "anthropic", label: "one", secret }, /There is a credential "one" already/],
      [{ provider: "anthropic", label: "a b", secret }, /label/],
      [{ provider: "anthropic", weight: 0, secret }, /weight/],
      [{ provider: "anthropic", secret: { ...secret, key: "sk-canary canary\ncanary" } }, /secret\.key/],
      [{ provider: "anthropic", secret: { ...secret, canary: "canary" } }, /secret/],
      [
        { provider: "anthropic", label: "openai-environment", secret },
        /"openai-environment" is kept for the server's env/,
      ],
      [
        { provider: "anthropic", label: "anthropic-environment-0123abcd", secret },
        /is kept for the server's environment/,
      ],
      [oauthWith("http://evil.example/token"), /tokenEndpoint/],
      [oauthWith("https://169.254.169.254/token"), /tokenEndpoint .* 169\.254\.169\.254, is not public/],
      [oauthWith("https://2852039166/token"), /tokenEndpoint .* is not public/],
      [oauthWith("https://[::ffff:10.0.0.1]/token"), /tokenEndpoint .* is not public/],
      [oauthWith("https://localhost:22/token"), /tokenEndpoint .* localhost:22, is not public/],
    ];
    for (const [body, sentence] of wrong) {
      const { status, text } = await house.call("POST", "/api/admin/credentials", body);
      expect([status, JSON.parse(text).detail]).toEqual([400, expect.stringMatching(sentence)]);
      expect(text).not.toContain("sk-canary");
    }
    expect((await house.list()).credentials).toHaveLength(1);
  });

  test("only administrators see and change credentials", async () => {
    await start();
    const made = await house.call("POST", "/api/tokens", { name: "ci", scopes: ["llm:use", "usage:read"] });
    const { token } = JSON.parse(made.text) as { token: string };
    for (const [method, path] of [
      ["GET", ""],
      ["POST", ""],
      ["PATCH", "/x"],
      ["DELETE", "/x"],
    ]) {
      const response = await fetch(`${house.server.url}/api/admin/credentials${path}`, {
        method: method ?? "",
        headers: { authorization: `Bearer ${token}` },
      });
      expect([method, response.status]).toEqual([method, 403]);
    }
  });

  function oauthWith(tokenEndpoint: string): object {
    return {
      provider: "anthropic",
      secret: { type: "oauth", refreshToken: "sk-canary-canary", tokenEndpoint, clientId: "client" },
    };
  }

  async function startFiles() {
    const directory = await temporaryDirectory();
    return {
      async write(name: string, text: string): Promise<string> {
        await writeFile(`${directory.path}/${name}`, text, { mode: 0o600 });
        return `${directory.path}/${name}`;
      },
      [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
    };
  }
});
