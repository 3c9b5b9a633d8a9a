import { expect, test } from "vitest";
import { gitEnvironment } from "./git-environment.ts";

test("git and its hooks see the person's environment, but no keys, and no other repository", () => {
  expect(
    gitEnvironment({
      PATH: "/bin",
      HOME: "/home/ada",
      GIT_AUTHOR_NAME: "Ada",
      GIT_DIR: "/elsewhere/.git",
      GIT_INDEX_FILE: "/elsewhere/.git/index",
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_AUTH_TOKEN: "k",
      MISTRAL_API_KEY: "k",
      openai_api_key_file: "k",
      LOOM_SERVER_URL: "http://localhost",
      EMPTY: undefined,
    }),
  ).toEqual({
    PATH: "/bin",
    HOME: "/home/ada",
    GIT_AUTHOR_NAME: "Ada",
    GIT_TERMINAL_PROMPT: "0",
    GIT_EDITOR: "true",
    GIT_OPTIONAL_LOCKS: "0",
  });
});
