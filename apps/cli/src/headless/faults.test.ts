import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  callTool,
  createTempHome,
  fail,
  fault,
  type Reply,
  type ScriptedModel,
  say,
  startScriptedModel,
  type TempHome,
} from "@loom/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ExitName, exitCodeOf } from "../exit-codes.ts";
import { envFor, type LoomOptions, PATIENT, runLoom } from "../testing.ts";
import type { RunReport } from "./run-report.ts";

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
  await home.remove();
});

const QUICK = {
  LOOM_TIMEOUTS__HEADERS_SECONDS: "0.3",
  LOOM_TIMEOUTS__FIRST_EVENT_SECONDS: "0.3",
  LOOM_TIMEOUTS__GAP_SECONDS: "0.3",
};

const QUICK_SERVER = { LOOM_SERVER_HEADERS_TIMEOUT: "0.3" };

/** The result of a run whose model always does `reply`. */
async function resultWith(reply: Reply, args: readonly string[] = [], options: LoomOptions = {}): Promise<RunReport> {
  model = await startScriptedModel({ script: () => reply });
  return resultOf(["-p", "Try.", "--output-format", "json", ...args], {
    ...options,
    env: { ...envFor(model), ...options.env },
  });
}

async function resultOf(args: readonly string[], options: LoomOptions): Promise<RunReport> {
  const { code, stdout, stderr, timedOut } = await runLoom(home, args, { cwd: workspace, ...options });
  expect({ timedOut, stderr }).toEqual({ timedOut: false, stderr: "" });
  const report: RunReport = JSON.parse(stdout);
  expect(report.exitCode).toBe(code);
  return report;
}

describe("loom -p ends with a reason and its exit code when the provider", PATIENT, () => {
  it.each<[string, Reply, ExitName, Readonly<Record<string, string>>]>([
    ["refuses the key", fail(fault.status(401)), "unauthorized", {}],
    ["does not know the model", fail(fault.status(404)), "no_model", {}],
    ["asks to come back in an hour", fail(fault.status(429, { retryAfter: 3_600 })), "limited", {}],
    ["keeps asking to slow down", fail(fault.status(429)), "limited", {}],
    ["keeps failing with 500", fail(fault.status(500)), "unreachable", {}],
    ["is overloaded", fail(fault.status(529)), "unreachable", {}],
    ["wants to be paid", fail(fault.status(402)), "limited", {}],
    ["answers with a web page", fail(fault.html()), "failed", {}],
    ["answers with noise", fail(fault.binary()), "failed", {}],
    ["resets the connection", fail(fault.reset()), "unreachable", {}],
    ["never answers", fail(fault.neverAnswer()), "timeout", QUICK],
    ["sends headers and nothing more", fail(fault.headersOnly()), "timeout", QUICK],
    ["never answers, by the variable of the server", fail(fault.neverAnswer()), "timeout", QUICK_SERVER],
    [
      "never answers, by the setting that wins over that variable",
      fail(fault.neverAnswer()),
      "timeout",
      { ...QUICK, LOOM_SERVER_HEADERS_TIMEOUT: "600" },
    ],
    ["stops in the middle", fail(fault.stallAfter(2)), "timeout", QUICK],
  ])("%s", async (_, reply, exit, env) => {
    const report = await resultWith(reply, [], { env });
    expect(report).toMatchObject({ outcome: "failed", exit });
    expect(report.error?.message).toMatch(/^[A-Z].*[.!?]$/s);
  });

  it("is not there", async () => {
    model = await startScriptedModel({ script: () => say("Never.") });
    await model.refuseConnections();
    const env = envFor(model);
    const report = await resultOf(["-p", "Try.", "--output-format", "json"], { env });
    expect(report).toMatchObject({ outcome: "failed", exit: "unreachable" });
  });

  it("goes away in mid-stream, each time", async () => {
    const report = await resultWith(fail(fault.cutAfter(3)));
    expect(report.outcome).toBe("failed");
    expect(["unreachable", "failed"]).toContain(report.exit);
  });
});

describe("loom -p ends with a reason and its exit code when", PATIENT, () => {
  it("no model is set up, and says which variables help", async () => {
    const { code, stderr, stdout } = await runLoom(home, ["-p", "x"], { cwd: workspace });
    expect({ code, stdout }).toEqual({ code: exitCodeOf("no_model"), stdout: "" });
    for (const word of ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "LOOM_OPENAI_BASE_URL", "Ollama"]) {
      expect(stderr).toContain(word);
    }
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("the provider that is asked for has no key", async () => {
    const { code, stderr } = await runLoom(home, ["-p", "x", "--provider", "anthropic"], {
      cwd: workspace,
      env: { OPENAI_API_KEY: "sk-test-0123456789abcdef" },
    });
    expect(code).toBe(exitCodeOf("no_model"));
    expect(stderr).toBe("loom: There is no key for anthropic: set ANTHROPIC_API_KEY, or choose openai.\n");
  });

  it("the key's file is missing", async () => {
    const { code, stderr } = await runLoom(home, ["-p", "x"], {
      cwd: workspace,
      env: { ANTHROPIC_API_KEY_FILE: "/nowhere/key" },
    });
    expect(code).toBe(exitCodeOf("configuration"));
    expect(stderr).toBe(
      "loom: /nowhere/key, named by ANTHROPIC_API_KEY_FILE, cannot be read: there is no such file.\n",
    );
  });

  it("the model asks for ever more", async () => {
    const report = await resultWith(callTool("list_files", {}), ["--max-turns", "3"]);
    expect(report).toMatchObject({ outcome: "failed", exit: "max_turns", turns: 3 });
  });

  it("the run takes too long, in the middle of a command", async () => {
    const report = await resultWith(callTool("bash", { command: "sleep 60" }), ["--timeout", "2"]);
    expect(report).toMatchObject({ outcome: "interrupted", exit: "timeout" });
    expect(report.error?.message).toBe("The run took longer than 2 s (--timeout) and was stopped.");
  });

  it("the run takes too long while the prompt is still being read", async () => {
    model = await startScriptedModel({ script: () => say("Never.") });
    const args = ["-p", "-", "--timeout", "1", "--output-format", "json"];
    const report = await resultOf(args, { env: envFor(model), input: "open" });
    expect(report).toMatchObject({ threadId: null, exit: "timeout" });
  });

  it("a tool takes too long: the model is told, and the run goes on", async () => {
    model = await startScriptedModel({
      script: ({ turnResults }) =>
        turnResults.length === 0 ? callTool("bash", { command: "sleep 60" }) : say(turnResults[0]?.text ?? ""),
    });
    const env = { ...envFor(model), LOOM_TIMEOUTS__TOOL_SECONDS: "0.5" };
    const report = await resultOf(["-p", "x", "--output-format", "json"], { env });
    expect(report).toMatchObject({ outcome: "completed", exit: "ok" });
    expect(report.text).toContain("bash was stopped after 0.5 s (timeouts.tool_seconds)");
  });
});
