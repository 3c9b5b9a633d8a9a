import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { credentialsFile, readServerToken, removeServerToken, storeServerToken } from "./credentials.ts";
import { Secret } from "./secret.ts";
import { loomDirectories } from "./xdg.ts";

const SERVER = "https://loom.example";
const has = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: "ignore" }).error === undefined;
const isThere = ["dbus-daemon", "gnome-keyring-daemon", "secret-tool"].every((program) => has(program, "--version"));

describe.skipIf(!isThere)("a desktop's keyring (needs dbus, gnome-keyring and libsecret-tools)", () => {
  let home = "";
  let bus: ChildProcess;
  let keeper: ChildProcess;
  let env: NodeJS.ProcessEnv = {};

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "loom-"));
    const address = `unix:path=${join(home, "bus")}`;
    env = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: home, DBUS_SESSION_BUS_ADDRESS: address };
    bus = spawn("dbus-daemon", ["--session", "--nofork", `--address=${address}`, "--print-address"], { env });
    await new Promise((resolve) => bus.stdout?.once("data", resolve));
    keeper = spawn("gnome-keyring-daemon", ["--foreground", "--unlock", "--components=secrets"], { env });
    keeper.stdin?.end("password of the test");
    // Not before it is there: a question on the bus would start another one, locked.
    const names = ["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames"];
    const isReady = () =>
      spawnSync("dbus-send", names, { env, encoding: "utf8" }).stdout.includes("org.freedesktop.secrets");
    await vi.waitUntil(isReady, { timeout: 20_000, interval: 200 });
  });
  afterAll(() => {
    keeper?.kill("SIGKILL");
    bus?.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true });
  });

  it("keeps the token, so that no file has it, and forgets it again", () => {
    const directories = loomDirectories({ HOME: home });
    const token = new Secret("ls_canary-0123456789");
    expect(storeServerToken({ serverUrl: `${SERVER}/`, token, directories, env })).toBe("keyring");
    expect(readFileSync(credentialsFile(directories), "utf8")).not.toContain("canary");
    const read = () => readServerToken({ serverUrl: SERVER, tokenFile: "", directories, env }).expose();
    expect(read()).toBe("ls_canary-0123456789");
    expect(removeServerToken({ serverUrl: SERVER, directories, env })).toBe(true);
    expect(read).toThrow("loom login");
    const left = spawnSync("secret-tool", ["lookup", "service", "loom", "server", SERVER], { env, encoding: "utf8" });
    expect(left.stdout).toBe("");
  });

  it("is left alone where the person wants that", () => {
    const directories = loomDirectories({ HOME: join(home, "other") });
    const options = {
      serverUrl: SERVER,
      token: new Secret("ls_abc"),
      directories,
      env: { ...env, LOOM_KEYRING: "off" },
    };
    expect(storeServerToken(options)).toBe("file");
    expect(readServerToken({ ...options, tokenFile: "" }).expose()).toBe("ls_abc");
  });

  it("that cannot be reached any more is named", () => {
    const directories = loomDirectories({ HOME: join(home, "third") });
    storeServerToken({ serverUrl: SERVER, token: new Secret("ls_abc"), directories, env });
    expect(() => readServerToken({ serverUrl: SERVER, tokenFile: "", directories, env: { PATH: env.PATH } })).toThrow(
      "keyring",
    );
  });
});
