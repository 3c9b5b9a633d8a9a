import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  callTool,
  callTools,
  createGitRepository,
  createTempHome,
  type NormalizedRequest,
  type ScriptedModel,
  type ScriptFunction,
  say,
  startScriptedModel,
  type TempHome,
} from "@loom/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { envFor, type LoomOptions, PATIENT, runLoom, threadsOf } from "../testing.ts";
import type { RunReport } from "./run-report.ts";

/** Runs one command, then answers. */
const oneCommand: ScriptFunction = ({ turnResults }) =>
  turnResults.length === 0 ? callTool("bash", { command: "echo from the tool" }) : say("It is done.");

const heard: NormalizedRequest[] = [];

/** Answers at once, and keeps what was asked. */
const listen: ScriptFunction = (request) => {
  heard.push(request);
  return say("Fine.");
};

let home: TempHome;
let workspace: string;
let model: ScriptedModel | undefined;
beforeEach(async () => {
  home = await createTempHome();
  workspace = join(home.path, "work");
  mkdirSync(workspace);
});
afterEach(async () => {
  await model?.close();
  model = undefined;
  heard.length = 0;
  await home.remove();
});

async function run(script: ScriptFunction, args: readonly string[], options: LoomOptions = {}) {
  model ??= await startScriptedModel({ script });
  return runLoom(home, args, { cwd: workspace, ...options, env: { ...envFor(model), ...options.env } });
}

function linesOf(stdout: string): { readonly type: string; readonly [field: string]: unknown }[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("loom -p", PATIENT, () => {
  it("prints what the model says on standard output, and what it does on standard error", async () => {
    const { code, stdout, stderr } = await run(oneCommand, ["-p", "Run it."]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "It is done.\n" });
    expect(stderr).toBe("• Run echo from the tool\n");
  });

  it("prints only the result as json", async () => {
    const { code, stdout, stderr } = await run(oneCommand, ["-p", "Run it.", "--output-format", "json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const result: RunReport = JSON.parse(stdout);
    expect(result).toMatchObject({ type: "result", outcome: "completed", exit: "ok", text: "It is done.", turns: 2 });
    expect(result.usage.inputTokens).toBeGreaterThan(0);
    expect(readdirSync(threadsOf(home))).toContain(`${result.threadId}.jsonl`);
  });

  it("prints each event as a line of stream-json, from init to result", async () => {
    const { stdout } = await run(oneCommand, [
      "-p",
      "Run it.",
      "--output-format",
      "stream-json",
      "--model",
      "scripted",
    ]);
    const lines = linesOf(stdout);
    const types = lines.map((line) => line.type).filter((type, index, all) => type !== all[index - 1]);
    expect(types).toEqual(["init", "tool_started", "tool_progress", "tool_finished", "text_delta", "result"]);
    expect(lines[0]).toMatchObject({ workspace, model: "scripted", provider: "" });
    expect(lines[1]).toMatchObject({ name: "bash", input: { command: "echo from the tool" } });
    expect(lines.find((line) => line.type === "tool_finished")).toMatchObject({ name: "bash", success: true });
  });

  it("keeps control characters of model and tools from the terminal", async () => {
    const title = "\u001b]0;owned\u0007";
    const script: ScriptFunction = ({ turnResults }) =>
      turnResults.length === 0
        ? callTool("bash", { command: `printf '${title}'; exit 3` })
        : say(`\u001b[2J${title}Done\u202e.\r\nNext`);
    const { stdout, stderr } = await run(script, ["-p", "x"]);
    expect(stdout).toBe("[2J]0;ownedDone‹U+202E›.\nNext\n");
    expect(stderr).toContain("exit code 3");
    expect(stderr).not.toMatch(/[\p{Cc}--\n]/v);
  });

  it("gives the model only the tools that are allowed", async () => {
    await run(listen, ["-p", "x", "--allowed-tools", "read_file,search"]);
    expect(heard[0]?.toolNames).toEqual(["read_file", "search"]);
  });

  it("refuses a tool that does not exist", async () => {
    const { code, stderr } = await run(oneCommand, ["-p", "x", "--allowed-tools", "read_fil"]);
    expect(code).toBe(exitCodeOf("usage"));
    expect(stderr).toBe("loom: --allowed-tools: there is no tool read_fil; did you mean read_file?\n");
  });

  it("adds what is piped in to the prompt", async () => {
    await run(listen, ["-p", "Review this."], { input: "diff --git a b\n" });
    expect(heard[0]?.prompt).toContain("Review this.");
    expect(heard[0]?.prompt).toContain("<standard_input>\ndiff --git a b\n</standard_input>");
  });

  it("does not wait for an input that never closes", async () => {
    const { code, stdout } = await run(listen, ["-p", "x"], { input: "open" });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Fine.\n" });
  });

  it("takes no more than 1 MiB from standard input, and says so", async () => {
    const { code, stderr } = await run(listen, ["-p", "x"], { input: "x".repeat(2 * 1024 * 1024) });
    expect(code).toBe(0);
    expect(stderr).toContain("larger than 1 MiB");
  });

  it("reads the prompt from standard input for -p -", async () => {
    await run(listen, ["-p", "-"], { input: "Do this." });
    expect(heard[0]?.prompt).toBe("Do this.");
    const empty = await run(listen, ["-p", "-"]);
    expect(empty.code).toBe(exitCodeOf("usage"));
  });

  it("hides the provider's key from the agent's commands, also in /proc", async () => {
    // Nobody else's: other tests that run meanwhile have canaries of their own in their processes.
    const canary = `canary-${randomBytes(8).toString("hex")}`;
    const command = "env; tr '\\0' '\\n' < /proc/$PPID/environ; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'";
    const script: ScriptFunction = ({ turnResults }) =>
      turnResults.length === 0
        ? callTool("bash", { command: `(${command}) | grep -c ${canary}` })
        : say(turnResults[0]?.text ?? "");
    const { stdout, stderr } = await run(script, ["-p", "x"], { env: { OPENAI_API_KEY: `sk-${canary}` } });
    expect(stdout).toMatch(/^0$/m);
    expect(stdout + stderr).not.toContain(canary);
    for (const name of readdirSync(threadsOf(home), { recursive: true, encoding: "utf8" })) {
      // The command that looks for it is in there, the key is not.
      if (name.endsWith(".jsonl"))
        expect(readFileSync(join(threadsOf(home), name), "utf8")).not.toContain(`sk-${canary}`);
    }
  });

  it("opens no debugger for the agent's commands, which would show them the key", async () => {
    const script: ScriptFunction = ({ turnResults }) =>
      turnResults.length === 0
        ? callTool("bash", { command: "kill -USR1 $PPID && sleep 0.5 && echo sent" })
        : say(turnResults[0]?.text ?? "");
    const env = { NODE_OPTIONS: "--inspect-port=127.0.0.1:0" };
    const { code, stdout, stderr } = await run(script, ["-p", "x"], { env });
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^sent$/m)]);
    expect(stderr).not.toContain("Debugger");
  });

  it("lets two processes work in one workspace at the same time", async () => {
    const script: ScriptFunction = ({ turnResults, prompt }) =>
      turnResults.length === 0
        ? callTools([
            { name: "edit_file", input: { path: `${prompt}.txt`, edits: [{ oldText: "", newText: prompt }] } },
          ])
        : say(`Wrote ${prompt}.`);
    const [one, two] = await Promise.all([run(script, ["-p", "one"]), run(script, ["-p", "two"])]);
    expect([one.code, two.code]).toEqual([0, 0]);
    expect(readFileSync(join(workspace, "one.txt"), "utf8") + readFileSync(join(workspace, "two.txt"), "utf8")).toBe(
      "onetwo",
    );
    expect([one.stdout, two.stdout]).toEqual(["Wrote one.\n", "Wrote two.\n"]);
    const { stdout } = await runLoom(home, ["list", "--json"], { cwd: workspace });
    expect(JSON.parse(stdout)).toHaveLength(2);
  });

  it("tells of the commits that are made of the agent's changes", async () => {
    await using repository = await createGitRepository({ "a.txt": "old\n" });
    const script: ScriptFunction = ({ turnResults }) =>
      turnResults.length === 0
        ? callTool("edit_file", { path: "b.txt", edits: [{ oldText: "", newText: "new\n" }] })
        : say("Done.");
    const { stdout } = await run(script, ["-p", "x", "--output-format", "stream-json"], { cwd: repository.path });
    const commit = linesOf(stdout).find((line) => line.type === "commit");
    expect(commit).toMatchObject({ paths: ["b.txt"] });
    expect((await repository.git("rev-parse", "HEAD")).trim()).toBe(commit?.sha);
  });
});
