import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  callTool,
  createTempHome,
  runProcess,
  type ScriptedModel,
  type ScriptFunction,
  say,
  startScriptedModel,
  type TempHome,
} from "@loom/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exitCodeOf } from "../exit-codes.ts";
import { envFor, LOOM, PATIENT, runLoom, startLoom, threadsOf } from "../testing.ts";

let home: TempHome;
let workspace: string;
let model: ScriptedModel;

/** Runs a long command when asked to wait, else answers. */
const script: ScriptFunction = ({ prompt, turnResults }) =>
  prompt.includes("wait") && turnResults.length === 0
    ? callTool("bash", { command: "echo waiting $$; sleep 60" })
    : say(`Heard: ${prompt}`);

beforeEach(async () => {
  home = await createTempHome();
  workspace = join(home.path, "work");
  mkdirSync(workspace);
  model = await startScriptedModel({ script });
});
afterEach(async () => {
  await model.close();
  await home.remove();
});

const loom = (...args: string[]) => runLoom(home, args, { cwd: workspace, env: envFor(model) });
const start = (...args: string[]) => startLoom(home, args, { cwd: workspace, env: envFor(model) });

function onlyThread(): string {
  const [file, ...others] = readdirSync(threadsOf(home)).filter((name) => name.endsWith(".jsonl"));
  expect(others).toEqual([]);
  return join(threadsOf(home), file ?? "");
}

describe("a run that is stopped", PATIENT, () => {
  it.each([
    ["SIGINT", "interrupted"],
    ["SIGTERM", "terminated"],
    ["SIGHUP", "hangup"],
  ] as const)("by %s saves the thread, says why, and can be resumed", async (signal, exit) => {
    const running = await start("-p", "please wait", "--output-format", "stream-json");
    await running.waitForOutput(/tool_progress/);
    running.signal(signal);
    const { code, stdout } = await running.exited;
    expect(code).toBe(exitCodeOf(exit));
    const result = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
    expect(result).toMatchObject({ type: "result", outcome: "interrupted", exit });
    const resumed = await loom("resume", "-p", "and now?");
    expect(resumed).toMatchObject({ code: 0, stdout: "Heard: and now?\n" });
    expect((await loom("replay", onlyThread())).code).toBe(0);
  });

  it("by a reader that goes away ends quietly", async () => {
    const pipeline = `"$@" | head -c 1 > /dev/null; exit "\${PIPESTATUS[0]}"`;
    const command = [process.execPath, LOOM, "-p", "please wait", "--output-format", "stream-json"];
    const { code, stderr } = await runProcess("bash", ["-c", pipeline, "bash", ...command], {
      cwd: workspace,
      env: { ...home.env, ...envFor(model) },
    });
    expect({ code, stderr }).toEqual({ code: exitCodeOf("output_closed"), stderr: "" });
  });

  it("by kill -9 loses at most what was in flight", async () => {
    const running = await start("-p", "please wait", "--output-format", "stream-json");
    const [, command] = await running.waitForOutput(/tool_progress.*waiting (\d+)/);
    running.signal("SIGKILL");
    await running.exited;
    appendFileSync(onlyThread(), '{"type":"event","at":');
    const { code, stdout, stderr } = await loom("resume", "-p", "and now?");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Heard: and now?\n" });
    expect(stderr).toContain("was cut off");
    // What it ran is ended by whoever watches over it, where that is possible.
    while (process.platform === "linux" && existsSync(`/proc/${command}`)) await delay(20);
  });
});

describe("loom resume", PATIENT, () => {
  it("goes on with the newest thread of the workspace, or with the one whose id begins so", async () => {
    await loom("-p", "first");
    const { threadId } = JSON.parse((await loom("-p", "second", "--output-format", "json")).stdout);
    await loom("-p", "third");
    await loom("resume", threadId.slice(0, 30), "-p", "more of the second");
    await loom("resume", "-p", "still the second");
    const thread = readFileSync(join(threadsOf(home), `${threadId}.jsonl`), "utf8");
    for (const text of ["second", "more of the second", "still the second"]) expect(thread).toContain(`"${text}"`);
    expect(readdirSync(threadsOf(home)).filter((name) => name.endsWith(".jsonl"))).toHaveLength(3);
  });

  it("says so where there is nothing to resume, and where the thread belongs elsewhere", async () => {
    const nothing = await loom("resume", "-p", "x");
    expect(nothing).toMatchObject({ code: exitCodeOf("thread"), stdout: "" });
    expect(nothing.stderr).toContain(`There is no thread in ${workspace} yet`);
    const { threadId } = JSON.parse((await loom("-p", "first", "--output-format", "json")).stdout);
    const elsewhere = await runLoom(home, ["resume", threadId, "-p", "x"], { env: envFor(model) });
    expect(elsewhere.code).toBe(exitCodeOf("thread"));
    expect(elsewhere.stderr).toContain(`belongs to ${workspace}: go there, or give --workspace ${workspace}`);
  });

  it("refuses a thread that another process is in", async () => {
    const running = await start("-p", "please wait", "--output-format", "stream-json");
    await running.waitForOutput(/tool_progress/);
    const { code, stderr } = await loom("resume", "-p", "me too");
    expect(code).toBe(exitCodeOf("thread"));
    expect(stderr).toMatch(/is open in process \d+/);
    running.signal("SIGTERM");
    await running.exited;
  });
});

describe("loom replay", PATIENT, () => {
  it("gives the states and actions that were recorded", async () => {
    await loom("-p", "one");
    await loom("resume", "-p", "two");
    const { code, stdout } = await loom("replay", onlyThread(), "--json");
    expect(code).toBe(0);
    const verdict = JSON.parse(stdout);
    expect(verdict).toMatchObject({ runs: 2 });
    expect(verdict.compared).toBeGreaterThan(4);
  });

  it("says at which event a log differs", async () => {
    await loom("-p", "one");
    const file = onlyThread();
    writeFileSync(file, readFileSync(file, "utf8").replace('"actions":["send_llm_request"]', '"actions":[]'));
    const { code, stdout } = await loom("replay", file);
    expect(code).toBe(exitCodeOf("replay_differs"));
    expect(stdout).toContain("differs in run 1 at event 1 (user_input)");
    expect(stdout).toContain("replayed  calling_llm [send_llm_request]");
  });

  it("does not call a log good in which nothing was recorded", async () => {
    await loom("-p", "one");
    const file = onlyThread();
    writeFileSync(file, `${readFileSync(file, "utf8").split("\n", 1)[0]}\n`);
    const { code, stdout } = await loom("replay", file);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^T-\S+: nothing was recorded, so there is nothing to compare\.\n$/);
  });

  it("says when the last line is torn", async () => {
    await loom("-p", "one");
    appendFileSync(onlyThread(), '{"type":"event","at":');
    const { code, stdout } = await loom("replay", onlyThread());
    expect(code).toBe(0);
    expect(stdout).toMatch(/all as recorded\.\nThe last line of the file is torn/);
    expect(JSON.parse((await loom("replay", onlyThread(), "--json")).stdout)).toMatchObject({ torn: true });
  });
});

/** Whether a small file system can be mounted here, which takes root and no container that forbids it. */
const canMount = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

describe.runIf(canMount)("a full disk", PATIENT, () => {
  it("does not stop the turn, and is told at the end", async () => {
    mkdirSync(threadsOf(home), { recursive: true });
    await model.close();
    model = await startScriptedModel({
      script: ({ turnResults }) =>
        turnResults.length < 3 ? callTool("bash", { command: "head -c 20000 /dev/zero | tr '\\0' 'x'" }) : say("Done."),
    });
    // In a mount namespace of its own: nothing to clean up, also when the test is killed.
    const mounted = 'mount -t tmpfs -o size=32k tmpfs "$0" && exec "$@"';
    const command = [process.execPath, LOOM, "-p", "fill it", "--output-format", "json"];
    const { code, stdout, stderr } = await runProcess(
      "unshare",
      ["-m", "sh", "-c", mounted, threadsOf(home), ...command],
      { cwd: workspace, env: { ...home.env, ...envFor(model) } },
    );
    expect({ code, stderr }).toEqual({ code: exitCodeOf("not_saved"), stderr: "" });
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ outcome: "completed", exit: "not_saved", text: "Done." });
    expect(result.error.message).toContain("there is no space left");
  });

  it("keeps nothing half-written where it was full from the start", async () => {
    mkdirSync(threadsOf(home), { recursive: true });
    const steps = [
      'mount -t tmpfs -o size=32k tmpfs "$0"',
      '{ head -c 64k /dev/zero > "$0/full" 2> /dev/null; "$@"; code=$?; find "$0/leases" -type f >&2; exit $code; }',
    ];
    const { code, stdout, stderr } = await runProcess(
      "unshare",
      [
        "-m",
        "sh",
        "-c",
        steps.join(" && "),
        threadsOf(home),
        process.execPath,
        LOOM,
        "-p",
        "hi",
        "--output-format",
        "json",
      ],
      { cwd: workspace, env: { ...home.env, ...envFor(model) } },
    );
    expect({ code, stderr }).toEqual({ code: exitCodeOf("not_saved"), stderr: "" });
    expect(JSON.parse(stdout).error.message).toContain("there is no space left");
  });
});
