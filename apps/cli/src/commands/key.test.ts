import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ApiKeyInfo } from "@loom/api";
import { createTempHome, type RunningProcess, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { PATIENT, runLoom, startLoom } from "../testing.ts";

let home: TempHome;
let server: RunningProcess;
let url: string;
/** The file with the token of the server's owner. */
let owner: string;

beforeAll(async () => {
  home = await createTempHome();
  owner = join(home.path, "token");
  const args = ["server", "--listen", "127.0.0.1:0", "--data", join(home.path, "data"), "--owner-token-file", owner];
  server = await startLoom(home, args, { env: { LOOM_SERVER_DEV_USER: "ada@example.com" } });
  url = (await server.waitForOutput(/Listening on (http:\S+?)\.?\n/))[1] ?? "";
  await fetch(`${url}/auth/development`, { redirect: "manual" });
  const made = await loom(["org", "create", "acme", "--owner", "ada"]);
  expect(made).toMatchObject({ code: 0, stderr: "" });
}, PATIENT.timeout);
afterAll(async () => {
  server.kill();
  await home.remove();
});

function loom(words: readonly string[], token = owner) {
  return runLoom(home, words, { env: { LOOM_SERVER_URL: url, LOOM_SERVER_TOKEN_FILE: token } });
}

describe("loom key", PATIENT, () => {
  it("takes a key of an organization from its making to its end", async () => {
    const made = await loom([
      "key",
      "create",
      "ci",
      "--org",
      "acme",
      "--scope",
      "usage:read,org:manage",
      "--expires",
      "7d",
    ]);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const key = made.stdout.trim();
    expect(key).toMatch(/^lk_[\w-]{49}$/);
    const file = join(home.path, "key");
    writeFileSync(file, key, { mode: 0o600 });
    expect((await loom(["org", "show", "acme"], file)).stdout).toContain("acme");
    expect((await loom(["key", "list", "--org", "acme"], file)).code).not.toBe(0);

    const listed = await loom(["key", "list", "--org", "acme", "--json"]);
    const [info] = JSON.parse(listed.stdout) as ApiKeyInfo[];
    expect(info).toMatchObject({ name: "ci", lastFour: key.slice(-4), scopes: ["usage:read", "org:manage"] });
    const id = info?.id ?? "";
    const rotated = await loom(["key", "rotate", id, "--overlap", "30m", "--json"]);
    const next = JSON.parse(rotated.stdout) as { key: string; info: ApiKeyInfo };
    expect(next.info.name).toBe("ci");
    expect((await loom(["org", "show", "acme"], file)).code).toBe(0);
    expect((await loom(["key", "revoke", id])).stdout).toBe(`The key ci (...${key.slice(-4)}) is void.\n`);
    expect((await loom(["org", "show", "acme"], file)).code).not.toBe(0);
    const table = (await loom(["key", "list", "--org", "acme"])).stdout;
    expect(table).toMatch(/revoked/);
    expect(table).not.toContain(key);
    expect(table).not.toContain(next.key);
  });

  it.each([
    [["key", "create", "x", "--scope", "everything"], "--scope"],
    [["key", "create", "x", "--expires", "yesterday"], "--expires"],
    [["key", "rotate", "key-1", "--overlap", "8d"], "--overlap"],
    [["key", "rotate", "key-1", "--overlap", "long"], "--overlap"],
  ])("says what is wrong: %j", async (words, flag) => {
    const { code, stderr, stdout } = await loom(words);
    expect({ code, stdout }).toEqual({ code: exitCodeOf("usage"), stdout: "" });
    expect(stderr).toContain(flag);
  });
});
