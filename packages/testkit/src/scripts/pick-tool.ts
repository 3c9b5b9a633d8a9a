import type { JsonObject, JsonValue, ToolDefinition } from "@loom/core";
import { asList, asObject, asText } from "../json-fields.ts";
import type { ScriptedToolCall } from "../model/reply.ts";

type Pick = { readonly tool: ToolDefinition; readonly property: string };

const COMMAND_PROPERTIES = ["command", "cmd", "script"];
const COMMAND_TOOL = /bash|shell|exec|terminal|command/i;
const PATH_PROPERTIES = ["path", "file_path", "filePath", "file", "filename"];
const READ_TOOL = /read/i;

/**
 * A call that runs a shell command with whatever tool a client offers for it: one that takes a string, or a list of
 * strings, named `command` or `cmd`. `undefined` where it offers none.
 */
export function pickCommandTool(tools: readonly ToolDefinition[], command: string): ScriptedToolCall | undefined {
  const pick = pickTool(tools, COMMAND_PROPERTIES, COMMAND_TOOL);
  return pick && fill(pick, command);
}

/** A call that reads a file with whatever tool a client offers for it. */
export function pickReadTool(tools: readonly ToolDefinition[], path: string): ScriptedToolCall | undefined {
  const readers = tools.filter((tool) => READ_TOOL.test(tool.name));
  const pick = pickTool(readers, PATH_PROPERTIES, /^read/i);
  return pick && fill(pick, path);
}

function pickTool(
  tools: readonly ToolDefinition[],
  properties: readonly string[],
  preferred: RegExp,
): Pick | undefined {
  const picks = tools.flatMap((tool): readonly Pick[] => {
    const property = properties.find((name) => takesText(asObject(propertiesOf(tool)[name])));
    return property === undefined ? [] : [{ tool, property }];
  });
  return picks.find(({ tool }) => preferred.test(tool.name)) ?? picks[0];
}

function fill({ tool, property }: Pick, value: string): ScriptedToolCall {
  const properties = propertiesOf(tool);
  const required = (asList(tool.inputSchema.required) ?? []).flatMap((name) => asText(name) ?? []);
  const input: Record<string, JsonValue> = {};
  for (const name of required) input[name] = filler(asObject(properties[name]) ?? {}, name);
  // A command as a list of words is what `execve` gets: a shell has to be named.
  input[property] = allows(asObject(properties[property]) ?? {}, "string") ? value : ["bash", "-lc", value];
  return { name: tool.name, input };
}

/** Something valid for a property that the tool insists on and the script does not care about. */
function filler(schema: JsonObject, name: string): JsonValue {
  const [choice] = asList(schema.enum) ?? [];
  if (choice !== undefined) return choice;
  if (allows(schema, "string")) return `scripted ${name}`;
  if (allows(schema, "integer") || allows(schema, "number")) return 1;
  if (allows(schema, "boolean")) return false;
  if (allows(schema, "array")) return [];
  return allows(schema, "null") ? null : {};
}

function takesText(schema: JsonObject | undefined): boolean {
  if (schema === undefined) return false;
  return allows(schema, "string") || (allows(schema, "array") && allows(asObject(schema.items) ?? {}, "string"));
}

function propertiesOf(tool: ToolDefinition): JsonObject {
  return asObject(tool.inputSchema.properties) ?? {};
}

function allows(schema: JsonObject, type: string): boolean {
  return schema.type === type || (asList(schema.type)?.includes(type) ?? false);
}
