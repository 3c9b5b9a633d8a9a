import type { JsonValue, ToolUseBlock } from "@loom/core";
import { asObject, parseJson } from "./json-reader.ts";

/**
 * A tool call from the text of its arguments as the model wrote it. No text at all means no arguments, and so
 * do `null`, `[]` and `""`, which servers send for tools without parameters. What else is not a JSON object (cut short, for
 * one) is kept as `malformedInput`, so that the model can be told.
 */
export function toolUseFromText(id: string, name: string, argumentsText: string): ToolUseBlock {
  if (argumentsText.trim() === "") return { type: "tool_use", id, name, input: {} };
  const value = parseJson(argumentsText);
  const input = isNothing(value) ? {} : asObject(value);
  if (input !== undefined) return { type: "tool_use", id, name, input };
  return { type: "tool_use", id, name, input: {}, malformedInput: argumentsText };
}

function isNothing(value: JsonValue | undefined): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** The other way: the arguments as the model wrote them. */
export function toolInputText(call: ToolUseBlock): string {
  return call.malformedInput ?? JSON.stringify(call.input);
}
