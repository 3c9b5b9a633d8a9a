import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";

const CANARY = "sk-canary-ü-0123456789";

/** Runs `script` in a process of its own that has the canary in its environment. */
function runWithCanary(script: string): string {
  const module = new URL("./erase-variable.ts", import.meta.url).href;
  const code = `import { eraseVariable } from ${JSON.stringify(module)};\nimport { execSync } from "node:child_process";\n${script}`;
  return execFileSync(process.execPath, ["--input-type=module-typescript", "--eval", code], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, BEFORE: "b", LOOM_TEST_KEY: CANARY, OTHER: "still here" },
  });
}

describe("eraseVariable", () => {
  it("leaves nothing for children to inherit", () => {
    const output = runWithCanary('eraseVariable("LOOM_TEST_KEY"); console.log(execSync("env").toString());');
    expect(output).toContain("OTHER=still here");
    expect(output).not.toContain("canary");
  });

  it.runIf(existsSync("/proc/self/environ"))("leaves nothing for children to read in /proc", () => {
    const read = "console.log(execSync(\"tr '\\\\0' '\\\\n' < /proc/$PPID/environ\").toString());";
    expect(runWithCanary(read)).toContain(CANARY);
    const output = runWithCanary(`eraseVariable("LOOM_TEST_KEY"); ${read}`);
    expect(output).toContain("BEFORE=b");
    expect(output).toContain("OTHER=still here");
    expect(output).not.toContain("canary");
  });

  it.runIf(existsSync("/proc/self/environ"))(
    "works through a view of the environment, and leaves it alone for a copy",
    () => {
      const read = "console.log(execSync(\"tr '\\\\0' '\\\\n' < /proc/$PPID/environ\").toString());";
      const view = 'eraseVariable("LOOM_TEST_KEY", new Proxy(process.env, {}));';
      expect(runWithCanary(`${view} ${read}`)).not.toContain("canary");
      const copy = 'eraseVariable("LOOM_TEST_KEY", { ...process.env });';
      expect(runWithCanary(`${copy} ${read}`)).toContain(CANARY);
    },
  );
});
