import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { environmentOf, processTable } from "./process-table.ts";

test("holds this process and its children, whatever they are called", async () => {
  const child = spawn("bash", ["-c", "exec -a 'a) S 1 (b' cat"], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
    env: { PATH: process.env.PATH, LOOM_TEST_NAME: "a=b" },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  // Its answer says that it is what it is going to be: in the middle of exec, a process has no environment.
  child.stdin.write("?");
  await once(child.stdout, "data");
  const entry = processTable().find(({ pid }) => pid === child.pid);
  expect(entry).toMatchObject({ parent: process.pid, group: child.pid });
  expect(environmentOf(child.pid ?? 0, "LOOM_TEST_NAME")).toBe("a=b");
  expect(environmentOf(child.pid ?? 0, "LOOM_TEST")).toBeUndefined();
});

test("does not hold a process that has ended", async () => {
  const child = spawn("true", { stdio: "ignore" });
  await once(child, "exit");
  expect(processTable().map(({ pid }) => pid)).not.toContain(child.pid);
  expect(environmentOf(child.pid ?? 0, "PATH")).toBeUndefined();
});
