import type { JsonObject, ToolDefinition } from "@loom/core";
import { expect, test } from "vitest";
import { pickCommandTool, pickReadTool } from "./pick-tool.ts";

function tool(name: string, properties: JsonObject, required: readonly string[] = []): ToolDefinition {
  return { name, description: "", inputSchema: { type: "object", properties, required } };
}

const text = { type: "string" };

test.each([
  [
    "bash with a command",
    tool("bash", { command: text, timeoutSeconds: { type: "number" } }, ["command"]),
    { command: "ls" },
  ],
  [
    "bash that insists on a description",
    tool("bash", { command: text, timeout: { type: "number" }, description: text }, ["command", "description"]),
    { command: "ls", description: "scripted description" },
  ],
  [
    "exec_command with cmd",
    tool("exec_command", { cmd: text, yield_time_ms: { type: "number" } }, ["cmd"]),
    { cmd: "ls" },
  ],
  [
    "shell with a list of words",
    tool("shell", { command: { type: "array", items: text }, workdir: text }, ["command"]),
    { command: ["bash", "-lc", "ls"] },
  ],
  ["a nullable command", tool("terminal", { command: { type: ["string", "null"] } }), { command: "ls" }],
  [
    "required fields of every kind",
    tool(
      "run",
      {
        command: text,
        mode: { type: "string", enum: ["safe", "wild"] },
        count: { type: "integer" },
        dry: { type: "boolean" },
        names: { type: "array", items: text },
        nothing: { type: "null" },
        more: { type: "object" },
      },
      ["command", "mode", "count", "dry", "names", "nothing", "more"],
    ),
    { command: "ls", mode: "safe", count: 1, dry: false, names: [], nothing: null, more: {} },
  ],
])("it fills %s", (_, definition, input) => {
  expect(pickCommandTool([definition], "ls")).toEqual({ name: definition.name, input });
});

test("a tool named like a shell goes before any other that takes a command", () => {
  const tools = [tool("slash", { command: text }), tool("read", { path: text }), tool("Bash", { command: text })];
  expect(pickCommandTool(tools, "ls")?.name).toBe("Bash");
  expect(pickCommandTool(tools.slice(0, 2), "ls")?.name).toBe("slash");
});

test("nothing is picked where nothing fits", () => {
  expect(
    pickCommandTool([tool("read", { path: text }), tool("count", { command: { type: "number" } })], "ls"),
  ).toBeUndefined();
  expect(pickReadTool([tool("bash", { command: text })], "a")).toBeUndefined();
});

test("a reading tool is found by its name and its path", () => {
  const tools = [
    tool("write_file", { path: text }),
    tool("read_file", { path: text, maxBytes: { type: "integer" } }, ["path"]),
  ];
  expect(pickReadTool(tools, "a.js")).toEqual({ name: "read_file", input: { path: "a.js" } });
  expect(pickReadTool([tool("read", { filePath: text })], "a.js")).toEqual({
    name: "read",
    input: { filePath: "a.js" },
  });
});
