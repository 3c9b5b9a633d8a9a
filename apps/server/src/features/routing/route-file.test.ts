import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readRouteFile } from "./route-file.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "loom-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function read(toml: string) {
  const file = join(directory, "routes.toml");
  await writeFile(file, toml);
  return readRouteFile(file);
}

test("a route is a list of tiers, or a table with more", async () => {
  const { routes, problem } = await read(`
[routes]
fast = [["openai/gpt-5.4-mini"]]
"gpt-4.*" = [[{ target = "openai/gpt-5.4", weight = 3 }, "fast"], ["anthropic/claude-x"]]

[routes.oracle]
tiers = [["anthropic/claude-opus-5"]]
timeouts = { firstEvent = 20, gap = 2.5 }
[[routes.oracle.variants]]
for = { subjects = ["token/ci"] }
tiers = [["fast"]]
`);
  expect(Object.fromEntries(routes.map(({ name, definition }) => [name, definition]))).toEqual({
    fast: { tiers: [[{ target: "openai/gpt-5.4-mini" }]] },
    "gpt-4.*": {
      tiers: [[{ target: "openai/gpt-5.4", weight: 3 }, { target: "fast" }], [{ target: "anthropic/claude-x" }]],
    },
    oracle: {
      tiers: [[{ target: "anthropic/claude-opus-5" }]],
      timeouts: { firstEvent: 20, gap: 2.5 },
      variants: [{ for: { subjects: ["token/ci"] }, tiers: [[{ target: "fast" }]] }],
    },
  });
  expect(problem({ name: "gpt-4.*", message: "is odd" })).toMatch(/routes\.toml:4: routes\.gpt-4\.\*: is odd\.$/);
});

test.each([
  ["[routes]\nfast = [[", /routes\.toml:2: this is not valid TOML/],
  ["[routes]\n\nfast = 1\n", /routes\.toml:3: routes\.fast: /],
  ['[routes]\nfast = [["openai/m"], [{ target = "a/b", weight = 0 }]]\n', /:2: routes\.fast\[1\]\[0\]\.weight: /],
  ['[routes.fast]\ntiers = [["a/b"]]\ntimeouts = { gap = -1 }\n', /:3: routes\.fast\.timeouts\.gap: /],
  ['[routes.fast]\ntiers = [["a/b"]]\n\nwait = 1\n', /routes\.fast: .*wait/],
  ["[routes.fast]\ntiers = []\n", /:2: routes\.fast\.tiers: must hold a tier/],
  ["fast = 1\n", /:1: fast: nobody knows this key/],
])("%j is refused with file, line and key", async (toml, message) => {
  await expect(read(toml)).rejects.toThrow(message);
});

test("a file that is not there is said", async () => {
  await expect(readRouteFile(join(directory, "nowhere.toml"))).rejects.toThrow(
    /There is no file .*nowhere\.toml: make it, or correct LOOM_SERVER_ROUTES_FILE\./,
  );
});
