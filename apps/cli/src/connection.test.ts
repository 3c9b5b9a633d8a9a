import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createTempHome,
  type RunningProcess,
  type ScriptedModel,
  say,
  startScriptedModel,
  type TempHome,
} from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodeOf } from "./exit-codes.ts";
import { envFor, PATIENT, runLoom, startLoom } from "./testing.ts";

let home: TempHome;
let model: ScriptedModel;
let server: RunningProcess;
let url: string;
let tokenFile: string;
beforeAll(async () => {
  home = await createTempHome();
  model = await startScriptedModel({ script: () => say("From afar.") });
  tokenFile = join(home.path, "token");
  const args = [
    "server",
    "--listen",
    "127.0.0.1:0",
    "--data",
    join(home.path, "data"),
    "--owner-token-file",
    tokenFile,
  ];
  server = await startLoom(home, args, { env: envFor(model) });
  url = (await server.waitForOutput(/Listening on (http:\S+?)\.?\n/))[1] ?? "";
});
afterAll(async () => {
  server.signal("SIGTERM");
  await server.exited;
  await model.close();
  await home.remove();
});

const ask = (env: Readonly<Record<string, string>>) => runLoom(home, ["-p", "hello"], { env });

describe("a server elsewhere", PATIENT, () => {
  it("is asked with the token of the named file; no key is needed here", async () => {
    const result = await ask({ LOOM_SERVER_URL: url, LOOM_SERVER_TOKEN_FILE: tokenFile });
    expect(result).toMatchObject({ code: 0, stdout: "From afar.\n", stderr: "" });
  });

  it("is asked with the token of the credentials file", async () => {
    const credentials = join(home.configDir, "loom", "credentials.json");
    mkdirSync(join(credentials, ".."), { recursive: true });
    writeFileSync(credentials, JSON.stringify({ [url]: readFileSync(tokenFile, "utf8").trim() }), { mode: 0o600 });
    expect(await ask({ LOOM_SERVER_URL: url })).toMatchObject({ code: 0, stdout: "From afar.\n" });
  });

  it("that does not know the token is told as such", async () => {
    const wrong = join(home.path, "wrong-token");
    writeFileSync(wrong, `lt_${"x".repeat(43)}`, { mode: 0o600 });
    const { code, stderr } = await ask({ LOOM_SERVER_URL: url, LOOM_SERVER_TOKEN_FILE: wrong });
    expect(code).toBe(exitCodeOf("unauthorized"));
    expect(stderr).toContain(url);
    expect(stderr).not.toContain("lt_");
  });

  it("is not asked with a token that other users can read", async () => {
    const open = join(home.path, "open-token");
    writeFileSync(open, "lt_canary");
    chmodSync(open, 0o644);
    const { code, stderr } = await ask({ LOOM_SERVER_URL: url, LOOM_SERVER_TOKEN_FILE: open });
    expect(code).toBe(exitCodeOf("configuration"));
    expect(stderr).toBe(`loom: ${open} holds a token and can be read by other users: run "chmod 600 ${open}".\n`);
  });

  it("that is not there ends the run", async () => {
    const env = { LOOM_SERVER_URL: "http://127.0.0.1:9", LOOM_SERVER_TOKEN_FILE: tokenFile };
    const { code, stderr } = await ask(env);
    expect(code).toBe(exitCodeOf("unreachable"));
    expect(stderr).toContain("http://127.0.0.1:9");
  });
});

describe("loom server", PATIENT, () => {
  it("shows the help of loom-server", async () => {
    const { code, stdout } = await runLoom(home, ["server", "--help"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("Usage: loom-server") });
  });

  it("refuses flags as loom-server does", async () => {
    expect((await runLoom(home, ["server", "--lisen", "x"])).code).toBe(exitCodeOf("usage"));
  });
});
