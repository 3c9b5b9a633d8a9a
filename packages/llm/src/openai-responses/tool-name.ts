import type { JsonObject, ToolUseBlock } from "@loom/core";
import { asText } from "../json-reader.ts";
import { toolInputText } from "../tool-input.ts";

/**
 * Two kinds of tools that only this dialect knows pass through every other one as ordinary tools, told apart by their
 * names: those in a namespace, as `namespace__ns__name`, and those whose input is text and not JSON, as `name__text`.
 * Nothing has to be remembered between a request and its answer.
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

export function callToClient(call: ToolUseBlock): WireCall {
  const { isText, ...named } = nameToClient(call.name);
  if (!isText) return { type: "function_call", ...named, arguments: toolInputText(call) };
  return { type: "custom_tool_call", ...named, input: asText(call.input.input) ?? call.malformedInput ?? "" };
}

export function nameToClient(wholeName: string): {
  readonly name: string;
  readonly namespace?: string;
  readonly isText: boolean;
} {
  const isText = wholeName.endsWith(TEXT) && wholeName.length > TEXT.length;
  const name = isText ? wholeName.slice(0, -TEXT.length) : wholeName;
  const at = name.indexOf(NAMESPACE);
  if (at <= 0) return { name, isText };
  return { name: name.slice(at + NAMESPACE.length), namespace: name.slice(0, at), isText };
}
