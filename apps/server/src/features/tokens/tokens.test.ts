import { readFile } from "node:fs/promises";
import type { MintedToken, NewToken, TokenList } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startServer, takeServerConfig } from "../../index.ts";
import { engines, everythingIn, type TestHome } from "../../kit/engines.testing.ts";
import type { RunningServer } from "../../server.ts";
import { runTokenCommand } from "../../token-command.ts";

describe.each(engines)("on $name", (engine) => {
  let directory: string;
  let home: TestHome;
  let server: RunningServer;
  let ownerToken: string;

  beforeEach(async () => {
    home = await engine.create();
    directory = home.path;
    server = await start();
    ownerToken = (await readFile(`${directory}/owner-token`, "utf8")).trim();
  });

  afterEach(async () => {
    await server.close();
    await home[Symbol.asyncDispose]();
  });

  function start(): Promise<RunningServer> {
    return startServer({
      config: takeServerConfig({}),
      access: { type: "owner", tokenFile: `${directory}/owner-token`, replace: false },
      dataDirectory: directory,
      postgres: home.postgres,
    });
  }

  async function call(method: string, path: string, options: { token?: string; body?: unknown } = {}) {
    const { token = ownerToken, body } = options;
    const response = await fetch(server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as unknown };
  }

  async function create(wish: NewToken): Promise<MintedToken> {
    const { status, json } = await call("POST", "/api/tokens", { body: wish });
    expect(status).toBe(201);
    return json as MintedToken;
  }

  async function tokenCommand(...args: string[]): Promise<{ printed: string; said: string }> {
    const [printed, said]: [string[], string[]] = [[], []];
    await runTokenCommand(
      [...args, "--data", directory],
      { ...home.env },
      {
        print: (text) => printed.push(text),
        say: (sentence) => said.push(sentence),
      },
    );
    return { printed: printed.join(""), said: said.join("\n") };
  }

  test("a token is shown once, kept as a hash, and does what its scopes say and nothing else", async () => {
    const { token, info } = await create({ name: "ci" });
    expect(token).toMatch(/^lt_[A-Za-z0-9_-]{43}$/);
    expect(info).toMatchObject({ name: "ci", scopes: ["llm:use"], expiresAt: null, revokedAt: null, limits: {} });
    expect((await call("GET", "/api/models", { token })).status).toBe(200);
    for (const path of ["/api/tokens", "/api/budgets", "/metrics", "/healthz", "/api/openapi.json", "/nowhere"]) {
      expect([path, (await call("GET", path, { token })).status]).toEqual([path, path === "/nowhere" ? 404 : 403]);
    }
    expect((await call("PUT", "/api/budgets/token/owner", { token, body: {} })).status).toBe(403);
    await server.close();
    expect(await everythingIn(home)).not.toContain(token.slice(3, 20));
  });

  test("a token with the scope admin may do what the owner may", async () => {
    const { token } = await create({ name: "operator", scopes: ["admin"] });
    expect((await call("GET", "/api/tokens", { token })).status).toBe(200);
    expect((await call("PUT", "/api/budgets/token/owner", { token, body: { concurrency: 3 } })).status).toBe(200);
  });

  test("a revoked token is void at once, and its name is free again", async () => {
    const { token, info } = await create({ name: "ci" });
    expect((await call("GET", "/api/models", { token })).status).toBe(200);
    expect((await call("DELETE", "/api/tokens/ci")).status).toBe(200);
    expect((await call("GET", "/api/models", { token })).status).toBe(401);
    expect((await call("DELETE", "/api/tokens/ci")).status).toBe(404);
    expect((await call("DELETE", `/api/tokens/${info.id}`)).status).toBe(200);
    await tokenCommand("revoke", info.id);
    // What changes nothing is not recorded.
    const { json } = await call("GET", "/api/admin/audit?event=token.revoked");
    expect((json as { events: unknown[] }).events).toMatchObject([{ target: { name: "ci" } }]);
    await create({ name: "ci" });
    const { tokens } = (await call("GET", "/api/tokens")).json as TokenList;
    expect(tokens.map(({ revokedAt }) => revokedAt === null)).toEqual([false, true]);
  });

  test("wrong wishes are refused with a sentence", async () => {
    await create({ name: "ci" });
    const wrong: [unknown, RegExp][] = [
      [{ name: "ci" }, /There is a token "ci" already/],
      [{ name: "owner" }, /owner/],
      [{ name: "a b" }, /name/],
      [{ name: "x", scopes: ["root"] }, /scopes/],
      [{ name: "x", expiresAt: "2020-01-01T00:00:00Z" }, /expired already/],
      [{ name: "x", limits: { requestsPerMinute: 0 } }, /requestsPerMinute/],
      [{ name: "x", limits: { perYear: 1 } }, /limits/],
    ];
    for (const [body, sentence] of wrong) {
      const { status, json } = await call("POST", "/api/tokens", { body });
      expect(status).toBe(400);
      expect((json as { detail: string }).detail).toMatch(sentence);
    }
    const budgets = (await call("GET", "/api/budgets")).json as { budgets: unknown[] };
    expect(budgets.budgets).toHaveLength(1);
  });

  test("limits are read, set and lifted over HTTP", async () => {
    const { info } = await create({ name: "ci", limits: { dayMicroUsd: 5_000_000 } });
    const path = `/api/budgets/token/${info.id}`;
    expect((await call("GET", path)).json).toEqual({
      kind: "token",
      id: info.id,
      label: "ci",
      limits: { dayMicroUsd: 5_000_000 },
      spent: { dayMicroUsd: 0, monthMicroUsd: 0, totalMicroUsd: 0 },
    });
    expect((await call("PUT", "/api/budgets/token/ci", { body: { concurrency: 2 } })).json).toMatchObject({
      id: info.id,
      label: "ci",
      limits: { concurrency: 2 },
    });
    expect((await call("PUT", "/api/budgets/session/*", { body: { totalMicroUsd: 1 } })).json).toMatchObject({
      id: "*",
      spent: null,
    });
    expect(
      (await call("PUT", "/api/budgets/model/anthropic%2Fclaude-*", { body: { concurrency: 1 } })).json,
    ).toMatchObject({
      id: "anthropic/claude-*",
    });
    expect((await call("PUT", "/api/budgets/NO/x", { body: {} })).status).toBe(400);
    expect((await call("PUT", "/api/budgets/tokn/x", { body: {} })).status).toBe(400);
    expect((await call("PUT", "/api/budgets/token/nobody", { body: {} })).status).toBe(404);
    expect((await call("PUT", "/api/budgets/token/*", { body: { concurrency: 9 } })).status).toBe(200);
    expect((await call("DELETE", path)).status).toBe(200);
    expect((await call("GET", path)).status).toBe(404);
  });

  test("the command line makes, lists, shows and revokes tokens while the server runs", async () => {
    const { printed, said } = await tokenCommand(
      ...["create", "ci", "--expires", "30d", "--scope", "llm:use,usage:read", "--budget", "day=5usd,month=50.5"],
      ...["--rpm", "60", "--tpm", "100000", "--concurrency", "4", "--model", "claude-*"],
    );
    const token = printed.trim();
    expect(token).toMatch(/^lt_[A-Za-z0-9_-]{43}$/);
    expect(said).toMatch(/^The token ci \(token-[0-9a-f-]+\) follows; it cannot be read again\.$/);
    expect((await call("GET", "/api/models", { token })).status).toBe(200);
    const { tokens } = (await call("GET", "/api/tokens")).json as TokenList;
    expect(tokens[0]).toMatchObject({
      name: "ci",
      scopes: ["llm:use", "usage:read"],
      limits: {
        dayMicroUsd: 5_000_000,
        monthMicroUsd: 50_500_000,
        requestsPerMinute: 60,
        tokensPerMinute: 100_000,
        concurrency: 4,
        models: ["claude-*"],
      },
    });
    expect(tokens[0]?.lastUsedAt).not.toBeNull();
    expect((await tokenCommand("list")).printed).toMatch(
      /^NAME +STATE.*\nci +valid until .*5\.00 USD a day, 50\.50 USD a month/,
    );
    expect((await tokenCommand("show", "ci")).printed).toMatch(/spent +0\.00 USD\n$/);
    expect((await tokenCommand("revoke", "ci")).said).toBe("The token ci is void.");
    await server.close();
    server = await start();
    expect((await call("GET", "/api/models", { token })).status).toBe(401);
  });

  test("a mistake on the command line is told as a sentence", async () => {
    const wrong: [string[], RegExp][] = [
      [["create"], /Say which token/],
      [["create", "x", "--expires", "soon"], /--expires has to be a time such as/],
      [
        ["create", "x", "--expires", "100000w"],
        /--expires "100000w" is too long: give at most 99999w, or leave it out/,
      ],
      [["create", "x", "--budget", "year=5usd"], /--budget/],
      [["create", "x", "--rpm", "0"], /--rpm/],
      [["create", "x", "--scope", "root"], /"root" is no scope/],
      [["list", "--rpm", "1"], /--rpm is a flag of loom-server token create/],
      [["drop", "x"], /There is no loom-server token drop/],
      [["show", "nobody"], /There is no token "nobody"/],
      [["create", "x", "--nonsense"], /see loom-server token --help\.$/],
    ];
    for (const [args, sentence] of wrong) await expect(tokenCommand(...args)).rejects.toThrow(sentence);
  });
});
