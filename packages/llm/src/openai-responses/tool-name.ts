import type { JsonObject, ToolUseBlock } from "@loom/core";
import { asText } from "../json-reader.ts";
import { toolInputText } from "../tool-input.ts";

/**
 * Two kinds of tools that only this dialect knows pass through every other one as ordinary tools under names of their own:
 * those in a namespace, as `namespace__ns__name`, and those whose input is text and not JSON, as `name__text`. Which tools
 * these are is known from the request alone: a plain function may be called so, too.
 */
const NAMESPACE = "__ns__";
const TEXT = "__text";

/** What a tool with text for input takes instead. */
export const TEXT_INPUT_SCHEMA: JsonObject = {
  type: "object",
  properties: { input: { type: "string" } },
  required: ["input"],
  additionalProperties: false,
};

export function nameInNamespace(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}${NAMESPACE}${name}`;
}

export function nameOfTextTool(name: string): string {
  return `${name}${TEXT}`;
}

/** A tool as a client of this dialect knows it. */
type ClientTool = { readonly name: string; readonly namespace?: string; readonly isText: boolean };

/** The tools of a request that are no plain functions, by the names that they have in Loom's words. */
export type ClientTools = ReadonlyMap<string, ClientTool>;

/** The names that the tools of one request get in Loom's words, each its own. */
export class ToolNames {
  readonly #names = new Map<string, string>();
  readonly #taken = new Set<string>();
  readonly #special = new Map<string, ClientTool>();

  get special(): ClientTools {
    return this.#special;
  }

  /** Always the same for the same tool. Plain functions keep their names if they are asked for first. */
  nameOf(tool: ClientTool): string {
    const key = JSON.stringify([tool.namespace, tool.name, tool.isText]);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const inNamespace = nameInNamespace(tool.namespace, tool.name);
    const wish = tool.isText ? nameOfTextTool(inNamespace) : inNamespace;
    let name = wish;
    for (let n = 2; this.#taken.has(name); n++) name = `${wish}_${n}`;
    this.#names.set(key, name);
    this.#taken.add(name);
    if (tool.isText || tool.namespace !== undefined) this.#special.set(name, tool);
    return name;
  }
}

/** A `custom_tool_call` in Loom's words. */
export function textToolUse(id: string, name: string, input: string): ToolUseBlock {
  return { type: "tool_use", id, name: nameOfTextTool(name), input: { input } };
}

/** A call as a client of this dialect is given it, without ids and status. */
export type WireCall =
  | {
      readonly type: "function_call";
      readonly name: string;
      readonly namespace?: string;
      readonly arguments: string;
    }
  | { readonly type: "custom_tool_call"; readonly name: string; readonly namespace?: string; readonly input: string };

export function callToClient(call: ToolUseBlock, tools: ClientTools | undefined): WireCall {
  const { isText, ...named } = toolOfClient(call.name, tools);
  if (!isText) return { type: "function_call", ...named, arguments: toolInputText(call) };
  return { type: "custom_tool_call", ...named, input: asText(call.input.input) ?? call.malformedInput ?? "" };
}

export function toolOfClient(name: string, tools: ClientTools | undefined): ClientTool {
  return tools?.get(name) ?? { name, isText: false };
}
