import { readFile, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import type { RunningServer } from "../../server.ts";
import { ask } from "../gateway/gateway.testing.ts";
import { startUpstream } from "../gateway/upstream.testing.ts";
import { BREAKER_OPTIONS } from "./breaker.ts";
import { environmentOf, routesOf, startRoutingServer, to, type Upstreams } from "./routing.testing.ts";

describe.each(engines)("on $name", (engine) => {
  const JSON_TYPE = { "content-type": "application/json" };
  /** Each dialect reads its own fields. */
  const ANSWER = JSON.stringify({
    type: "message",
    role: "assistant",
    content: [],
    status: "completed",
    output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "x" }] }],
    choices: [{ message: { role: "assistant", content: "" }, finish_reason: "stop" }],
    candidates: [{ content: { parts: [{ text: "x" }] }, finishReason: "STOP" }],
  });

  let directory: string;
  let home: TestHome;
  let upstreams: Upstreams;
  let server: RunningServer;
  let token: string;
  let routes: ReturnType<typeof routesOf>;
  const servers: RunningServer[] = [];

  beforeEach(async () => {
    home = await engine.create();
    directory = home.path;
    const answer = (response: ServerResponse) => void response.writeHead(200, JSON_TYPE).end(ANSWER);
    upstreams = {
      anthropic: await startUpstream(answer),
      openai: await startUpstream(answer),
      gemini: await startUpstream(answer),
    };
  });

  afterEach(async () => {
    for (const each of servers.splice(0)) await each.close();
    for (const each of Object.values(upstreams)) await each.close();
    await home[Symbol.asyncDispose]();
  });

  async function start(env: Record<string, string> = {}): Promise<void> {
    server = await another(env);
    token = (await readFile(`${directory}/owner-token`, "utf8")).trim();
    routes = routesOf(server.url, token);
  }

  async function another(env: Record<string, string> = {}): Promise<RunningServer> {
    const started = await startRoutingServer(home, { ...environmentOf(upstreams), ...env });
    servers.push(started);
    return started;
  }

  /** Where a request for a model goes. */
  async function routeOf(model: string, url = server.url): Promise<string> {
    const answer = await ask(`${url}/openai/v1/chat/completions`, {
      body: { model, messages: [{ role: "user", content: "Hello" }] },
      headers: { authorization: `Bearer ${token}` },
    });
    return String(answer.headers["x-loom-route"] ?? answer.text);
  }

  describe("a route that is set by API", () => {
    test("holds at once, in another process within a second, and until it is taken away", async () => {
      await start();
      const other = await another();
      expect(await routeOf("fast")).toMatch(/^anthropic\/claude-haiku-4-5; alias fast$/);
      expect(await routes.put("fast", to("openai/gpt-x"))).toMatchObject({
        status: 200,
        info: { name: "fast", source: "api", version: 1, active: true },
      });
      expect(await routeOf("fast")).toBe("openai/gpt-x; alias fast");
      await vi.waitFor(async () => expect(await routeOf("fast", other.url)).toBe("openai/gpt-x; alias fast"), 15_000);
      expect((await routes.list()).routes).toEqual([expect.objectContaining({ name: "fast", ...to("openai/gpt-x") })]);
      expect((await routes.remove("fast")).status).toBe(200);
      expect(await routeOf("fast")).toMatch(/^anthropic/);
      expect((await routes.remove("fast")).status).toBe(404);
    });

    test("survives a restart", async () => {
      await start();
      await routes.put("claude-*", to("openai/gpt-x"));
      await servers.splice(0)[0]?.close();
      await start();
      expect(await routeOf("claude-x")).toBe("openai/gpt-x; route claude-*");
    });

    test("replaces the version that it says, and no other", async () => {
      await start();
      expect((await routes.put("a", to("openai/m"), { "if-none-match": "*" })).info.version).toBe(1);
      expect((await routes.put("a", to("openai/n"), { "if-none-match": "*" })).status).toBe(412);
      expect((await routes.put("a", to("openai/n"), { "if-match": '"1"' })).info.version).toBe(2);
      const late = await routes.put("a", to("openai/o"), { "if-match": '"1"' });
      expect(late).toMatchObject({ status: 412, info: { code: "version_mismatch" } });
      expect(late.info.detail).toMatch(/changed meanwhile \(it is at version 2\)/);
      expect((await routes.remove("a", { "if-match": '"1"' })).status).toBe(412);
      expect((await routes.put("a", to("openai/o"), { "if-match": "1" })).status).toBe(400);
    });

    test.each([
      ["a circle", "a", to("a"), /The route a goes in a circle: a > a\./],
      ["an unknown provider", "a", to("acme/m"), /no provider acme: use one of anthropic, openai/],
      ["an alias that is not there", "a", to("nobody"), /nobody, which is no alias/],
      ["no tiers", "a", { tiers: [] }, /tiers/],
      ["a name that is none", "a b", to("openai/m"), /no name of an alias/],
    ])("is refused with %s", async (_what, name, definition, message) => {
      await start();
      const { status, info } = await routes.put(name, definition);
      expect(status).toBe(400);
      expect(info.detail).toMatch(message);
      expect((await routes.list()).routes).toEqual([]);
    });

    test("is refused where there are 500, those of the file counted, also if two come at once to two servers", async () => {
      const file = join(directory, "routes.toml");
      const lines = (count: number) => Array.from({ length: count }, (_, at) => `f${at} = [["openai/m"]]\n`).join("");
      await writeFile(file, `[routes]\n${lines(497)}`);
      await start({ LOOM_SERVER_ROUTES_FILE: file });
      const other = routesOf((await another({ LOOM_SERVER_ROUTES_FILE: file })).url, token);
      expect((await routes.put("a", to("openai/m"))).status).toBe(200);
      expect((await routes.put("b", to("openai/m"))).status).toBe(200);
      const both = await Promise.all([routes.put("c", to("openai/m")), other.put("d", to("openai/m"))]);
      expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
      expect(both.find(({ status }) => status === 400)?.info.detail).toMatch(
        /^The route [cd] is one too many: there may be 500 of them, in the file and set by API together; take another one away first\.$/,
      );
      expect((await routes.put("e", to("openai/m"))).status).toBe(400);
      expect((await routes.put("a", to("openai/other"))).status).toBe(200);
      await writeFile(file, `[routes]\n${lines(498)}`);
      const problem = /routes\.toml:499: routes\.f497: is one too many: /;
      await vi.waitFor(async () => expect((await routes.list()).fileProblem).toMatch(problem), 15_000);
      expect((await routes.remove("b")).status).toBe(200);
      expect((await routes.put("e", to("openai/m"))).status).toBe(400);
    });

    test("cannot be taken from under another that needs it", async () => {
      await start();
      await routes.put("smart", to("openai/m"));
      await routes.put("oracle", to("smart"));
      const { status, json } = await routes.remove("smart");
      expect(status).toBe(400);
      expect(json).toMatchObject({ detail: expect.stringMatching(/Without the route smart, the route oracle has/) });
    });

    test("whose provider is gone stands in nobody's way, is named in the log and the list, and can be mended", async () => {
      const compatible = (name: string) => ({ [`LOOM_SERVER_COMPATIBLE_${name}_BASE_URL`]: upstreams.openai.url });
      const file = join(directory, "routes.toml");
      await writeFile(file, '[routes]\nslow = [["openai/m"]]\n');
      await start({ ...compatible("LAB"), ...compatible("MILL"), LOOM_SERVER_ROUTES_FILE: file });
      for (const [name, target] of [
        ["one", "lab/m"],
        ["two", "mill/m"],
        ["three", "lab/m"],
        ["chain", "three"],
        ["late", "slow"],
      ] as const) {
        expect((await routes.put(name, to(target))).info).toMatchObject({ version: expect.any(Number), problem: null });
      }
      await servers.splice(0)[0]?.close();
      await start({ LOOM_SERVER_ROUTES_FILE: file });
      const problems = async () =>
        Object.fromEntries((await routes.list()).routes.map(({ name, problem }) => [name, problem]));
      expect(await problems()).toEqual({
        one: expect.stringMatching(/^The route one has the target lab\/m, but there is no provider lab: use one of /),
        two: expect.stringMatching(/^The route two has the target mill\/m, but there is no provider mill: /),
        three: expect.stringMatching(/no provider lab/),
        chain: null,
        late: null,
        slow: null,
      });
      await vi.waitFor(async () => {
        const lines = (await readFile(join(directory, "server.log"), "utf8")).split("\n");
        const warned = lines.flatMap((line) => /"route":"(\w+)","problem"/.exec(line)?.[1] ?? []);
        expect(warned).toEqual(["one", "three", "two"]);
      }, 15_000);

      expect((await routes.put("new", to("openai/m"))).status).toBe(200);
      expect((await routes.put("bad", to("lab/m"))).info.detail).toMatch(/^The route bad has .* no provider lab/);
      expect((await routes.put("one", to("openai/m"))).info).toMatchObject({ name: "one", problem: null });
      expect((await routes.remove("two")).status).toBe(200);
      expect((await routes.remove("three")).json).toMatchObject({
        detail: expect.stringMatching(
          /^Without the route three, the route chain has the target three, which is no alias/,
        ),
      });
      expect((await routes.put("spare", to("vertex/m", "openai/m"))).info.problem).toBe(
        "The route spare has the target vertex/m, but the provider vertex is not set up.",
      );
      await writeFile(file, '[routes]\nslow = [["openai/n"]]\n');
      await vi.waitFor(async () => expect(await routeOf("late")).toBe("openai/n; alias late > slow"), 15_000);
    });

    test("takes targets as names, alone or with a weight, and shows the right form to who has another", async () => {
      await start();
      const tiers = [["anthropic/claude-x", { target: "openai/m", weight: 3 }], ["gemini/g"]];
      expect((await routes.call("PUT", "/smart", { tiers })).json).toMatchObject({
        tiers: [[{ target: "anthropic/claude-x" }, { target: "openai/m", weight: 3 }], [{ target: "gemini/g" }]],
      });
      for (const [wrong, field, form] of [
        [[[7]], "tiers[0][0]", '"provider/model" or an alias, or {"target":"provider/model","weight":70}'],
        [[[{ model: "x" }]], "tiers[0][0]", '{"target":"provider/model","weight":70}'],
        [["anthropic/claude-x"], "tiers[0]", 'a list of targets, e.g. ["anthropic/claude-opus-5"]'],
        ["anthropic/claude-x", "tiers", '[["anthropic/claude-opus-5"],["openai/gpt-5.4"]]'],
      ] as const) {
        const { status, json } = await routes.call("PUT", "/smart", { tiers: wrong });
        expect(status).toBe(400);
        expect(json).toMatchObject({
          detail: expect.stringContaining(form),
          errors: expect.arrayContaining([expect.objectContaining({ field })]),
        });
      }
    });

    test("is for administrators", async () => {
      await start();
      const made = await ask(`${server.url}/api/tokens`, {
        body: { name: "ci" },
        headers: { authorization: `Bearer ${token}` },
      });
      const weak = routesOf(server.url, (JSON.parse(made.text) as { token: string }).token);
      for (const [method, path] of [
        ["GET", ""],
        ["GET", "/explain?model=fast"],
        ["PUT", "/fast"],
        ["DELETE", "/fast"],
      ] as const) {
        expect((await weak.call(method, path, method === "PUT" ? to("openai/m") : undefined)).status).toBe(403);
      }
    });

    test("may change while requests run: each takes the old way or the new one", async () => {
      await start();
      await routes.put("busy", to("openai/m-0"));
      let stop = false;
      const seen = new Set<string>();
      const load = async (): Promise<void> => {
        while (!stop) seen.add(await routeOf("busy"));
      };
      const loads = [load(), load(), load(), load()];
      for (let change = 1; change <= 10; change += 1) await routes.put("busy", to(`openai/m-${change}`));
      expect(await routeOf("busy")).toBe("openai/m-10; alias busy");
      stop = true;
      await Promise.all(loads);
      for (const route of seen) expect(route).toMatch(/^openai\/m-\d+; alias busy$/);
    });
  });

  describe("an alias", () => {
    test.each([
      ["/anthropic/v1/messages", { model: "smart", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }],
      ["/openai/v1/chat/completions", { model: "smart", messages: [{ role: "user", content: "Hi" }] }],
      ["/openai/v1/responses", { model: "smart", input: "Hi" }],
      ["/gemini/v1beta/models/smart:generateContent", { contents: [{ role: "user", parts: [{ text: "Hi" }] }] }],
    ])("%s reaches every provider, by its own bytes where they speak the same", async (path, body) => {
      await start();
      for (const [target, upstream] of [
        ["anthropic/claude-x", upstreams.anthropic],
        ["openai/gpt-x", upstreams.openai],
        ["gemini/gemini-x", upstreams.gemini],
      ] as const) {
        await routes.put("smart", to(target));
        const headers = { authorization: `Bearer ${token}` };
        const answer = await ask(server.url + path, { body: JSON.stringify({ ...body, "x-extra": 1.0 }), headers });
        expect(answer.headers["x-loom-route"]).toBe(`${target}; alias smart`);
        expect(answer.status).toBe(200);
        const [request] = upstream.seen;
        const said = `${request?.path} ${request?.body.toString("utf8")}`;
        expect(said).toContain(target.slice(target.indexOf("/") + 1));
        expect(said).not.toContain("smart");
      }
    });

    test.each([
      ["/proxy/anthropic/v1/messages", "anthropic/claude-x; alias smart"],
      ["/proxy/openai/v1/chat/completions", "openai/gpt-x; alias smart"],
    ])("at %s leads to that provider's targets only", async (path, expected) => {
      await start();
      await routes.put("smart", to("openai/gpt-x", "anthropic/claude-x"));
      const body = `{"model": "smart", "max_tokens": 9, "messages": [{"role":"user","content":"Hi"}], "x": 1.0}`;
      const answer = await ask(server.url + path, { body, headers: { authorization: `Bearer ${token}` } });
      expect(answer.headers["x-loom-route"]).toBe(expected);
      const name = expected.startsWith("anthropic") ? "anthropic" : "openai";
      const model = name === "anthropic" ? "claude-x" : "gpt-x";
      expect(upstreams[name].seen[0]?.body.toString("utf8")).toBe(body.replace("smart", model));
    });

    test("is listed for clients, and default, fast and oracle are always there", async () => {
      await start();
      const headers = { authorization: `Bearer ${token}` };
      await routes.put("smart", to("openai/gpt-x"));
      await routes.put("default", to("gemini/gemini-x"));
      const { text } = await ask(`${server.url}/openai/v1/models`, { method: "GET", headers });
      const ids = (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
      expect(ids.slice(0, 4)).toEqual(["default", "fast", "oracle", "smart"]);
      expect(await routeOf("oracle")).toBe("gemini/gemini-x; alias oracle");
      const models = await ask(`${server.url}/api/models`, { method: "GET", headers });
      expect(JSON.parse(models.text)).toMatchObject({ default: { provider: "gemini", model: "gemini-x" } });
    });
  });

  describe("a file of routes", () => {
    const broken = '[routes]\nfast = [["openai/gpt-b"]]\n\nslow = [["acme/m"]]\n';

    async function startWith(text: string): Promise<string> {
      const file = join(directory, "routes.toml");
      await writeFile(file, text);
      await start({ LOOM_SERVER_ROUTES_FILE: file });
      return file;
    }

    test("is followed when it changes, and a broken version keeps the one before", async () => {
      const file = await startWith('[routes]\nfast = [["openai/gpt-a"]]\n');
      expect(await routeOf("fast")).toBe("openai/gpt-a; alias fast");
      await writeFile(file, broken);
      await vi.waitFor(async () => {
        const { fileProblem } = await routes.list();
        expect(fileProblem).toMatch(
          /routes\.toml:4: routes\.slow: has the target acme\/m, but there is no provider acme/,
        );
      }, 15_000);
      expect(await routeOf("fast")).toBe("openai/gpt-a; alias fast");
      await writeFile(file, '[routes]\nfast = [["openai/gpt-c"]]\n');
      await vi.waitFor(async () => expect(await routeOf("fast")).toBe("openai/gpt-c; alias fast"), 15_000);
      expect((await routes.list()).fileProblem).toBeNull();
      await rm(file);
      await vi.waitFor(async () => expect((await routes.list()).fileProblem).toMatch(/There is no file/), 15_000);
      expect(await routeOf("fast")).toBe("openai/gpt-c; alias fast");
    });

    test("stands behind what is set by API", async () => {
      await startWith('[routes]\nfast = [["openai/gpt-a"]]\n');
      await routes.put("fast", to("anthropic/claude-x"));
      expect(await routeOf("fast")).toBe("anthropic/claude-x; alias fast");
      expect((await routes.list()).routes).toMatchObject([
        { name: "fast", source: "api", active: true },
        { name: "fast", source: "file", active: false, version: null },
      ]);
      await routes.remove("fast");
      expect(await routeOf("fast")).toBe("openai/gpt-a; alias fast");
      expect((await routes.remove("fast")).json).toMatchObject({ detail: expect.stringMatching(/stands in the file/) });
    });

    test("that is broken at the start keeps the server from starting", async () => {
      await expect(startWith(broken)).rejects.toThrow(/routes\.toml:4: routes\.slow/);
    });
  });

  test("an explanation and a metric show a breaker that is open", async () => {
    await start();
    await routes.put("smart", to("anthropic/claude-x", "openai/gpt-x"));
    await upstreams.anthropic.close();
    for (let count = 0; count < BREAKER_OPTIONS.failuresInARow; count += 1) {
      expect(await routeOf("smart")).toBe("openai/gpt-x; alias smart; fallback after network of anthropic/claude-x");
    }
    expect(await routeOf("smart")).toBe("openai/gpt-x; alias smart; skipped anthropic/claude-x (breaker open)");
    const [first] = (await routes.explain("model=smart")).steps;
    expect(first).toMatchObject({ used: false, breaker: "open", note: "its breaker is open" });
    expect(first?.opensInMs).toBeGreaterThan(0);
    const metrics = await ask(`${server.url}/metrics`, {
      method: "GET",
      headers: { authorization: `Bearer ${token}` },
    });
    expect(metrics.text).toContain('loom_gateway_breaker_state{upstream="anthropic"} 2');
    expect(metrics.text).toContain('loom_gateway_breaker_state{upstream="openai"} 0');
  });

  test("an explanation for a session is what that session gets", async () => {
    await start();
    const tier = Array.from({ length: 8 }, (_, index) => ({ target: `openai/m-${index}`, weight: index + 1 }));
    await routes.put("smart", { tiers: [tier] });
    for (const session of ["one", "two", "three", "four"]) {
      const answer = await ask(`${server.url}/openai/v1/chat/completions`, {
        body: { model: "smart", messages: [{ role: "user", content: "Hello" }] },
        headers: { authorization: `Bearer ${token}`, "x-loom-session": session },
      });
      const [first] = (await routes.explain(`model=smart&session=${session}`)).steps;
      expect(answer.headers["x-loom-route"]).toBe(`${first?.upstream}/${first?.model}; ${first?.reason}`);
    }
  });

  test("an explanation names the steps, the breakers and what stands in the way", async () => {
    await start();
    await routes.put("oracle", {
      tiers: [
        [
          { target: "anthropic/claude-x", weight: 1 },
          { target: "vertex/claude-x", weight: 3 },
        ],
        [{ target: "fast" }],
      ],
    });
    const explanation = await routes.explain("model=oracle&session=s&dialect=chat&subject=token/owner");
    expect(explanation).toMatchObject({ model: "oracle", route: "oracle", problem: null });
    expect(explanation.steps).toHaveLength(3);
    expect(explanation.steps).toContainEqual({
      upstream: "vertex",
      model: "claude-x",
      reason: "alias oracle, weight 3 of 4",
      used: false,
      note: "its provider is not set up",
      breaker: "closed",
      opensInMs: null,
    });
    expect(explanation.steps[2]).toMatchObject({ upstream: "anthropic", reason: "alias oracle > fast", used: true });
    expect(await routes.explain("model=gpt-x")).toMatchObject({
      route: null,
      steps: [{ upstream: "openai", used: true }],
    });
    const metrics = await ask(`${server.url}/metrics`, {
      method: "GET",
      headers: { authorization: `Bearer ${token}` },
    });
    expect(metrics.text).toContain('loom_gateway_breaker_state{upstream="anthropic"} 0');
  });
});
