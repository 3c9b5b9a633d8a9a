import type { JsonObject, JsonValue, LlmRequest, ProviderTool, ToolChoice, ToolDefinition } from "@loom/core";
import { readCache } from "../anthropic-messages/cache-marker.ts";
import { asObject, asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import { readArray, readBoolean, readName, readObject } from "../request-reader.ts";
import { readFunction } from "./read-content.ts";

type Tools = Pick<LlmRequest, "tools" | "providerTools" | "toolChoice">;

/** The tools and the choice among them. Tools of other kinds than functions (`custom`) stay as they are. */
export function readTools({ tools: list, tool_choice: choice }: JsonObject): Tools {
  const tools: ToolDefinition[] = [];
  const providerTools: ProviderTool[] = [];
  for (const [index, value] of readArray(list ?? [], "tools").entries()) {
    const path = `tools.${index}`;
    const tool = readObject(value, path);
    const type = tool.type ?? "function";
    if (typeof type !== "string") refuseValue(`${path}.type`, type);
    if (type === "function") tools.push(readTool(tool, path));
    else providerTools.push({ dialect: "chat", definition: tool });
  }
  return { ...chosen(tools, choice), ...(providerTools.length === 0 ? {} : { providerTools }) };
}

function readTool(tool: JsonObject, path: string): ToolDefinition {
  const { name, description, parameters, strict: held } = readFunction(tool, path);
  const strict = readBoolean(held, `${path}.function.strict`);
  return {
    name: readName(name, `${path}.function.name`),
    description: asText(description) ?? "",
    inputSchema: readObject(parameters ?? { type: "object", properties: {} }, `${path}.function.parameters`),
    ...(strict === undefined ? {} : { strict }),
    ...readCache(tool.cache_control),
  };
}

function chosen(tools: readonly ToolDefinition[], choice: JsonValue | undefined): Pick<Tools, "tools" | "toolChoice"> {
  if (choice === undefined || choice === null) return { tools };
  const allowed = asObject(asObject(choice)?.allowed_tools);
  if (allowed === undefined) return { tools, toolChoice: readChoice(choice, "tool_choice") };
  const path = "tool_choice.allowed_tools";
  const names = readArray(allowed.tools, `${path}.tools`).map((tool, index) => {
    const at = `${path}.tools.${index}`;
    return readName(readFunction(readObject(tool, at), at).name, `${at}.function.name`);
  });
  // Only some of them now: the others might as well not be there.
  const left = tools.filter(({ name }) => names.includes(name));
  if (left.length === 0) refuse(`${path}.tools`, "name no tool of this request");
  return {
    tools: left,
    toolChoice: readChoice(allowed.mode ?? "auto", `${path}.mode`),
  };
}

function readChoice(choice: JsonValue, path: string): ToolChoice {
  if (choice === "auto" || choice === "none" || choice === "required") return { type: choice };
  if (asObject(choice) === undefined) refuseValue(path, choice);
  const { name } = readFunction(readObject(choice, path), path);
  return { type: "tool", name: readName(name, `${path}.function.name`) };
}
