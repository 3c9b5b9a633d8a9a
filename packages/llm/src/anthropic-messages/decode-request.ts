import type {
  AssistantContent,
  ImageBlock,
  JsonObject,
  JsonValue,
  LlmRequest,
  Message,
  TextBlock,
  ToolDefinition,
  ToolResultContent,
  UserContent,
} from "@loom/core";
import type { DecodedRequest } from "../codec.ts";
import { asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import {
  mergeNeighbours,
  readArray,
  readName,
  readObject,
  readPositive,
  readRequest,
  readString,
  readTemperature,
} from "../request-reader.ts";

/**
 * The body of a client's `POST /v1/messages`. What Loom has no word for and an answer is possible without (sampling,
 * `tool_choice`, `thinking`, cache markers, citations, tools that ran at the provider) is left out; what the model would
 * miss (a PDF, an image at an address, a tool that would have to run at the provider) is a problem.
 */
export function decodeRequest(body: string): DecodedRequest {
  return readRequest(body, (json) => {
    const messages = mergeNeighbours(readArray(json.messages, "messages").map(readMessage));
    if (messages.length === 0) refuse("messages", "must not be empty");
    if (messages[0]?.role !== "user") refuse("messages.0.role", 'must be "user"');
    const request: LlmRequest = {
      model: readName(json.model, "model"),
      system: readSystem(json.system),
      messages,
      tools: json.tools === undefined ? [] : readArray(json.tools, "tools").map(readTool),
      maxTokens: readPositive(json.max_tokens, "max_tokens"),
      ...readTemperature(json.temperature, "temperature"),
    };
    return { request, stream: json.stream === true };
  });
}

function readSystem(system: JsonValue | undefined): string {
  if (system === undefined || system === null) return "";
  return readBlocks(system, "system")
    .map((block, index) => readString(block.text, `system.${index}.text`))
    .join("\n\n");
}

function readTool(value: JsonValue, index: number): ToolDefinition {
  const path = `tools.${index}`;
  const tool = readObject(value, path);
  if (tool.type !== undefined && tool.type !== null && tool.type !== "custom") refuseValue(`${path}.type`, tool.type);
  return {
    name: readName(tool.name, `${path}.name`),
    description: asText(tool.description) ?? "",
    inputSchema: readObject(tool.input_schema, `${path}.input_schema`),
  };
}

function readMessage(value: JsonValue, index: number): Message {
  const path = `messages.${index}`;
  const { role, content } = readObject(value, path);
  const blocks = readBlocks(content, `${path}.content`);
  if (role === "assistant") return { role, content: blocks.flatMap(readAssistantBlock(`${path}.content`)) };
  // A system message in the middle of a conversation keeps its place.
  if (role !== "user" && role !== "system") refuseValue(`${path}.role`, role);
  return { role: "user", content: blocks.map((block, at) => readUserBlock(block, `${path}.content.${at}`)) };
}

/** A bare string is short for one text block. */
function readBlocks(content: JsonValue | undefined, path: string): readonly JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return readArray(content, path).map((block, index) => readObject(block, `${path}.${index}`));
}

function readUserBlock(block: JsonObject, path: string): UserContent {
  if (block.type !== "tool_result") return readPlainBlock(block, path);
  return {
    type: "tool_result",
    toolCallId: readName(block.tool_use_id, `${path}.tool_use_id`),
    content: readResult(block.content, `${path}.content`),
    isError: block.is_error === true,
  };
}

function readResult(content: JsonValue | undefined, path: string): ToolResultContent[] {
  if (content === undefined || content === null) return [];
  return readBlocks(content, path).map((block, index) => readPlainBlock(block, `${path}.${index}`));
}

function readPlainBlock(block: JsonObject, path: string): TextBlock | ImageBlock {
  if (block.type === "text") return { type: "text", text: readString(block.text, `${path}.text`) };
  if (block.type !== "image" && block.type !== "document") refuseValue(`${path}.type`, block.type);
  const source = readObject(block.source, `${path}.source`);
  const data = `${path}.source.data`;
  if (block.type === "document" && source.type === "text") return { type: "text", text: readString(source.data, data) };
  if (block.type === "document" || source.type !== "base64") refuseValue(`${path}.source.type`, source.type);
  return {
    type: "image",
    mediaType: readName(source.media_type, `${path}.source.media_type`),
    data: readName(source.data, data),
  };
}

function readAssistantBlock(path: string): (block: JsonObject, index: number) => AssistantContent[] {
  return (block, index) => {
    const at = `${path}.${index}`;
    switch (block.type) {
      case "text":
        return [{ type: "text", text: readString(block.text, `${at}.text`) }];
      case "thinking": {
        const signature = asText(block.signature);
        const text = readString(block.thinking, `${at}.thinking`);
        return [{ type: "thinking", text, ...(signature === undefined ? {} : { signature }) }];
      }
      case "redacted_thinking":
        return [{ type: "thinking", text: "", redactedData: readString(block.data, `${at}.data`) }];
      case "tool_use":
        return [
          {
            type: "tool_use",
            id: readName(block.id, `${at}.id`),
            name: readName(block.name, `${at}.name`),
            input: readObject(block.input, `${at}.input`),
          },
        ];
      default:
        return [];
    }
  };
}
