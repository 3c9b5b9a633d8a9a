import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ToolProgress } from "@loom/core";
import { expect, test } from "vitest";
import { codeOf, modelText, Workspace } from "../testing.ts";

test("the model reads the output, and the exit code if it is not 0", async () => {
  const workspace = new Workspace();
  expect(await workspace.model("bash", { command: "echo hello; echo oops >&2" })).toBe("hello\noops");
  expect(await workspace.model("bash", { command: "echo hello; exit 3" })).toBe("hello\n[exit code 3]");
  expect(await workspace.model("bash", { command: "true" })).toBe("(no output)");
  expect(await workspace.model("bash", { command: "kill -TERM $$" })).toContain("[exit code 143: killed by SIGTERM]");
});

test("a command that fails is a success of the tool, and may have changed anything", async () => {
  const workspace = new Workspace();
  const { outcome, changedFiles, display } = await workspace.call("bash", { command: "echo no; false" });
  expect(outcome).toMatchObject({ type: "success", changed: true });
  expect(changedFiles).toBe("unknown");
  expect(display).toEqual({ kind: "command", command: "echo no; false", exitCode: 1, output: "no" });
});

test("terminal control does not reach the model", async () => {
  const workspace = new Workspace();
  expect(await workspace.model("bash", { command: "printf '\\e[31mred\\e[0m\\r\\n10%%\\r20%%\\n\\xff\\xfe!'" })).toBe(
    "red\n20%\n\ufffd!",
  );
});

test("a command that prints 100 MB: the model gets both ends, the disk all of it, the memory little", async () => {
  const workspace = new Workspace();
  const before = process.memoryUsage().rss;
  let peak = 0;
  const result = await workspace.call(
    "bash",
    { command: "echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last" },
    {
      onProgress: () => {
        peak = Math.max(peak, process.memoryUsage().rss);
      },
    },
  );
  const text = modelText(result);
  expect(text.length).toBeLessThan(31_000);
  expect(text).toMatch(
    /^first\nx+\n\[\.\.\. \d+ of 100000012 bytes left out; all of it is in .*\.txt; read parts of it with bash \.\.\.\]\nx+\nlast$/,
  );
  expect(result.display).toMatchObject({ kind: "command", exitCode: 0 });
  const file = result.display.kind === "command" ? (result.display.outputFile ?? "") : "";
  expect(file.startsWith(workspace.outputDirectory)).toBe(true);
  expect(statSync(file).size).toBe(100_000_012);
  expect(peak - before).toBeLessThan(150_000_000);
});

test("the file of a long output can be read with bash", async () => {
  const workspace = new Workspace();
  const { display } = await workspace.call("bash", { command: "seq 1 20000" });
  const file = display.kind === "command" ? display.outputFile : "";
  expect(await workspace.model("bash", { command: `sed -n 10000p ${file}` })).toBe("10000");
  expect(readFileSync(file ?? "", "utf8").split("\n")).toHaveLength(20_001);
});

test("a command that takes too long is an error that holds what it had printed", async () => {
  const workspace = new Workspace();
  const result = await workspace.call("bash", { command: "echo so far; touch made; sleep 1000", timeoutSeconds: 1 });
  expect(codeOf(result)).toBe("timeout");
  expect(modelText(result)).toMatch(
    /^The command was stopped after 1 s, with everything it had started\..* Its output:\nso far$/,
  );
  expect(result.changedFiles).toBe("unknown");
  expect(result.display).toMatchObject({ kind: "command", exitCode: null, output: "so far" });
});

test("a command that the person stops says so", async () => {
  const workspace = new Workspace();
  const controller = new AbortController();
  const result = await workspace.call(
    "bash",
    { command: "echo started; sleep 1000" },
    { signal: controller.signal, onProgress: () => controller.abort() },
  );
  expect(codeOf(result)).toBe("interrupted");
  expect(modelText(result)).toContain("started");
});

test("a background process is mentioned", async () => {
  const workspace = new Workspace();
  expect(await workspace.model("bash", { command: "sleep 1000 & echo started" })).toBe(
    "started\n[processes started in the background are still running]",
  );
});

test("progress is the newest line, without terminal control", async () => {
  const workspace = new Workspace();
  const seen: ToolProgress[] = [];
  workspace.put("output", "one\n\u001b[1mtwo\u001b[0m\n");
  await workspace.call("bash", { command: "cat output" }, { onProgress: (progress) => seen.push(progress) });
  expect(seen).toEqual([{ message: "two" }]);
});

test("a person is told the command on one line", async () => {
  const { tools } = new Workspace();
  const title = (command: string) => tools.describe({ type: "tool_use", id: "1", name: "bash", input: { command } });
  expect(await title("npm test")).toBe("Run npm test");
  expect(await title("cd a\nnpm test")).toBe("Run cd a…");
  expect((await title("x".repeat(500))).length).toBeLessThan(120);
});

test("arguments out of range are refused before anything runs", async () => {
  const workspace = new Workspace();
  const result = await workspace.call("bash", { command: "touch made", timeoutSeconds: 301 });
  expect(codeOf(result)).toBe("invalid_arguments");
  expect(modelText(result)).toContain("timeoutSeconds");
  expect(existsSync(join(workspace.root, "made"))).toBe(false);
});
