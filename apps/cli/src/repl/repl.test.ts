import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  callTool,
  createTempHome,
  type RunningProcess,
  type ScriptedModel,
  type ScriptFunction,
  say,
  startProcess,
  startScriptedModel,
  type TempHome,
} from "@loom/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { envFor, LOOM, PATIENT, runLoom } from "../testing.ts";

/** `script` of util-linux gives a program a terminal and passes on what is typed and printed. */
const hasTerminal = spawnSync("script", ["--version"]).stdout?.includes("util-linux") === true;

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";

let home: TempHome;
let workspace: string;
let model: ScriptedModel;
let terminal: RunningProcess;

const script: ScriptFunction = ({ prompt, turnResults, model: name }) => {
  if (prompt.includes("wait") && turnResults.length === 0) return callTool("bash", { command: "echo busy; sleep 60" });
  return say(`Heard by ${name}: ${prompt.replaceAll("\n", "|")}.`);
};

beforeEach(async () => {
  home = await createTempHome();
  workspace = join(home.path, "work");
  mkdirSync(workspace);
  model = await startScriptedModel({ script });
});
afterEach(async () => {
  terminal.kill();
  await terminal.exited;
  await model.close();
  await home.remove();
});

/** Starts `loom` in a terminal and waits until it is ready for input. */
async function open(...args: string[]): Promise<void> {
  const command = [process.execPath, LOOM, ...args].map((word) => `'${word}'`).join(" ");
  const env = { ...home.env, ...envFor(model), NO_COLOR: "1", TERM: "xterm" };
  const typescript = ["--quiet", "--return", "--flush", "--command", `exec ${command}`, "/dev/null"];
  terminal = await startProcess("script", typescript, { cwd: workspace, env, input: "open" });
  await terminal.waitForOutput(/\/help for help\.[^>]*> /);
}

describe.runIf(hasTerminal)("loom in a terminal", PATIENT, () => {
  it("talks, line by line, and leaves with Ctrl+D, the thread saved", async () => {
    await open();
    terminal.write("hello\r");
    await terminal.waitForOutput(/Heard by scripted: hello\.[^>]*> /);
    terminal.write("again\r");
    await terminal.waitForOutput(/Heard by scripted: again\.[^>]*> /);
    terminal.write(CTRL_D);
    const { code, stdout } = await terminal.exited;
    expect(code).toBe(0);
    const [, id = ""] = /Go on with: loom resume (T-\S+)/.exec(stdout) ?? [];
    const listed = await runLoom(home, ["list", "--json"], { cwd: workspace });
    expect(JSON.parse(listed.stdout)).toMatchObject([{ id }]);
  });

  it("stops the turn at the first Ctrl+C and leaves at the second", async () => {
    await open();
    terminal.write("please wait\r");
    await terminal.waitForOutput(/Run echo busy/);
    terminal.write(CTRL_C);
    await terminal.waitForOutput(/stopped; [^>]*> /);
    terminal.write(CTRL_C);
    const { code, stdout } = await terminal.exited;
    expect(code).toBe(exitCodeOf("interrupted"));
    expect(stdout).toContain("Saved. Go on with: loom resume");
  });

  it("goes on talking after a turn was stopped", async () => {
    await open();
    terminal.write("please wait\r");
    await terminal.waitForOutput(/Run echo busy/);
    terminal.write(CTRL_C);
    await terminal.waitForOutput(/stopped; [^>]*> /);
    terminal.write("something else\r");
    await terminal.waitForOutput(/Heard by scripted: something else\.[^>]*> /);
    terminal.write(CTRL_C);
    await terminal.waitForOutput(/Ctrl\+C again leaves/);
    terminal.write("/exit\r");
    expect((await terminal.exited).code).toBe(0);
  });

  it("gives what is typed during a turn, which Ctrl+C then stops, to the agent with the next message", async () => {
    await open();
    terminal.write("please wait\r");
    await terminal.waitForOutput(/Run echo busy/);
    terminal.write("never mind\r");
    await terminal.waitForOutput(/never mind/);
    terminal.write(CTRL_C);
    await terminal.waitForOutput(/goes along with what you say next\.[^>]*> /);
    terminal.write("go on\r");
    await terminal.waitForOutput(/Heard by scripted: .*go on\./);
  });

  it("sends lines that were pasted together as one message", async () => {
    await open();
    terminal.write("one\rtwo\rthree\r");
    await terminal.waitForOutput(/Heard by scripted: one\|two\|three\./);
  });

  it("changes the model within the thread", async () => {
    await open();
    terminal.write("hello\r");
    await terminal.waitForOutput(/Heard by scripted: hello\.[^>]*> /);
    terminal.write("/model other\r");
    await terminal.waitForOutput(/The model is now other\.[^>]*> /);
    terminal.write("still there?\r");
    await terminal.waitForOutput(/Heard by other: still there\?\.[^>]*> /);
    terminal.write(CTRL_D);
    await terminal.exited;
    const listed = await runLoom(home, ["list", "--json"], { cwd: workspace });
    expect(JSON.parse(listed.stdout)).toHaveLength(1);
  });

  it("knows its own commands", async () => {
    await open();
    terminal.write("/help\r");
    await terminal.waitForOutput(/Ctrl\+C stops the turn/);
    terminal.write("/model\r");
    await terminal.waitForOutput(/openai: default scripted, fast scripted-fast/);
    terminal.write("/nonsense\r");
    await terminal.waitForOutput(/There is no command \/nonsense/);
  });

  it("leaves no thread where nothing was said", async () => {
    await open();
    terminal.write(CTRL_D);
    const { code, stdout } = await terminal.exited;
    expect(code).toBe(0);
    expect(stdout).not.toContain("Saved.");
    expect((await runLoom(home, ["list", "--json"], { cwd: workspace })).stdout).toBe("[]\n");
  });

  it("saves when the process is told to end", async () => {
    await open();
    terminal.write("hello\r");
    await terminal.waitForOutput(/Heard by scripted: hello\.[^>]*> /);
    const pid = Number(
      spawnSync("pgrep", ["-P", String(terminal.pid)])
        .stdout.toString()
        .trim(),
    );
    process.kill(pid, "SIGTERM");
    const { code, stdout } = await terminal.exited;
    expect(code).toBe(exitCodeOf("terminated"));
    expect(stdout).toContain("Saved.");
  });
});
