import type { JsonObject, JsonValue, ProviderTool, ToolChoice, ToolDefinition } from "@loom/core";
import { asArray, asObject, asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import { readArray, readName, readObject } from "../request-reader.ts";
import { isResponsesSearch, WEB_SEARCH } from "../web-search.ts";
import { TEXT_INPUT_SCHEMA, type ToolNames } from "./tool-name.ts";

export type Tools = { readonly tools: ToolDefinition[]; readonly providerTools: ProviderTool[] };

/**
 * Functions, also those in a namespace, and tools with text for input, whose grammar becomes part of their description: a
 * model of another provider reads it, but is not held to it. Tools that run at OpenAI, or that its models were trained on
 * (`web_search`, `local_shell`...), are passed on as they are.
 */
export function readTools(value: JsonValue | undefined, names: ToolNames): Tools {
  const tools: ToolDefinition[] = [];
  const providerTools: ProviderTool[] = [];
  namePlainFunctions(value, names);
  for (const [index, item] of readArray(value ?? [], "tools").entries()) {
    const path = `tools.${index}`;
    const tool = readObject(item, path);
    if (tool.type === "function" || tool.type === "custom") tools.push(readTool(tool, path, names));
    else if (tool.type === "namespace") tools.push(...readNamespace(tool, path, names));
    else
      providerTools.push({ dialect: "responses", definition: { ...tool, type: readName(tool.type, `${path}.type`) } });
  }
  return { tools, providerTools };
}

/** Before all others, so that these keep their names. */
function namePlainFunctions(value: JsonValue | undefined, names: ToolNames): void {
  for (const item of asArray(value)) {
    const tool = asObject(item);
    const name = asText(tool?.name);
    if (tool?.type === "function" && name !== undefined) names.nameOf({ name, isText: false });
  }
}

function readTool(tool: JsonObject, path: string, names: ToolNames, namespace?: string): ToolDefinition {
  const isText = tool.type === "custom";
  const name = names.nameOf({ ...inside(namespace), name: readName(tool.name, `${path}.name`), isText });
  const description = asText(tool.description) ?? "";
  if (isText) {
    const described = [description, grammarOf(tool.format)].filter((text) => text !== "").join("\n\n");
    return { name, description: described, inputSchema: TEXT_INPUT_SCHEMA };
  }
  return {
    name,
    description,
    inputSchema: readObject(tool.parameters ?? { type: "object", properties: {} }, `${path}.parameters`),
    ...(tool.strict === true ? { strict: true } : {}),
  };
}

function readNamespace(tool: JsonObject, path: string, names: ToolNames): ToolDefinition[] {
  const namespace = readName(tool.name, `${path}.name`);
  const about = asText(tool.description) ?? "";
  return readArray(tool.tools, `${path}.tools`).map((value, index) => {
    const at = `${path}.tools.${index}`;
    const inner = readObject(value, at);
    if (inner.type !== "function" && inner.type !== "custom") refuseValue(`${at}.type`, inner.type);
    const definition = readTool(inner, at, names, namespace);
    return about === "" ? definition : { ...definition, description: `${about}\n\n${definition.description}`.trim() };
  });
}

function grammarOf(value: JsonValue | undefined): string {
  const format = asObject(value);
  const definition = asText(format?.definition);
  if (definition === undefined) return "";
  return `The input has to match this ${asText(format?.syntax) ?? "lark"} grammar:\n${definition}`;
}

/** `tool_choice`, which may also narrow the tools to some of them. */
export function readToolChoice(
  value: JsonValue | undefined,
  { tools, providerTools }: Tools,
  names: ToolNames,
): Tools & { readonly toolChoice?: ToolChoice } {
  if (value === undefined || value === null) return { tools, providerTools };
  if (value === "auto" || value === "none" || value === "required") {
    return { tools, providerTools, toolChoice: { type: value } };
  }
  const choice = readObject(value, "tool_choice");
  if (choice.type === "function" || choice.type === "custom") {
    return { tools, providerTools, toolChoice: { type: "tool", name: chosenName(choice, "tool_choice", names) } };
  }
  // A function of that name would be taken for it.
  const searches = providerTools.some(({ definition }) => isResponsesSearch(definition.type));
  if (isResponsesSearch(choice.type) && searches && !tools.some(({ name }) => name === WEB_SEARCH)) {
    return { tools, providerTools, toolChoice: { type: "tool", name: WEB_SEARCH } };
  }
  if (choice.type !== "allowed_tools") refuseValue("tool_choice.type", choice.type);
  if (choice.mode !== "auto" && choice.mode !== "required") refuseValue("tool_choice.mode", choice.mode);
  const allowed = new Set(
    readArray(choice.tools, "tool_choice.tools").map((item, index) => {
      const path = `tool_choice.tools.${index}`;
      return chosenName(readObject(item, path), path, names);
    }),
  );
  const left = tools.filter(({ name }) => allowed.has(name));
  if (left.length === 0) refuse("tool_choice.tools", "name no tool of this request");
  return { tools: left, providerTools: [], toolChoice: { type: choice.mode } };
}

function chosenName(choice: JsonObject, path: string, names: ToolNames): string {
  if (choice.type !== "function" && choice.type !== "custom") refuseValue(`${path}.type`, choice.type);
  return names.nameOf({
    ...inside(asText(choice.namespace)),
    name: readName(choice.name, `${path}.name`),
    isText: choice.type === "custom",
  });
}

function inside(namespace: string | undefined): { readonly namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}
