import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTempHome, runProcess, say, startProcess, startScriptedModel, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loomAnswers, serverAnswers } from "../scripts/bundle/answers.ts";

const root = new URL("..", import.meta.url).pathname;

const POLICY_ENGINE = "cedar_wasm_bg.wasm";

let home: TempHome;
let elsewhere: string;

beforeAll(async () => {
  home = await createTempHome();
  elsewhere = await mkdtemp(join(tmpdir(), "loom-bundle-"));
  const build = await runProcess(process.execPath, [`${root}scripts/build.ts`, join(elsewhere, "dist")]);
  expect(build.stderr).toBe("");
  // Alone: nothing of the checkout is near.
  await cp(join(elsewhere, "dist", "loom.mjs"), join(elsewhere, "loom.mjs"));
  await cp(join(elsewhere, "dist", "loom-server.mjs"), join(elsewhere, "loom-server.mjs"));
  await cp(join(elsewhere, "dist", POLICY_ENGINE), join(elsewhere, POLICY_ENGINE));
});

afterAll(async () => {
  await rm(elsewhere, { recursive: true, force: true });
  await home.remove();
});

function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return runProcess(process.execPath, [join(elsewhere, program), ...args], {
    cwd: elsewhere,
    env: { ...home.env, ...env },
  });
}

const PROGRAMS = [
  { name: "loom", source: "apps/cli/src/main.ts", answers: loomAnswers() },
  { name: "loom-server", source: "apps/server/src/main.ts", answers: serverAnswers() },
];

test.each(PROGRAMS)(
  "$name is one file that says its version and its help as the source does",
  async (program) => {
    for (const { words } of program.answers) {
      const fromSource = await runProcess(process.execPath, [root + program.source, ...words], { env: home.env });
      expect(fromSource).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining(program.name) });
      expect(await run(`${program.name}.mjs`, words)).toEqual(fromSource);
    }
  },
  120_000,
);

test("a call that only looks like a question after help is left to the application", async () => {
  const { code, stderr } = await run("loom.mjs", ["config show --help"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^loom: /);
});

test("the bundled agent does a turn through the server it carries, cold and from its code cache", async () => {
  await using model = await startScriptedModel({ script: () => say("Hello from the bundle.") });
  const env = { ANTHROPIC_API_KEY: "scripted", LOOM_SERVER_ANTHROPIC_BASE_URL: model.url };
  for (const _ of ["cold", "warm"]) {
    const result = await run("loom.mjs", ["-p", "hello"], env);
    expect(result).toMatchObject({ code: 0, stdout: "Hello from the bundle.\n" });
  }
});

test("a cache directory that cannot be made costs nothing but the cache", async () => {
  for (const args of [["list"], ["config", "show"]]) {
    expect(await run("loom.mjs", args, { XDG_CACHE_HOME: "/proc/none" })).toMatchObject({ code: 0, timedOut: false });
  }
});

test.each([
  ["cut off", `printf damaged > "$f"`],
  ["overwritten at the beginning", `printf damaged | dd of="$f" conv=notrunc`],
  ["all zeros", `truncate -s "$(stat -c %s "$f")" "$f.zeros" && mv "$f.zeros" "$f"`],
])("a code cache that is %s is not used, does no harm, and is made again", async (_, damage) => {
  await run("loom.mjs", ["list"]);
  const cache = join(home.cacheDir, "loom", "code");
  const digests = async () => (await runProcess("sh", ["-c", `cksum ${cache}/loom-[0-9a-f]*`])).stdout;
  await runProcess("sh", ["-c", `for f in ${cache}/*; do ${damage}; done`]);
  const damaged = await digests();
  expect(await run("loom.mjs", ["list"])).toMatchObject({ code: 0, stderr: "" });
  expect(await digests()).not.toBe(damaged);
});

test("a code cache that others may write is not used", async () => {
  await run("loom.mjs", ["list"]);
  const cache = join(home.cacheDir, "loom", "code");
  await runProcess("sh", ["-c", `for f in ${cache}/*; do printf 'process.exit(7)' > "$f"; chmod 666 "$f"; done`]);
  expect(await run("loom.mjs", ["list"])).toMatchObject({ code: 0, stderr: "" });
});

test("the bundled server decides by the policies that it carries, with the engine that stands beside it", async () => {
  const data = join(elsewhere, "data");
  const args = [join(elsewhere, "loom-server.mjs"), "--listen", "127.0.0.1:0", "--data", data];
  const env = { ...home.env, ANTHROPIC_API_KEY: "scripted" };
  const running = await startProcess(process.execPath, args, { env, cwd: elsewhere });
  const [, url = ""] = await running.waitForOutput(/Listening on (\S+)\.\n/);
  const owner = (await readFile(join(data, "owner-token"), "utf8")).trim();
  const ask = (path: string, token: string, body?: object) =>
    fetch(url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const { token } = (await (await ask("/api/tokens", owner, { name: "ci", scopes: ["usage:read"] })).json()) as {
    token: string;
  };
  expect((await ask("/api/usage", token)).status).toBe(200);
  expect((await ask("/api/models", token)).status).toBe(403);
  expect((await ask("/api/models", owner)).status).toBe(200);
  running.signal("SIGTERM");
  expect((await running.exited).code).toBe(0);
});

test("a bundled server without its policy engine says so and does not start", async () => {
  const alone = await mkdtemp(join(tmpdir(), "loom-bundle-"));
  await cp(join(elsewhere, "loom-server.mjs"), join(alone, "loom-server.mjs"));
  const args = [join(alone, "loom-server.mjs"), "--listen", "127.0.0.1:0", "--data", join(alone, "data")];
  const { code, stderr } = await runProcess(process.execPath, args, { env: home.env });
  await rm(alone, { recursive: true, force: true });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^loom-server: The policy engine is not where it should be [^\n]+\.\n$/);
});
