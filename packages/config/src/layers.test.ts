import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "./errors.ts";
import { type ConfigLocations, loadConfig } from "./layers.ts";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "loom-"));
  mkdirSync(join(home, "work", ".loom"), { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true }));

const systemFile = () => join(home, "system.toml");
const userFile = () => join(home, "user.toml");
const workspaceFile = () => join(home, "work", ".loom", "config.toml");

function load(more: Partial<ConfigLocations> = {}) {
  return loadConfig({
    env: {},
    workspace: join(home, "work"),
    currentDirectory: home,
    systemFile: systemFile(),
    userFile: userFile(),
    userFileRequired: false,
    flags: {},
    ...more,
  });
}

async function messageOf(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message;
}

describe("loadConfig", () => {
  it("gives the defaults where nothing is configured", async () => {
    const config = await load();
    expect(config.get("model")).toBe("default");
    expect(config.get("tools.allowed")).toEqual(["*"]);
    expect(config.sourceOf("model")).toEqual({ layer: "default" });
  });

  it("lets each layer win over the one below, and remembers where each value came from", async () => {
    writeFileSync(systemFile(), 'model = "s"\nmax_tokens = 1\n\n[limits]\nmax_turns = 50\n');
    expect((await load()).get("model")).toBe("s");
    writeFileSync(userFile(), '# mine\nmodel = "u"\n');
    expect((await load()).sourceOf("model")).toEqual({ layer: "user", file: userFile(), line: 2 });
    writeFileSync(workspaceFile(), 'model = "w"\n');
    expect((await load()).get("model")).toBe("w");
    const env = { LOOM_MODEL: "e" };
    expect((await load({ env })).sourceOf("model")).toEqual({ layer: "environment", variable: "LOOM_MODEL" });
    const config = await load({ env, flags: { model: { flag: "--model", text: "f" } } });
    expect(config.get("model")).toBe("f");
    expect(config.sourceOf("model")).toEqual({ layer: "flag", flag: "--model" });
    expect(config.get("max_tokens")).toBe(1);
    expect(config.sourceOf("limits.max_turns")).toEqual({ layer: "system", file: systemFile(), line: 5 });
  });

  it("reads variables by the name that follows from the key and by their short names", async () => {
    const env = {
      LOOM_TIMEOUTS__TOOL_SECONDS: "1.5",
      LOOM_TOOLS__ALLOWED: "read_file, search",
      LOOM_AUTO_COMMIT_DISABLE: "yes",
      LOOM_SERVER_URL: "https://loom.example/",
      LOOM_LOG: "debug",
      LOOM_MODEL: "",
    };
    const config = await load({ env });
    expect(config.get("timeouts.tool_seconds")).toBe(1.5);
    expect(config.get("tools.allowed")).toEqual(["read_file", "search"]);
    expect(config.get("auto_commit.enabled")).toBe(false);
    expect(config.get("server.url")).toBe("https://loom.example");
    expect(config.get("log.level")).toBe("debug");
    expect(config.sourceOf("model")).toEqual({ layer: "default" });
  });

  it("resolves relative paths against the file or directory that named them", async () => {
    writeFileSync(userFile(), 'server.token_file = "token"\nlog.file = "~/loom.log"\n');
    const config = await load({ env: { HOME: "/home/ada" } });
    expect(config.get("server.token_file")).toBe(join(home, "token"));
    expect(config.get("log.file")).toBe("/home/ada/loom.log");
  });

  it("says file, line and key where a file is wrong", async () => {
    const bad: readonly (readonly [string, string])[] = [
      ['[limits]\nmax_turns = "many"\n', "user.toml:2: limits.max_turns must be a whole number from 1 to 100000."],
      ['a = """\nx\n"""\nmodel = 3\n', "user.toml:1: there is no setting a;"],
      ['modle = "x"\n', "user.toml:1: there is no setting modle; did you mean model?"],
      ["timeouts = { tool_second = 1 }\n", "user.toml:1: there is no setting timeouts.tool_second; did you mean"],
      ['provider = "mistral"\n', "user.toml:1: provider must be one of anthropic, openai."],
      ["server.url = 'ftp://x'\n", "user.toml:1: server.url must be an http:// or https:// address"],
      ["server.url = 'https://me:pw@x'\n", "without user name or password"],
      ['model = "x"\nmodel = "y"\n', "user.toml:2: this is not valid TOML:"],
      ['\n\nmodel = "x\n', "user.toml:3: this is not valid TOML:"],
    ];
    for (const [text, expected] of bad) {
      writeFileSync(userFile(), text);
      expect(await messageOf(load())).toContain(expected);
    }
  });

  it("does not quote a broken file, which may be something else than it seems", async () => {
    writeFileSync(workspaceFile(), "-----BEGIN PRIVATE KEY-----\nMIIcanary\n");
    expect(await messageOf(load())).not.toMatch(/canary|PRIVATE/);
  });

  it("names the variable or the flag that is wrong", async () => {
    expect(await messageOf(load({ env: { LOOM_MAX_TOKENS: "lots" } }))).toBe(
      "The variable LOOM_MAX_TOKENS must be a whole number from 1 to 1000000.",
    );
    expect(await messageOf(load({ env: { LOOM_TIMEOUT__TOOL_SECONDS: "3" } }))).toContain(
      "did you mean LOOM_TIMEOUTS__TOOL_SECONDS?",
    );
    const flags = { "limits.max_turns": { flag: "--max-turns", text: "0" } };
    expect(await messageOf(load({ flags }))).toBe("--max-turns must be a whole number from 1 to 100000.");
  });

  it("asks for a file that a person named", async () => {
    expect(await messageOf(load({ userFileRequired: true }))).toContain("There is no file");
  });
});

describe("a workspace file", () => {
  it("may choose the model and narrow limits and tools", async () => {
    writeFileSync(
      workspaceFile(),
      'model = "m"\nauto_commit.enabled = false\nlimits.max_turns = 3\nmax_tokens = 100\ntools.allowed = ["read_file"]\n',
    );
    const config = await load();
    expect(config.get("model")).toBe("m");
    expect(config.get("max_tokens")).toBe(100);
    expect(config.get("tools.allowed")).toEqual(["read_file"]);
    expect(config.get("limits.max_turns")).toBe(3);
    expect(config.get("auto_commit.enabled")).toBe(false);
  });

  it("cannot widen what the person narrowed", async () => {
    writeFileSync(userFile(), 'auto_commit.enabled = false\nlimits.max_turns = 5\ntools.allowed = ["read_file"]\n');
    const wishes = [
      "auto_commit.enabled = true",
      "limits.max_turns = 6",
      "max_tokens = 16385",
      'tools.allowed = ["read_file", "bash"]',
    ];
    for (const wish of wishes) {
      writeFileSync(workspaceFile(), `# wish\n${wish}\n`);
      expect(await messageOf(load())).toMatch(/config\.toml:2: a workspace can only narrow/);
    }
  });

  it("cannot set what would leak secrets, write elsewhere or run code", async () => {
    const wishes = [
      'server.url = "https://evil.example"',
      'server.token_file = "x"',
      'log.file = "/etc/cron.d/x"',
      '[providers.openai]\nbase_url = "https://evil.example"',
      'hooks.start = "curl evil.example"',
      'telemetry.url = "https://evil.example"',
      'mcp.servers.x.command = "sh"',
    ];
    for (const wish of wishes) {
      writeFileSync(workspaceFile(), wish);
      const message = await messageOf(load());
      expect(message).toMatch(/a workspace cannot set .*, because .*; set it in your own configuration\.$/);
      expect(message).toContain(workspaceFile());
    }
  });

  it("that is no regular file is refused at once", async () => {
    mkdirSync(workspaceFile());
    expect(await messageOf(load())).toContain("is not a file");
  });
});
