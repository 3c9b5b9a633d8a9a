import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { JsonObject, ToolCall } from "@loom/core";
import { expect, test } from "vitest";
import * as z from "zod";
import { defineTool } from "./define-tool.ts";
import { ToolFailure } from "./failure.ts";
import { codeOf, modelText, RUNNING, temporaryDirectory, Workspace } from "./testing.ts";
import type { Tool } from "./tool.ts";
import type { ToolSet, ToolSetOptions } from "./tool-set.ts";
import { createToolSet } from "./tool-set.ts";

type Behaviour = Parameters<typeof defineTool<typeof INPUT>>[0]["run"];

const INPUT = z.strictObject({
  text: z.string(),
  times: z.int().min(1).max(9).default(1),
  note: z.string().optional(),
});

function probe(run: Behaviour, deadlineMs = 60_000): Tool {
  return defineTool({
    name: "probe",
    description: "For tests.",
    input: INPUT,
    effects: "workspace",
    deadlineMs: () => deadlineMs,
    describe: ({ text }) => `Probe ${text}`,
    run,
  });
}

const echo = probe(async ({ text, times }) => ({ model: text.repeat(times), display: { kind: "text", text } }));

function toolSet(tool: Tool = echo, options: Partial<ToolSetOptions> = {}): ToolSet {
  const { files, processes } = new Workspace();
  const tools = { definitions: [tool.definition()], reading: [], load: async () => [tool] };
  return createToolSet({ tools, files, processes, outputDirectory: temporaryDirectory(), ...options });
}

function call(input: JsonObject, more: Partial<ToolCall> = {}): ToolCall {
  return { type: "tool_use", id: "1", name: "probe", input, ...more };
}

const run = (tools: ToolSet, input: JsonObject, more: Partial<ToolCall> = {}) =>
  tools.execute(call(input, more), { signal: RUNNING });

test("a definition is JSON Schema in which what has a default is optional", () => {
  expect(echo.definition()).toEqual({
    name: "probe",
    description: "For tests.",
    inputSchema: {
      type: "object",
      properties: {
        text: { type: "string" },
        times: { type: "integer", minimum: 1, maximum: 9, default: 1 },
        note: { type: "string" },
      },
      required: ["text"],
      additionalProperties: false,
    },
  });
});

test("arguments are checked, defaults filled in, and null taken as absent", async () => {
  expect(modelText(await run(toolSet(), { text: "a" }))).toBe("a");
  expect(modelText(await run(toolSet(), { text: "a", times: 3, note: null }))).toBe("aaa");
  const wrong = await run(toolSet(), { text: 1, times: 10, more: true });
  expect(codeOf(wrong)).toBe("invalid_arguments");
  expect(modelText(wrong)).toBe(
    'The arguments of probe do not fit: text: expected string, received number; times: Too big: expected number to be <=9; Unrecognized key: "more". Correct them and call again.',
  );
});

test("what the person sees is apart from what the model reads", async () => {
  expect(await run(toolSet(), { text: "a", times: 2 })).toEqual({
    outcome: { type: "success", content: [{ type: "text", text: "aa" }], changed: false },
    display: { kind: "text", text: "a" },
    changedFiles: [],
  });
});

test("text that is no JSON object is quoted back, cut", async () => {
  const result = await run(toolSet(), {}, { malformedInput: `{"text": "${"x".repeat(1_000)}` });
  expect(codeOf(result)).toBe("invalid_arguments");
  expect(modelText(result)).toMatch(
    /^The arguments of probe are not a JSON object: "\{\\"text.* and 810 more characters\. It may have been cut off/,
  );
});

test("an unknown tool is answered with the tools there are, one that is not allowed with the others", async () => {
  const unknown = await run(toolSet(), {}, { name: "prob" });
  expect([codeOf(unknown), modelText(unknown)]).toEqual([
    "unknown_tool",
    'There is no tool "prob". The tools are: probe.',
  ]);
  const restricted = toolSet(echo, { allowed: ["other"] });
  expect(restricted.definitions).toEqual([]);
  expect(codeOf(await run(restricted, { text: "a" }))).toBe("not_allowed");
});

test("a failure of a tool is an outcome; what was not foreseen gives nothing away", async () => {
  const failing = probe(async ({ text }) => {
    throw text === "known" ? new ToolFailure("io", "The disk is full.", { changed: ["a.txt"] }) : new Error("secret");
  });
  expect(await run(toolSet(failing), { text: "known" })).toEqual({
    outcome: { type: "error", code: "io", message: "The disk is full." },
    display: { kind: "error", message: "The disk is full." },
    changedFiles: ["a.txt"],
  });
  const unknown = await run(toolSet(failing), { text: "unknown" });
  expect([codeOf(unknown), modelText(unknown)]).toEqual(["internal", "probe failed unexpectedly."]);
});

test("tools that cannot be loaded are an outcome as well", async () => {
  const tools = { definitions: [], reading: [], load: () => Promise.reject(new Error("secret")) };
  const broken = toolSet(echo, { tools });
  await broken.preload();
  expect(codeOf(await run(broken, { text: "a" }))).toBe("internal");
});

test("a tool that takes too long is told to stop, and its failure is the deadline's", async () => {
  const slow = probe((_, { signal }) => {
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new ToolFailure("interrupted", "stopped")));
    });
  }, 20);
  const result = await run(toolSet(slow), { text: "a" });
  expect([codeOf(result), modelText(result)]).toEqual([
    "timeout",
    "probe was stopped after 0.02 s, before it was done.",
  ]);
});

test("the person's signal reaches the tool", async () => {
  const controller = new AbortController();
  const slow = probe((_, { signal, onProgress }) => {
    onProgress({ message: "running" });
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new ToolFailure("interrupted", "I was stopped.")));
    });
  });
  const options = { signal: controller.signal, onProgress: () => void setImmediate(() => controller.abort()) };
  const result = await toolSet(slow).execute(call({ text: "a" }), options);
  expect([codeOf(result), modelText(result)]).toEqual(["interrupted", "I was stopped."]);
});

test("a tool that does not stop is left to itself", async () => {
  const deaf = probe(() => new Promise(() => undefined), 20);
  expect(codeOf(await run(toolSet(deaf, { patienceMs: 20 }), { text: "a" }))).toBe("timeout");
});

test("a person is told what a call is about to do, also of one that will fail", async () => {
  expect(await toolSet().describe(call({ text: "a" }))).toBe("Probe a");
  expect(await toolSet().describe(call({}))).toBe("probe");
});

test("the package can be imported, and a tool set made, without loading the tools or the schema library", () => {
  const program = `
    import { registerHooks } from "node:module";
    const heavy = [];
    registerHooks({
      load(url, context, next) {
        if (/node_modules|builtin\\/(?!builtin-tools|definitions)/.test(url)) heavy.push(url);
        return next(url, context);
      },
    });
    const { builtinTools, createToolSet, LocalFiles, LocalProcesses } = await import(${JSON.stringify(join(import.meta.dirname, "index.ts"))});
    const files = new LocalFiles(".");
    const processes = new LocalProcesses({ root: files.root, environment: {} });
    const { definitions } = createToolSet({ tools: builtinTools, files, processes, outputDirectory: "/nonexistent" });
    console.log(JSON.stringify({ heavy, tools: definitions.length }));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  expect(JSON.parse(output)).toEqual({ heavy: [], tools: 5 });
});
