import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isGone, markOfThisProcess } from "./process-mark.ts";

describe.runIf(process.platform === "linux")("a process", () => {
  test("that runs is not gone, and one that was before it under its number is", () => {
    const mark = markOfThisProcess();
    expect(isGone(mark)).toBe(false);
    expect(isGone({ ...mark, start: "1" })).toBe(true);
    expect(isGone({ ...mark, namespace: "pid:[1]" })).toBeUndefined();
  });

  test("that was killed is gone, also before its parent has asked about it", async () => {
    // The shell becomes a program that never asks about the shell's child.
    const parent = spawn("sh", ["-c", "sleep 1000 & echo $!; exec sleep 1000"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      const [text] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(text.toString());
      const fieldsOf = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      const mark = { ...markOfThisProcess(), pid, start: fieldsOf()[19] };
      expect(isGone(mark)).toBe(false);
      // Until then, the shell might ask.
      await expect.poll(() => readFileSync(`/proc/${parent.pid}/comm`, "utf8")).toBe("sleep\n");
      process.kill(pid, "SIGKILL");
      await expect.poll(() => fieldsOf()[0]).toBe("Z");
      expect(isGone(mark)).toBe(true);
    } finally {
      parent.kill("SIGKILL");
    }
  });
});
