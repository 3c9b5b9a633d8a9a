import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { say, startScriptedModel } from "@loom/testkit";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./testing.ts";

/** Starts a server, lets it answer once, and prints what that process had to load. */
const SCRIPT = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
  const { startServer, takeServerConfig } = await import("@loom/server");
  const { createLoomClient } = await import("@loom/api/client");
  const { Secret } = await import("@loom/config");
  const server = await startServer({
    config: takeServerConfig(process.env),
    access: { type: "token", token: new Secret("lt_token-of-this-launch") },
    dataDirectory: process.argv[1],
  });
  const client = createLoomClient({ baseUrl: server.url, token: () => "lt_token-of-this-launch" });
  const content = [{ type: "text", text: "Hello" }];
  const request = { model: "default", system: "", messages: [{ role: "user", content }], tools: [], maxTokens: 10 };
  const events = [];
  for await (const batch of client.stream("default", request)) events.push(...batch);
  client.close();
  await server.close();
  console.log(JSON.stringify({ loaded, builtins: process.moduleLoadList, last: events.at(-1).type }));`;

test("a server of one turn loads nothing that the turn does not need", async () => {
  await using model = await startScriptedModel({ script: [say("Hello.")] });
  await using home = await temporaryDirectory();
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", SCRIPT, home.path], {
    cwd: new URL(".", import.meta.url),
    env: { PATH: process.env.PATH, ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: model.url },
    maxBuffer: 8 << 20,
  });
  const { loaded, builtins, last } = JSON.parse(stdout) as { loaded: string[]; builtins: string[]; last: string };
  expect(last).toBe("completed");
  const packages = loaded.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  expect([...new Set(packages)]).toEqual([]);
  const heavy = builtins.filter((name) => /undici|sqlite|tls_wrap|worker_threads/.test(name));
  expect(heavy).toEqual([]);
});

/** The same for a server that stays. */
const SHARED_SCRIPT = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
  const { startServer, takeServerConfig } = await import("@loom/server");
  const dataDirectory = process.argv[1];
  const access = { type: "owner", tokenFile: dataDirectory + "/token", replace: false };
  const server = await startServer({ config: takeServerConfig({}), access, dataDirectory });
  await server.close();
  console.log(JSON.stringify(loaded));`;

test("a server on SQLite loads nothing of PostgreSQL", async () => {
  await using home = await temporaryDirectory();
  const args = ["--input-type=module", "-e", SHARED_SCRIPT, home.path];
  const env = { PATH: process.env.PATH, DATABASE_URL: "postgres://nobody@127.0.0.1:1/nothing" };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: new URL(".", import.meta.url), env });
  const loaded = JSON.parse(stdout) as string[];
  expect(loaded.some((url) => url.endsWith("/kit/sqlite-database.ts"))).toBe(true);
  expect(loaded.filter((url) => /node_modules\/pg|\/kit\/postgres-(?!address)/.test(url))).toEqual([]);
});
