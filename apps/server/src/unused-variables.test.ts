import { expect, test } from "vitest";
import { takeServerConfig } from "./config.ts";
import { watched } from "./unused-variables.ts";

function unusedOf(variables: Record<string, string>): readonly string[] {
  const { env, unused } = watched(variables);
  takeServerConfig(env);
  return unused().map((sentence) => sentence.split(" ")[0] ?? "");
}

test("a variable whose name has a mistake in it is named", () => {
  const right = { ANTHROPIC_API_KEY: "k", LOOM_SERVER_GAP_TIMEOUT: "5", LOOM_SERVER_URL: "http://127.0.0.1" };
  expect(unusedOf(right)).toEqual([]);
  expect(unusedOf({ ...right, LOOM_SERVER_GAP_TIMOUT: "5" })).toEqual(["LOOM_SERVER_GAP_TIMOUT"]);
});

test("so is one that needs another beside it", () => {
  const lab = { LOOM_SERVER_COMPATIBLE_LAB_API_KEY: "k", LOOM_SERVER_COMPATIBLE_LAB_MODEL: "m" };
  expect(unusedOf({ ...lab, LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: "http://127.0.0.1/v1" })).toEqual([]);
  expect(unusedOf({ ...lab, LOOM_SERVER_COMPATIBLE_LAB_URL: "http://127.0.0.1/v1" })).toEqual([
    ...Object.keys(lab),
    "LOOM_SERVER_COMPATIBLE_LAB_URL",
  ]);
});

test("secrets are taken out of the variables all the same", () => {
  const variables = { ANTHROPIC_API_KEY: "k", LOOM_SERVER_MASTER_KEY: Buffer.alloc(32).toString("base64") };
  const { env, unused } = watched(variables);
  takeServerConfig(env);
  expect(variables).toEqual({});
  expect(unused()).toEqual([]);
});
