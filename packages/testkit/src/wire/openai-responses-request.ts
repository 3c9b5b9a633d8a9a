import type { AssistantContent, JsonObject, JsonValue, Message, ToolDefinition, UserContent } from "@loom/core";
import { asList, asObject, asText } from "../json-fields.ts";
import { type NormalizedRequest, normalizeRequest } from "../model/normalized-request.ts";
import { RefusedRequest } from "./dialect.ts";
import { readFunctionCall, readImageUrl } from "./openai-chat-request.ts";

/** The provider's own shell tool, which comes without a schema. */
export const LOCAL_SHELL = "local_shell";

const LOCAL_SHELL_DEFINITION: ToolDefinition = {
  name: LOCAL_SHELL,
  description: "Runs a command on the client's machine.",
  inputSchema: {
    type: "object",
    properties: { command: { type: "array", items: { type: "string" } } },
    required: ["command"],
  },
};

/**
 * Reads `POST /v1/responses`. Less strict than the two dialects Loom itself speaks: kinds of items and tools that a
 * script cannot use are skipped.
 */
export function readResponsesRequest(body: JsonObject): NormalizedRequest {
  const model = asText(body.model) ?? refuse("Missing required parameter: 'model'.");
  const items = readItems(body.input);
  const system = [asText(body.instructions) ?? "", ...items.flatMap(systemText)].filter((text) => text !== "");
  const messages = items.flatMap(readItem);
  checkOutputs(messages);
  return normalizeRequest({
    dialect: "openai-responses",
    model,
    stream: body.stream === true,
    system: system.join("\n"),
    messages,
    tools: (asList(body.tools) ?? []).flatMap((tool) => readTool(asObject(tool) ?? {})),
    maxTokens: typeof body.max_output_tokens === "number" ? body.max_output_tokens : undefined,
  });
}

function refuse(message: string): never {
  throw new RefusedRequest(message);
}

function readItems(input: JsonValue | undefined): readonly JsonObject[] {
  if (typeof input === "string") return [{ type: "message", role: "user", content: input }];
  const items = asList(input) ?? refuse("Missing required parameter: 'input'.");
  return items.map((item, index) => asObject(item) ?? refuse(`Invalid type for 'input[${index}]'.`));
}

function readTool(tool: JsonObject): readonly ToolDefinition[] {
  if (tool.type === LOCAL_SHELL) return [LOCAL_SHELL_DEFINITION];
  const name = asText(tool.name);
  const inputSchema = asObject(tool.parameters);
  if (tool.type !== "function" || name === undefined || inputSchema === undefined) return [];
  return [{ name, description: asText(tool.description) ?? "", inputSchema }];
}

function isMessage(item: JsonObject): boolean {
  return item.type === undefined || item.type === "message";
}

function systemText(item: JsonObject): readonly string[] {
  if (!isMessage(item) || (item.role !== "system" && item.role !== "developer")) return [];
  return [contentText(item.content)];
}

function readItem(item: JsonObject): readonly Message[] {
  const callId = asText(item.call_id) ?? "";
  switch (item.type) {
    case undefined:
    case "message":
      return readMessage(item);
    case "function_call": {
      const name = asText(item.name) ?? refuse("Missing required parameter: 'input[].name'.");
      return [assistant(readFunctionCall(callId, name, asText(item.arguments) ?? ""))];
    }
    case "local_shell_call":
      return [assistant({ type: "tool_use", id: callId, name: LOCAL_SHELL, input: asObject(item.action) ?? {} })];
    case "function_call_output":
    case "local_shell_call_output": {
      const text = contentText(item.output);
      const content = text === "" ? [] : [{ type: "text", text } as const];
      return [{ role: "user", content: [{ type: "tool_result", toolCallId: callId, content, isError: false }] }];
    }
    default:
      return [];
  }
}

function assistant(block: AssistantContent): Message {
  return { role: "assistant", content: [block] };
}

function readMessage(item: JsonObject): readonly Message[] {
  if (item.role === "assistant") return [assistant({ type: "text", text: contentText(item.content) })];
  if (item.role !== "user") return [];
  if (typeof item.content === "string") return [{ role: "user", content: [{ type: "text", text: item.content }] }];
  const content = (asList(item.content) ?? []).flatMap((part): readonly UserContent[] => {
    const text = asText(asObject(part)?.text);
    if (text !== undefined) return [{ type: "text", text }];
    const url = asText(asObject(part)?.image_url);
    return url === undefined ? [] : [readImageUrl(url)];
  });
  return [{ role: "user", content }];
}

function contentText(content: JsonValue | undefined): string {
  const text = asText(content);
  if (text !== undefined) return text;
  return (asList(content) ?? []).map((part) => asText(asObject(part)?.text) ?? "").join("\n");
}

function checkOutputs(messages: readonly Message[]): void {
  const blocks = messages.flatMap((message): readonly (AssistantContent | UserContent)[] => message.content);
  const calls = new Set(blocks.flatMap((block) => (block.type === "tool_use" ? [block.id] : [])));
  for (const block of blocks) {
    if (block.type === "tool_result" && !calls.delete(block.toolCallId)) {
      refuse(`No tool call found for function call output with call_id ${block.toolCallId}.`);
    }
  }
  const [open] = calls;
  if (open !== undefined) refuse(`No tool output found for function call ${open}.`);
}
