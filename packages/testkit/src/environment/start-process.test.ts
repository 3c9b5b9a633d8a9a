import { expect, test } from "vitest";
import { startProcess } from "./run-process.ts";

test("one can talk with a running process", async () => {
  const running = await startProcess("sh", ["-c", "echo ready; read line; echo got $line; read rest; echo end"], {
    input: "open",
  });
  await running.waitForOutput(/ready/);
  running.write("apples\n");
  expect((await running.waitForOutput(/got (\w+)/))[1]).toBe("apples");
  running.closeInput();
  expect(await running.exited).toMatchObject({ code: 0, stdout: "ready\ngot apples\nend\n" });
});

test("a signal reaches the process", async () => {
  const running = await startProcess("sh", [
    "-c",
    "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done",
  ]);
  await running.waitForOutput(/ready/);
  running.signal("SIGINT");
  expect(await running.exited).toMatchObject({ code: 7, stdout: "ready\ncaught\n" });
});

test("killing ends the process at once", async () => {
  const running = await startProcess("sleep", ["600"]);
  running.kill();
  expect(await running.exited).toMatchObject({ code: null, signal: "SIGKILL", timedOut: false });
});

test("waiting for output that never comes ends with the process, and shows what came", async () => {
  const running = await startProcess("sh", ["-c", "echo something else; exit 4"]);
  await expect(running.waitForOutput(/ready/)).rejects.toThrow(/ended \(4\).*something else/s);
});
