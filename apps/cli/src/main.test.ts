import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTempHome, type TempHome } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { COMMANDS } from "./command-line/commands.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { PATIENT, runLoom } from "./testing.ts";

let home: TempHome;
beforeAll(async () => {
  home = await createTempHome();
});
afterAll(() => home.remove());

describe("loom", PATIENT, () => {
  it("tells its version", async () => {
    expect(await runLoom(home, ["--version"])).toMatchObject({
      code: 0,
      stdout: `loom ${manifest.version}\n`,
      stderr: "",
    });
    const { stdout } = await runLoom(home, ["version", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ version: manifest.version, node: process.versions.node });
  });

  it("has help for every command", async () => {
    const helps = await Promise.all(
      COMMANDS.filter(({ passesArguments }) => !passesArguments).map(async ({ name }) => ({
        name,
        ...(await runLoom(
          home,
          [...name.split(" "), "--help"].filter((word) => word !== ""),
        )),
      })),
    );
    for (const { name, code, stdout, stderr } of helps) {
      expect({ name, code, stderr }).toEqual({ name, code: 0, stderr: "" });
      expect(stdout).toContain(`Usage: loom ${name}`.trimEnd());
      expect(stdout).toContain("--help");
    }
    expect((await runLoom(home, ["help", "replay"])).stdout).toContain("Usage: loom replay FILE");
  });

  it.each([
    [["--modle", "x"], "usage", "loom: There is no flag --modle; did you mean --model?\n"],
    [["lsit"], "usage", 'loom: There is no command "lsit"; did you mean "loom list"?\n'],
    [["-p", "x", "--provider", "mistral"], "usage", "loom: --provider must be one of anthropic, openai.\n"],
    [["-p", "x", "--max-turns", "none"], "usage", "loom: --max-turns must be a whole number from 1 to 100000.\n"],
    [
      ["-p", "x", "--workspace", "/nowhere"],
      "usage",
      "loom: The workspace /nowhere is not a directory: correct --workspace.\n",
    ],
    [["--output-format", "json"], "usage", "loom: --output-format needs -p.\n"],
    [["resume", "T-0192", "-p", "x"], "thread", "loom: There is no thread T-0192"],
    [["replay", "missing.jsonl"], "thread", "loom: There is no thread at"],
  ] as const)("refuses %j in one sentence", async (words, exit, message) => {
    const { code, stdout, stderr } = await runLoom(home, words, { env: { OPENAI_API_KEY: "none" } });
    expect({ code, stdout }).toEqual({ code: exitCodeOf(exit), stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("asks for a terminal or a prompt where there is neither", async () => {
    const { code, stderr } = await runLoom(home, []);
    expect(code).toBe(exitCodeOf("usage"));
    expect(stderr).toContain("There is no terminal to talk in");
  });

  it("names file, line and key of a configuration that is wrong", async () => {
    const file = join(home.path, "broken.toml");
    writeFileSync(file, 'model = "m"\nmax_tokens = [1,\n');
    const malformed = await runLoom(home, ["-p", "x", "--config", file]);
    expect(malformed.code).toBe(exitCodeOf("configuration"));
    expect(malformed.stderr).toContain(`${file}:`);
    expect(malformed.stderr).toContain("this is not valid TOML");
    writeFileSync(file, 'modle = "m"\n');
    const misspelt = await runLoom(home, ["config", "show", "--config", file]);
    expect(misspelt.stderr).toBe(`loom: ${file}:1: there is no setting modle; did you mean model?\n`);
  });

  it("shows each setting with the layer it came from", async () => {
    const workspace = join(home.path, "work");
    mkdirSync(join(workspace, ".loom"), { recursive: true });
    writeFileSync(join(workspace, ".loom", "config.toml"), '\nmodel = "from-workspace"\n');
    const args = ["config", "show", "-w", workspace, "--max-turns", "7"];
    const env = { LOOM_LOG: "debug" };
    const { stdout } = await runLoom(home, args, { env });
    expect(stdout).toMatch(/^model = "from-workspace" +# workspace .*\/work\/\.loom\/config\.toml:2$/m);
    expect(stdout).toMatch(/^limits\.max_turns = 7 +# flag --max-turns$/m);
    expect(stdout).toMatch(/^log\.level = "debug" +# environment LOOM_LOG$/m);
    expect(stdout).toMatch(/^provider = "" +# default$/m);
    const json = JSON.parse((await runLoom(home, [...args, "--json"], { env })).stdout);
    expect(json["limits.max_turns"]).toEqual({ value: 7, source: { layer: "flag", flag: "--max-turns" } });
  });

  it("lists no threads where there are none", async () => {
    expect(await runLoom(home, ["list", "--json"])).toMatchObject({ code: 0, stdout: "[]\n" });
    const { code, stderr } = await runLoom(home, ["list"]);
    expect(code).toBe(0);
    expect(stderr).toContain("There are no threads in");
  });
});
