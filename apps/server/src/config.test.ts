import { inspect } from "node:util";
import { ConfigError } from "@loom/config";
import { describe, expect, test } from "vitest";
import { takeServerConfig } from "./config.ts";
import { temporaryDirectory } from "./testing.ts";

describe("the key of a provider", () => {
  test.each([
    ["ANTHROPIC_API_KEY", "anthropic"],
    ["LOOM_SERVER_ANTHROPIC_API_KEY", "anthropic"],
    ["OPENAI_API_KEY", "openai"],
    ["LOOM_SERVER_OPENAI_API_KEY", "openai"],
  ] as const)("comes from %s and is gone from the environment afterwards", (variable, name) => {
    const env: NodeJS.ProcessEnv = { [variable]: "sk-the-key-itself", PATH: "/bin" };
    const config = takeServerConfig(env);
    expect(config.providers[name]?.key?.expose()).toBe("sk-the-key-itself");
    expect(env).toEqual({ PATH: "/bin" });
    expect(inspect(config, { depth: 9 })).not.toContain("sk-the-key-itself");
  });

  test("comes from a file if one is named, and the variable beside it is taken away all the same", async () => {
    await using directory = await temporaryDirectory();
    const { writeFile } = await import("node:fs/promises");
    await writeFile(`${directory.path}/key`, "sk-from-the-file\n", { mode: 0o600 });
    const env: NodeJS.ProcessEnv = { OPENAI_API_KEY_FILE: `${directory.path}/key`, OPENAI_API_KEY: "sk-other" };
    expect(takeServerConfig(env).providers.openai?.key?.expose()).toBe("sk-from-the-file");
    expect(env.OPENAI_API_KEY).toBeUndefined();
  });

  test("that is meant for the server wins over the general one", () => {
    const env = { OPENAI_API_KEY: "sk-general", LOOM_SERVER_OPENAI_API_KEY: "sk-special" };
    expect(takeServerConfig(env).providers.openai?.key?.expose()).toBe("sk-special");
  });

  test("in a file that does not exist is an error that names file and variable", () => {
    expect(() => takeServerConfig({ ANTHROPIC_API_KEY_FILE: "/nowhere/key" })).toThrow(
      /\/nowhere\/key.*ANTHROPIC_API_KEY_FILE/,
    );
  });
});

describe("the address of a provider", () => {
  const baseUrlOf = (env: NodeJS.ProcessEnv, name: "anthropic" | "openai" = "openai") =>
    takeServerConfig(env).providers[name]?.baseUrl;

  test("is the provider's own unless something else is said", () => {
    expect(baseUrlOf({ ANTHROPIC_API_KEY: "k" }, "anthropic")).toBe("https://api.anthropic.com");
    expect(baseUrlOf({ OPENAI_API_KEY: "k" })).toBe("https://api.openai.com/v1");
  });

  test("of a local server is enough, without a key", () => {
    expect(takeServerConfig({ LOOM_OPENAI_BASE_URL: "http://localhost:11434/v1/" }).providers.openai).toEqual({
      name: "openai",
      kind: "openai",
      baseUrl: "http://localhost:11434/v1",
      isOfficial: false,
      isCompatible: true,
      key: undefined,
      model: undefined,
      fastModel: undefined,
    });
  });

  test("goes with its key: the general address counts only with the general key", () => {
    const address = { OPENAI_BASE_URL: "http://proxy.example/v1" };
    expect(baseUrlOf({ ...address, OPENAI_API_KEY: "k" })).toBe("http://proxy.example/v1");
    expect(baseUrlOf({ ...address, LOOM_SERVER_OPENAI_API_KEY: "k" })).toBe("https://api.openai.com/v1");
    expect(baseUrlOf(address)).toBeUndefined();
  });

  test.each([
    ["no address", "localhost:11434"],
    ["a file", "file:///etc/passwd"],
    ["a scheme that is no HTTP", "ftp://example.org"],
    ["a password", "https://user:hunter2@example.org/v1"],
    ["a query", "https://example.org/v1?key=hunter2"],
    ["a fragment", "https://example.org/v1#hunter2"],
  ])("that is or holds %s is refused without repeating it", (_, value) => {
    const take = () => takeServerConfig({ LOOM_SERVER_ANTHROPIC_BASE_URL: value });
    expect(take).toThrow(ConfigError);
    expect(take).toThrow(/^LOOM_SERVER_ANTHROPIC_BASE_URL (?!.*hunter2).*\.$/);
  });
});

describe("the default provider", () => {
  const keys = { ANTHROPIC_API_KEY: "a", OPENAI_API_KEY: "o" };

  test.each([
    [{}, undefined],
    [{ OPENAI_API_KEY: "o" }, "openai"],
    [keys, "anthropic"],
    [{ ...keys, LOOM_SERVER_DEFAULT_PROVIDER: "openai" }, "openai"],
    [{ ...keys, LOOM_OPENAI_BASE_URL: "http://localhost:1/v1" }, "openai"],
  ])("with %j is %s", (env, expected) => {
    expect(takeServerConfig({ ...env }).defaultProvider).toBe(expected);
  });

  test("has to be one that exists", () => {
    expect(() => takeServerConfig({ LOOM_SERVER_DEFAULT_PROVIDER: "mistral" })).toThrow("anthropic, openai");
  });
});

describe("a deadline", () => {
  test("is given in seconds", () => {
    const { deadlines } = takeServerConfig({ LOOM_SERVER_GAP_TIMEOUT: "2.5", LOOM_SERVER_CONNECT_TIMEOUT: "" });
    expect(deadlines).toMatchObject({ gapMs: 2_500, connectMs: 10_000, headersMs: 120_000 });
  });

  test.each(["0", "-1", "1e9", "soon", "1m", "0x10", "Infinity"])("of %s is refused", (value) => {
    expect(() => takeServerConfig({ LOOM_SERVER_HEADERS_TIMEOUT: value })).toThrow(
      /^LOOM_SERVER_HEADERS_TIMEOUT has to/,
    );
  });
});
