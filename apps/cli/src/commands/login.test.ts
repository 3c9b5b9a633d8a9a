import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTempHome, type RunningProcess, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { PATIENT, runLoom, startLoom } from "../testing.ts";

let house: TempHome;
let server: RunningProcess;
let url = "";
beforeAll(async () => {
  house = await createTempHome();
  const env = { LOOM_SERVER_DEV_USER: "ada@example.com" };
  server = await startLoom(house, ["server", "--listen", "127.0.0.1:0", "--data", join(house.path, "data")], {
    env,
    timeoutMs: 300_000,
  });
  url = (await server.waitForOutput(/Listening on (http:\S+)\.\n/))[1] ?? "";
});
afterAll(async () => {
  server.kill();
  await house.remove();
});

/** The browser in which ada is signed in. */
async function browser() {
  const entered = await fetch(`${url}/auth/development`, { redirect: "manual" });
  const cookie = entered.headers
    .getSetCookie()
    .map((each) => each.split(";")[0])
    .join("; ");
  return {
    get: async (address: string) => (await fetch(address, { headers: { cookie } })).text(),
    post: (path: string, form: Record<string, string>) =>
      fetch(`${url}${path}`, {
        method: "POST",
        redirect: "manual",
        headers: { cookie, origin: url },
        body: new URLSearchParams(form),
      }),
  };
}

/** What the page's hidden fields say. */
function fieldsOf(page: string): Record<string, string> {
  const fields = page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g);
  return Object.fromEntries([...fields].map(([, name = "", value = ""]) => [name, value.replaceAll("&amp;", "&")]));
}

async function signIn(home: TempHome, env: Record<string, string> = {}) {
  const login = await startLoom(home, ["login", url, "--device"], { env });
  const code = (await login.waitForOutput(/ {4}([A-Z]{4}-[A-Z]{4})\n/))[1] ?? "";
  await (await browser()).post("/device", { user_code: code, decision: "allow" });
  return login.exited;
}

describe("loom login", PATIENT, () => {
  it("with a code: the server is remembered, whoami knows, logout ends the session there", async () => {
    await using home = await createTempHome();
    const result = await signIn(home);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toContain("as ada");
    const file = join(home.configDir, "loom", "credentials.json");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const [token = ""] = Object.values(JSON.parse(await readFile(file, "utf8")) as Record<string, string>);
    const who = await runLoom(home, ["whoami"]);
    expect(who).toMatchObject({ code: 0, stderr: "" });
    expect(who.stdout).toContain("ada <ada@example.com>");
    expect(JSON.parse((await runLoom(home, ["whoami", "--json"])).stdout)).toMatchObject({ type: "user", server: url });
    expect(await runLoom(home, ["logout"])).toMatchObject({ code: 0, stderr: "", stdout: `Signed out of ${url}.\n` });
    const answer = await fetch(`${url}/api/whoami`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(401);
    expect(await readFile(file, "utf8")).not.toContain(token);
    expect((await runLoom(home, ["whoami"])).code).toBe(exitCodeOf("configuration"));
    expect(await runLoom(home, ["logout"])).toMatchObject({ code: 0, stdout: `You were not signed in to ${url}.\n` });
  });

  it("through the browser of this machine", async () => {
    await using home = await createTempHome();
    // What a desktop has: a display, and a program that opens addresses.
    const opened = join(home.path, "opened");
    const bin = join(home.path, "bin");
    await mkdir(bin);
    await writeFile(
      join(bin, "xdg-open"),
      `#!/bin/sh\nprintf %s "$1" > "${opened}.new" && mv "${opened}.new" "${opened}"\n`,
    );
    await chmod(join(bin, "xdg-open"), 0o755);
    const env = { DISPLAY: ":0", PATH: `${bin}:${home.env.PATH}` };
    const login = await startLoom(home, ["login", url], { env });
    await expect.poll(() => existsSync(opened), { timeout: 30_000 }).toBe(true);
    const ada = await browser();
    const page = await ada.get(await readFile(opened, "utf8"));
    const answer = await ada.post("/oauth/authorize", { ...fieldsOf(page), decision: "allow" });
    const callback = answer.headers.get("location") ?? "";
    expect(callback).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback\?/);
    const forged = new URL(callback);
    forged.searchParams.set("state", "forged");
    expect((await fetch(forged)).status).toBe(404);
    expect((await fetch(callback)).status).toBe(200);
    expect(await login.exited).toMatchObject({ code: 0, stdout: expect.stringContaining("as ada") });
    expect((await runLoom(home, ["whoami"])).stdout).toContain("ada@example.com");
  });

  it("is over when the user says no, and Ctrl+C leaves nothing behind", async () => {
    await using home = await createTempHome();
    const login = await startLoom(home, ["login", url]);
    const code = (await login.waitForOutput(/ {4}([A-Z]{4}-[A-Z]{4})\n/))[1] ?? "";
    await (await browser()).post("/device", { user_code: code, decision: "deny" });
    expect(await login.exited).toMatchObject({
      code: exitCodeOf("unauthorized"),
      stderr: "loom: Not signed in: you said no in the browser.\n",
    });
    const second = await startLoom(home, ["login", url]);
    await second.waitForOutput(/ {4}[A-Z]{4}-[A-Z]{4}\n/);
    second.signal("SIGINT");
    expect(await second.exited).toMatchObject({ code: exitCodeOf("interrupted"), stderr: "loom: Not signed in.\n" });
    expect(existsSync(join(home.configDir, "loom"))).toBe(false);
  });

  it("leaves a configuration file of the user's as it is, and says what to put there", async () => {
    await using home = await createTempHome();
    const file = join(home.configDir, "loom", "config.toml");
    await mkdir(join(home.configDir, "loom"), { recursive: true });
    await writeFile(file, "# mine\n");
    const { code, stdout } = await signIn(home);
    expect(code).toBe(0);
    expect(stdout).toContain(`url = "${url}" under [server] in ${file}`);
    expect(await readFile(file, "utf8")).toBe("# mine\n");
  });

  it.each([
    [["login"], "configuration", "Say which server"],
    [["login", "nonsense"], "usage", "not the address of a server"],
    [["login", "http://loom.example.com"], "usage", "without TLS"],
    [["login", "http://127.0.0.1:9"], "unreachable", "127.0.0.1:9"],
    [["whoami", "http://127.0.0.1:9"], "configuration", "loom login"],
  ] as const)("%j is refused in one sentence", async (words, exit, named) => {
    await using home = await createTempHome();
    const { code, stdout, stderr } = await runLoom(home, words);
    expect({ code, stdout }).toEqual({ code: exitCodeOf(exit), stdout: "" });
    expect(stderr).toContain(named);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("says without a server that there is none to sign in to", async () => {
    await using home = await createTempHome();
    expect(await runLoom(home, ["whoami"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("No server is configured"),
    });
  });
});
