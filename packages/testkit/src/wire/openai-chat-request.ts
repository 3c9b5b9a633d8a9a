import type {
  AssistantContent,
  JsonObject,
  JsonValue,
  Message,
  ToolDefinition,
  ToolUseBlock,
  UserContent,
} from "@loom/core";
import { asList, asObject, asText, parseJson } from "../json-fields.ts";
import { type NormalizedRequest, normalizeRequest } from "../model/normalized-request.ts";
import { RefusedRequest } from "./dialect.ts";

const FUNCTION_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** Reads `POST /v1/chat/completions` as strictly as the provider does, with sentences like its own. */
export function readChatRequest(body: JsonObject): NormalizedRequest {
  const model = asText(body.model) ?? refuse("you must provide a model parameter");
  const entries = asList(body.messages) ?? refuse("Missing required parameter: 'messages'.");
  if (entries.length === 0) refuse("Invalid 'messages': empty array. Expected an array with minimum length 1.");
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  if (body.stream_options !== undefined && body.stream !== true) {
    refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.");
  }
  return normalizeRequest({
    dialect: "openai-chat",
    model,
    stream: body.stream === true,
    ...readMessages(entries.map((entry, index) => asObject(entry) ?? refuse(`Invalid type for 'messages[${index}]'.`))),
    tools: readTools(body.tools),
    maxTokens: typeof maxTokens === "number" ? maxTokens : undefined,
  });
}

/** A function's arguments as the model wrote them, which may be no JSON. */
export function readFunctionCall(id: string, name: string, text: string): ToolUseBlock {
  const input = asObject(parseJson(text));
  if (input !== undefined) return { type: "tool_use", id, name, input };
  return { type: "tool_use", id, name, input: {}, malformedInput: text };
}

/** An image given as a `data:` URL; any other URL is refused, since nothing here may go out to fetch it. */
export function readImageUrl(url: string): UserContent {
  const match = /^data:([^;,]+);base64,(.*)$/s.exec(url);
  const [, mediaType, data] = match ?? [];
  if (mediaType === undefined || data === undefined)
    return refuse("Invalid image_url: only base64 data URLs are taken.");
  return { type: "image", mediaType, data };
}

function refuse(message: string): never {
  throw new RefusedRequest(message);
}

function readTools(value: JsonValue | undefined): readonly ToolDefinition[] {
  const tools = asList(value);
  if (tools === undefined) return [];
  if (tools.length === 0) refuse("Invalid 'tools': empty array. Expected an array with minimum length 1.");
  return tools.map((entry, index) => {
    const tool = asObject(entry) ?? {};
    const described = asObject(tool.function);
    if (tool.type !== "function" || described === undefined) return refuse(`Missing 'tools[${index}].function'.`);
    const name = asText(described.name) ?? "";
    if (!FUNCTION_NAME.test(name)) refuse(`Invalid 'tools[${index}].function.name': string does not match pattern.`);
    const inputSchema = asObject(described.parameters) ?? { type: "object", properties: {} };
    return { name, description: asText(described.description) ?? "", inputSchema };
  });
}

function readMessages(entries: readonly JsonObject[]): { system: string; messages: readonly Message[] } {
  const system: string[] = [];
  const messages: Message[] = [];
  let open = new Set<string>();
  entries.forEach((entry, index) => {
    const role = entry.role;
    if (role === "tool") {
      const toolCallId = asText(entry.tool_call_id) ?? refuse(`Missing 'messages[${index}].tool_call_id'.`);
      if (!open.delete(toolCallId)) {
        refuse("messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.");
      }
      const content = readText(entry.content, index);
      messages.push({
        role: "user",
        content: [{ type: "tool_result", toolCallId, content: textBlocks(content), isError: false }],
      });
      return;
    }
    checkAnswered(open);
    if (role === "system" || role === "developer") system.push(readText(entry.content, index));
    else if (role === "user") messages.push({ role: "user", content: readUserContent(entry.content, index) });
    else if (role === "assistant") {
      const content = readAssistantContent(entry, index);
      messages.push({ role: "assistant", content });
      open = new Set(content.flatMap((block) => (block.type === "tool_use" ? [block.id] : [])));
    } else refuse(`Invalid value: '${String(role)}'. Supported values are: 'system', 'assistant', 'user' and 'tool'.`);
  });
  checkAnswered(open);
  return { system: system.join("\n"), messages };
}

function checkAnswered(open: ReadonlySet<string>): void {
  if (open.size === 0) return;
  refuse(
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
      `The following tool_call_ids did not have response messages: ${[...open].join(", ")}`,
  );
}

function readText(content: JsonValue | undefined, index: number): string {
  const text = asText(content);
  if (text !== undefined) return text;
  const parts =
    asList(content) ?? refuse(`Invalid value for 'content': expected a string, got null. messages[${index}]`);
  return parts
    .map((part) => asText(asObject(part)?.text) ?? refuse(`Invalid content part in 'messages[${index}]'.`))
    .join("\n");
}

function textBlocks(text: string): { type: "text"; text: string }[] {
  return text === "" ? [] : [{ type: "text", text }];
}

function readUserContent(content: JsonValue | undefined, index: number): readonly UserContent[] {
  const parts = asList(content);
  if (parts === undefined) return textBlocks(readText(content, index));
  return parts.map((entry): UserContent => {
    const part = asObject(entry) ?? {};
    const text = asText(part.text);
    if (part.type === "text" && text !== undefined) return { type: "text", text };
    const url = asText(asObject(part.image_url)?.url);
    if (part.type === "image_url" && url !== undefined) return readImageUrl(url);
    return refuse(`Invalid content part in 'messages[${index}]'.`);
  });
}

function readAssistantContent(entry: JsonObject, index: number): readonly AssistantContent[] {
  const calls = asList(entry.tool_calls);
  if (calls?.length === 0) refuse(`Invalid 'messages[${index}].tool_calls': empty array.`);
  const text = entry.content === null || entry.content === undefined ? "" : readText(entry.content, index);
  if (text === "" && calls === undefined && entry.refusal === undefined) {
    refuse(`Invalid value for 'content': expected a string, got null. messages[${index}]`);
  }
  // Not OpenAI's own field: compatible servers hand out reasoning this way, and some want it back.
  const reasoning = asText(entry.reasoning_content);
  return [
    ...(reasoning === undefined ? [] : [{ type: "thinking", text: reasoning } as const]),
    ...textBlocks(text),
    ...(calls ?? []).map((value) => readCall(asObject(value) ?? {}, index)),
  ];
}

function readCall(call: JsonObject, index: number): ToolUseBlock {
  const called = asObject(call.function);
  const id = asText(call.id);
  const name = asText(called?.name);
  const text = asText(called?.arguments);
  if (call.type !== "function" || !id || !name || text === undefined) {
    return refuse(
      `Invalid 'messages[${index}].tool_calls': id, type, function.name and function.arguments are required.`,
    );
  }
  return readFunctionCall(id, name, text);
}
