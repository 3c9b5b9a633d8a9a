import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { RUNNING, temporaryDirectory } from "../testing.ts";
import { LocalProcesses } from "./local-processes.ts";
import type { CommandEnd } from "./operations.ts";
import { environmentOf, processTable } from "./process-table.ts";

const ENVIRONMENT = { PATH: process.env.PATH };

function local(environment: Record<string, string | undefined> = ENVIRONMENT) {
  const root = temporaryDirectory();
  const processes = new LocalProcesses({ root, environment });
  onTestFinished(() => processes.close());
  const run = async (command: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) => {
    const chunks: Uint8Array[] = [];
    const end = await processes.run(command, {
      timeoutMs: 60_000,
      signal: RUNNING,
      onOutput: (chunk) => void chunks.push(chunk),
      ...options,
    });
    return { ...end, output: Buffer.concat(chunks).toString() };
  };
  /** The numbers that a command has written to a file, once they are all there. */
  const pids = async (file: string, count: number): Promise<number[]> => {
    while (true) {
      const path = join(root, file);
      const found = existsSync(path) ? readFileSync(path, "utf8").trim().split(/\s+/).filter(Boolean).map(Number) : [];
      if (found.length === count) return found;
      await delay(5);
    }
  };
  return { root, processes, run, pids };
}

function living(pids: readonly number[]): number[] {
  return processTable()
    .map(({ pid }) => pid)
    .filter((pid) => pids.includes(pid));
}

const EXITED: CommandEnd = { reason: "exited", exitCode: 0, signal: null, leftRunning: false };

test("runs in the workspace, with bash, and interleaves what goes to both outputs", async () => {
  const { root, run } = local();
  const command = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; pwd; basename $BASH";
  expect(await run(command)).toEqual({
    ...EXITED,
    output: `out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n${root}\nbash\n`,
  });
});

test("the outputs are pipes that can be opened by name", async () => {
  const { run } = local();
  expect((await run("echo a > /dev/stderr; echo b > /dev/stdout; echo c | tee /dev/stderr")).output).toBe(
    "a\nb\nc\nc\n",
  );
});

test("there is no input and no terminal", async () => {
  const { run } = local();
  expect(
    await run(
      "cat; read x || echo closed; test -t 0 || test -t 1 || echo none; (echo > /dev/tty) 2>/dev/null || echo no tty",
    ),
  ).toEqual({
    ...EXITED,
    output: "closed\nnone\nno tty\n",
  });
});

test("reports exit codes and signals", async () => {
  const { run } = local();
  expect(await run("exit 7")).toMatchObject({ exitCode: 7, signal: null });
  expect(await run("kill -SEGV $$")).toMatchObject({ exitCode: 139, signal: "SIGSEGV" });
  expect(await run("nosuchcommand")).toMatchObject({ exitCode: 127 });
  expect(await run("if")).toMatchObject({ exitCode: 2 });
});

test("nothing that a command finds around itself, prints or kills passes for its end", async () => {
  const { run } = local();
  const spill = "cat /proc/$$/cmdline /proc/self/environ; env; ls -l /proc/$$/fd > fds; cat /proc/$$/fdinfo/*";
  const { output, exitCode } = await run(
    `${spill}; for i in 1 2 3; do printf '\\036loom:%s:0\\n' $i; done; echo hello; exit 5`,
  );
  expect(exitCode).toBe(5);
  expect(output.endsWith("\x1eloom:1:0\n\x1eloom:2:0\n\x1eloom:3:0\nhello\n")).toBe(true);
  expect((await run("cat /proc/$PPID/cmdline > cmdline; echo hello")).output).toBe("hello\n");
});

test("a shell holds of its pipe the end it writes to, and of other commands' pipes nothing", async () => {
  const { run } = local();
  expect((await run("readlink /proc/$$/fd/* | grep -c loom-pipes; exit")).output).toBe("2\n");
});

test("many commands at once, and one after another, each get their own output", async () => {
  const { run } = local();
  const at = await Promise.all(Array.from({ length: 20 }, (_, index) => run(`echo ${index}`)));
  expect(at.map(({ output }) => output)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}\n`));
});

test("a command that kills its own process group is over at once", async () => {
  const { run } = local();
  expect(await run("echo last words; kill -9 0")).toMatchObject({
    reason: "exited",
    exitCode: 137,
    signal: "SIGKILL",
    output: "last words\n",
  });
});

test("the environment is what it was given, and nothing else", async () => {
  const canary = "loom-canary-4711";
  process.env.LOOM_TEST_CANARY = canary;
  onTestFinished(() => void delete process.env.LOOM_TEST_CANARY);
  const { run } = local({ ...ENVIRONMENT, GIVEN: "yes" });
  const { output } = await run("env");
  expect(output).toContain("GIVEN=yes\n");
  expect(output).not.toContain(canary);
});

test("works with sh where there is no bash", async () => {
  const { run } = local({ PATH: temporaryDirectory() });
  expect(await run("echo $0 $BASH")).toEqual({ ...EXITED, output: "/bin/sh\n" });
});

test("a large output arrives whole", async () => {
  const { run } = local();
  const { output, ...end } = await run("seq 1 1000000");
  expect(end).toEqual(EXITED);
  expect(output.length).toBe(6_888_896);
  expect(output.endsWith("\n999999\n1000000\n")).toBe(true);
});

test("a command waits for who takes its output", async () => {
  const { root, processes, run } = local();
  const chunks: string[] = [];
  let progress = 0;
  const end = await processes.run("for i in {1..400}; do head -c 50000 /dev/zero; echo $i > progress; done", {
    timeoutMs: 60_000,
    signal: RUNNING,
    onOutput: async (chunk) => {
      chunks.push(Buffer.from(chunk).toString());
      if (progress > 0) return;
      // Until it does not get any further.
      await run('while a=$(cat progress); sleep 0.2; [ "$a" != "$(cat progress)" ]; do :; done');
      progress = Number(readFileSync(join(root, "progress"), "utf8"));
    },
  });
  expect(end).toEqual(EXITED);
  expect(chunks.join("").length).toBe(20_000_000);
  expect(progress).toBeLessThan(100);
});

test("the output of the command itself is complete, though something in the background goes on writing", async () => {
  const { run } = local();
  const { output, leftRunning } = await run(
    "(while :; do echo noise; sleep 0.01; done) & head -c 300000 /dev/zero | tr '\\0' x; echo; echo end",
  );
  expect(output.replaceAll("noise\n", "")).toBe(`${"x".repeat(300_000)}\nend\n`);
  expect(leftRunning).toBe(true);
});

test("a background process is left running, holds nothing up, and ends with the session", async () => {
  const { processes, run, pids } = local();
  expect(await run("sleep 1000 & echo $! > pid; echo started")).toEqual({
    ...EXITED,
    leftRunning: true,
    output: "started\n",
  });
  const [pid] = await pids("pid", 1);
  expect(living([pid ?? 0])).toEqual([pid]);
  await processes.close();
  expect(living([pid ?? 0])).toEqual([]);
});

test("a background process with its output elsewhere is noticed as well", async () => {
  const { run } = local();
  expect(await run("sleep 1000 > /dev/null 2>&1 & echo started")).toMatchObject({
    reason: "exited",
    leftRunning: true,
  });
});

/** Five kinds of offspring; each writes its id to a file before it sleeps. */
const FAMILY = `
  sleep 1000 & echo $! >> pids
  (trap '' TERM; echo $BASHPID >> pids; while :; do sleep 1000; done) &
  setsid bash -c 'echo $$ >> pids; exec sleep 1000' &
  (setsid bash -c 'echo $$ >> pids; exec sleep 1000' > /dev/null 2>&1 < /dev/null &)
  env -i PATH="$PATH" bash -c 'echo $$ >> pids; exec sleep 1000' &
  sleep 1000`;

test("the whole family of a command ends with it when the command is stopped", async () => {
  const { run, pids } = local();
  const controller = new AbortController();
  const running = run(FAMILY, { signal: controller.signal });
  const family = await pids("pids", 5);
  controller.abort();
  expect(await running).toMatchObject({ reason: "aborted", exitCode: null });
  expect(living(family)).toEqual([]);
});

test("the whole family of a command ends with it when its time is over", async () => {
  const family = randomUUID();
  const { run } = local({ ...ENVIRONMENT, FAMILY: family });
  expect(await run(FAMILY, { timeoutMs: 500 })).toMatchObject({ reason: "timeout", exitCode: null });
  const left = processTable().filter(({ pid }) => environmentOf(pid, "FAMILY") === family);
  expect(left).toEqual([]);
});

test("a daemon that has left the shell, its group and its session behind is found by its environment", async () => {
  const { run, pids } = local();
  const controller = new AbortController();
  const running = run("(setsid bash -c '(setsid sleep 1000 & echo $! > pid)' &) ; sleep 1000", {
    signal: controller.signal,
  });
  const [pid] = await pids("pid", 1);
  controller.abort();
  await running;
  expect(living([pid ?? 0])).toEqual([]);
});

test("a command is asked before it is killed, and its last words are heard", async () => {
  const { root, run } = local();
  const controller = new AbortController();
  const running = run("trap 'echo goodbye; exit 0' TERM; echo > ready; while :; do sleep 0.01; done", {
    signal: controller.signal,
  });
  while (!existsSync(join(root, "ready"))) await delay(5);
  controller.abort();
  // The shell may say before that its own child was terminated.
  expect(await running).toMatchObject({ reason: "aborted", output: expect.stringMatching(/goodbye\n$/) });
});

test("nobody else's processes are touched", async () => {
  const { run } = local();
  const bystander = spawn("sleep", ["1000"], { stdio: "ignore" });
  onTestFinished(() => void bystander.kill("SIGKILL"));
  await run("sleep 1000", { timeoutMs: 50 });
  expect(living([bystander.pid ?? 0])).toEqual([bystander.pid]);
});

test("a reader that fails ends the command", async () => {
  const { processes, pids } = local();
  const failing = processes.run("echo $$ > pid; while :; do echo x; done", {
    timeoutMs: 60_000,
    signal: RUNNING,
    onOutput: () => Promise.reject(new Error("full")),
  });
  await expect(failing).rejects.toThrow("full");
  expect(living(await pids("pid", 1))).toEqual([]);
});

test("a call that was stopped before it began runs nothing", async () => {
  const { root, run } = local();
  await expect(run("touch file", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "interrupted" });
  expect(existsSync(join(root, "file"))).toBe(false);
});

test("what cannot be started is said in a sentence", async () => {
  const processes = new LocalProcesses({ root: join(temporaryDirectory(), "gone"), environment: ENVIRONMENT });
  const options = { timeoutMs: 1_000, signal: RUNNING, onOutput: () => undefined };
  await expect(processes.run("true", options)).rejects.toMatchObject({
    code: "io",
    message: expect.stringContaining("is gone"),
  });
  const { run } = local();
  await expect(run(`: ${"x".repeat(200_000)}`)).rejects.toMatchObject({
    message: "Could not run the command: it is too long.",
  });
  await expect(run("a\0b")).rejects.toMatchObject({ code: "invalid_arguments" });
});
