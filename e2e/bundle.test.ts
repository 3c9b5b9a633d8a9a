import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTempHome, runProcess, say, startScriptedModel, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = new URL("..", import.meta.url).pathname;

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

test("each program is one file that says its version and its help", async () => {
  for (const program of ["loom.mjs", "loom-server.mjs"]) {
    expect(await run(program, ["--version"])).toMatchObject({ code: 0, stderr: "" });
    expect((await run(program, ["--help"])).stdout).toContain("Usage");
  }
});

test("the bundled agent does a turn through the server it carries, cold and from its code cache", async () => {
  await using model = await startScriptedModel({ script: () => say("Hello from the bundle.") });
  const env = { ANTHROPIC_API_KEY: "scripted", LOOM_SERVER_ANTHROPIC_BASE_URL: model.url };
  for (const _ of ["cold", "warm"]) {
    const result = await run("loom.mjs", ["-p", "hello"], env);
    expect(result).toMatchObject({ code: 0, stdout: "Hello from the bundle.\n" });
  }
});

test("a code cache that is damaged is not used, and does no harm", async () => {
  const cache = join(home.cacheDir, "loom", "code");
  await runProcess("sh", ["-c", `for f in ${cache}/*; do printf damaged > "$f"; done`]);
  expect((await run("loom.mjs", ["--help"])).stdout).toContain("Usage");
});
