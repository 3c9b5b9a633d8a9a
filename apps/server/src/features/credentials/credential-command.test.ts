import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { environment, runServer } from "../../process.testing.ts";
import { temporaryDirectory } from "../../testing.ts";
import { startHouse, type TestHouse } from "./credentials.testing.ts";

const KEY = "key-of-the-command-line-tests";

let house: TestHouse;
beforeEach(async () => {
  house = await startHouse();
});
afterEach(() => house[Symbol.asyncDispose]());

test("the command line adds, lists, shows, disables, enables and removes, and a running server follows", async () => {
  const { said } = await house.command(["add", "openai", "--label", "team-a", "--weight", "3"], { input: `${KEY}\n` });
  expect(said).toMatch(/^The credential team-a \(credential-[0-9a-f-]+\) of openai is stored, encrypted\.$/);
  await house.until(({ credentials }) => credentials[0]?.label === "team-a");
  const file = `${house.directory}/key`;
  await writeFile(file, KEY, { mode: 0o600 });
  await house.command(["add", "openai", "--key-file", file]);
  const { printed } = await house.command(["list"]);
  expect(printed.split("\n").map((line) => line.split(/ {2,}/).slice(0, 5))).toEqual([
    ["LABEL", "PROVIDER", "KIND", "STATE", "WEIGHT"],
    ["team-a", "openai", "api_key", "available", "3"],
    ["openai-1", "openai", "api_key", "available", "1"],
    [""],
  ]);
  await house.command(["disable", "team-a"]);
  await house.until(({ credentials }) => credentials[0]?.state === "disabled");
  const shown = (await house.command(["show", "team-a"])).printed;
  expect(shown).toMatch(/state {6}disabled since 20/);
  expect(shown).toMatch(/reason {5}It was disabled by hand\./);
  await house.command(["enable", "team-a"]);
  await house.until(({ credentials }) => credentials[0]?.state === "available");
  await house.command(["remove", "team-a"]);
  await house.until(({ credentials }) => credentials.length === 1);
});

test("what cannot be done is said in a sentence that repeats no key", async () => {
  await house.command(["add", "openai", "--label", "one"], { input: KEY });
  const wrong: [readonly string[], string, RegExp][] = [
    [["add"], "", /^Say which provider/],
    [["add", "OpenAI!"], "", /^What stands after add has to be the name of a provider/],
    [["add", "openai", KEY], "", /takes no further words/],
    [["add", "openai"], "", /^What was read is no key/],
    [["add", "openai"], `${KEY}\n${KEY}`, /^What was read is no key/],
    [["add", "openai", "--oauth"], KEY, /^What was read is no JSON/],
    [["add", "openai", "--oauth"], JSON.stringify({ refreshToken: KEY }), /no OAuth credential \(tokenEndpoint\)/],
    [["add", "openai", "--label", "one"], KEY, /There is a credential "one" already/],
    [
      ["add", "openai", "--label", "openai-environment"],
      KEY,
      /"openai-environment" is kept for the server's environment/,
    ],
    [
      ["add", "openai", "--oauth"],
      JSON.stringify({ refreshToken: KEY, clientId: "c", tokenEndpoint: "https://10.0.0.1/token" }),
      /tokenEndpoint .* 10\.0\.0\.1, is not public/,
    ],
    [["add", "openai", "--weight", "1000"], KEY, /--weight/],
    [["show", "two"], "", /There is no stored credential "two"/],
    [
      ["disable", "anthropic-environment"],
      "",
      /comes from a server.s environment, [^\n]+ PATCH \/api\/admin\/credentials\/anthropic-environment/,
    ],
    [["enable"], "", /^Say which credential/],
    [["list", "--label", "x"], "", /--label is a flag of loom-server credential add, not of list/],
    [["explode"], "", /There is no loom-server credential explode/],
    [["rotate-key", "--new-key-file", "/nowhere/key"], "", /\/nowhere\/key, named by --new-key-file, cannot be read/],
    [["add", "openai", "--key-file", "/nowhere/key"], "", /\/nowhere\/key, named by --key-file, cannot be read/],
  ];
  for (const [args, input, sentence] of wrong) {
    const error = await house.command(args, { input }).catch((thrown: unknown) => thrown);
    expect([args, String(error instanceof Error ? error.message : error)]).toEqual([
      args,
      expect.stringMatching(sentence),
    ]);
    expect(String(error)).not.toContain(KEY);
  }
});

test("as a program, it takes the key from the standard input and has help", async () => {
  await using home = await temporaryDirectory();
  const env = environment(home.path);
  for (const args of [["credential", "--help"], ["credential"], ["credential", "add", "--help"]]) {
    const { code, stdout } = await runServer(args, env);
    expect([code, stdout]).toEqual([0, expect.stringContaining("loom-server credential rotate-key")]);
  }
  const { code, stderr } = await runServer(["credential", "list", "--data", home.path], env);
  expect([code, stderr]).toEqual([2, expect.stringContaining("There is no database of a Loom server")]);
});
