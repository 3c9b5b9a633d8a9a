import { describe, expect, test } from "vitest";
import { takeServerConfig } from "../../config.ts";
import type { Dialect } from "../../gateway-types.ts";
import { straightRouting } from "./straight-routing.ts";

const ALL = {
  ANTHROPIC_API_KEY: "k",
  OPENAI_API_KEY: "k",
  GEMINI_API_KEY: "k",
  LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: "http://127.0.0.1:1/v1",
  LOOM_SERVER_COMPATIBLE_LAB_MODEL: "qwen3",
  LOOM_SERVER_COMPATIBLE_LAB_FAST_MODEL: "gemma-3-4b-it",
};

function way(env: NodeJS.ProcessEnv, dialect: Dialect, model: string): string {
  const plan = straightRouting(takeServerConfig({ ...env })).plan({ model, dialect });
  return plan.ok ? plan.steps.map((step) => `${step.upstream} ${step.model}`).join() : plan.failure.message;
}

describe("a model that names no provider", () => {
  test.each<[Dialect, string, string]>([
    ["gemini", "gemma-3-27b-it", "gemini gemma-3-27b-it"],
    ["chat", "gemma-3-27b-it", "gemini gemma-3-27b-it"],
    ["chat", "ft:gpt-4o-mini:acme::id", "openai ft:gpt-4o-mini:acme::id"],
    ["anthropic", "codex-mini-latest", "openai codex-mini-latest"],
    ["anthropic", "computer-use-preview", "openai computer-use-preview"],
    ["anthropic", "text-embedding-3-small", "openai text-embedding-3-small"],
    ["chat", "models/gemini-3.5-flash", "gemini gemini-3.5-flash"],
    ["chat", "models/lab/qwen3", "lab qwen3"],
    ["chat", "models/fast", "anthropic claude-haiku-4-5"],
    ["chat", "claude-sonnet-5", "anthropic claude-sonnet-5"],
    ["chat", "qwen3", "lab qwen3"],
    ["gemini", "gemma-3-4b-it", "lab gemma-3-4b-it"],
    ["chat", "lab/gpt-5.4", "lab gpt-5.4"],
  ])("is, in %s, known by its name: %s", (dialect, model, expected) => {
    expect(way(ALL, dialect, model)).toBe(expected);
  });

  test.each<[Dialect, string]>([
    ["anthropic", "anthropic"],
    ["chat", "openai"],
    ["responses", "openai"],
    ["gemini", "gemini"],
    ["loom", "anthropic"],
  ])("and that nobody knows is, in %s, of %s", (dialect, provider) => {
    for (const model of ["gtp-5.4", "gpt-oss-20b"]) expect(way(ALL, dialect, model)).toBe(`${provider} ${model}`);
  });

  test.each<Dialect>(["anthropic", "chat", "responses", "gemini", "loom"])(
    "goes, in %s, to no maker of models where it names somebody who is not set up",
    (dialect) => {
      const { LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: _url, ...rest } = ALL;
      for (const env of [rest, { ANTHROPIC_API_KEY: "k" }, { OPENAI_API_KEY: "k" }]) {
        expect(way(env, dialect, "lab/internal")).toMatch(/^There is no provider "lab": use /);
        expect(way(env, dialect, "vertex/gemini-3.5-flash")).toMatch(/^The provider vertex is not set up/);
        expect(way(env, dialect, "zai/glm-5")).toMatch(/^The provider zai is not set up/);
      }
    },
  );

  test("may have a slash where servers of one's own are asked, or Gemini", () => {
    const local = { LOOM_OPENAI_BASE_URL: "http://127.0.0.1:1/v1" };
    for (const model of ["anthropic/claude-3", "lab/qwen3"]) {
      expect(way(local, "chat", model)).toBe(`openai ${model}`);
      const proxy = { OPENAI_API_KEY: "k", LOOM_SERVER_OPENAI_BASE_URL: "http://127.0.0.1:1/v1" };
      expect(way(proxy, "chat", model)).toMatch(
        model === "lab/qwen3" ? /^openai lab/ : /^The provider anthropic is not/,
      );
    }
    for (const dialect of ["gemini", "chat"] as const)
      expect(way(ALL, dialect, "tunedModels/mine")).toBe("gemini tunedModels/mine");
    expect(way({ OPENAI_API_KEY: "k" }, "chat", "tunedModels/mine")).toMatch(/^The provider gemini is not set up/);
  });

  test("stays with whoever the path names, but for a maker's name in front of it", () => {
    const planned = straightRouting(takeServerConfig({ ANTHROPIC_API_KEY: "k" }));
    const plan = (model: string) => planned.plan({ model, dialect: "anthropic", upstream: "anthropic" });
    expect(plan("lab/x")).toMatchObject({ ok: true, steps: [{ upstream: "anthropic", model: "lab/x" }] });
    expect(plan("gemini/gemini-3.5-flash")).toMatchObject({ ok: false, failure: { code: "not_configured" } });
  });

  test("is refused where the provider of the dialect is not set up, and goes to nobody else", () => {
    const { OPENAI_API_KEY: _, ...rest } = ALL;
    expect(way(rest, "chat", "gtp-5.4")).toMatch(/^Whose model "gtp-5.4" is, nobody here knows: .*provider\/model/);
    expect(way(rest, "chat", "gpt-5.4")).toMatch(/^The provider openai is not set up/);
    expect(way({ OPENAI_API_KEY: "k" }, "chat", "claude-sonnet-5")).toMatch(/^The provider anthropic is not set up/);
    expect(way({}, "chat", "gtp-5.4")).toMatch(/^No model provider is set up/);
  });

  test("is another seller's where that one is set up", () => {
    const env = { OPENAI_API_KEY: "k", LOOM_SERVER_VERTEX_PROJECT: "p" };
    expect(way(env, "anthropic", "claude-sonnet-5")).toBe("vertex claude-sonnet-5");
    expect(way(env, "chat", "gemini-3.5-flash")).toBe("vertex gemini-3.5-flash");
    const server = { ...ALL, LOOM_SERVER_COMPATIBLE_DEEPSEEK_BASE_URL: "http://127.0.0.1:1/v1" };
    expect(way(server, "chat", "deepseek-chat")).toBe("deepseek deepseek-chat");
  });

  test("is, where it is nobody's, of the only provider, whatever the client speaks", () => {
    for (const dialect of ["anthropic", "chat", "responses", "gemini"] as const)
      expect(way({ ANTHROPIC_API_KEY: "k" }, dialect, "my-model-1")).toBe("anthropic my-model-1");
    expect(way({ ANTHROPIC_API_KEY: "k" }, "chat", "gpt-5.4")).toMatch(/^The provider openai is not set up/);
  });

  test("is of the only server where that is one's own", () => {
    const env = { LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: "http://127.0.0.1:1/v1" };
    for (const model of ["llama3.2:1b", "claude-sonnet-5"]) {
      expect(way(env, "anthropic", model)).toBe(`lab ${model}`);
    }
    expect(way({ LOOM_OPENAI_BASE_URL: "http://127.0.0.1:1/v1" }, "anthropic", "llama3.2")).toBe("openai llama3.2");
  });
});
