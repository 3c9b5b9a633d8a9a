import type {
  AssistantContent,
  JsonObject,
  JsonValue,
  Message,
  ToolDefinition,
  ToolResultContent,
  UserContent,
} from "@loom/core";
import { asList, asObject, asText } from "../json-fields.ts";
import { mergeTurns, type NormalizedRequest, normalizeRequest } from "../model/normalized-request.ts";
import { RefusedRequest } from "./dialect.ts";

const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const CALL_ID = /^[a-zA-Z0-9_-]+$/;
const MAX_CACHE_MARKS = 4;

/** Reads `POST /v1/messages` as strictly as the provider does, with sentences like its own. */
export function readAnthropicRequest(body: JsonObject): NormalizedRequest {
  const model = asText(body.model) ?? refuse("model: Field required");
  const maxTokens = body.max_tokens;
  if (typeof maxTokens !== "number") refuse("max_tokens: Field required");
  if (!Number.isInteger(maxTokens) || maxTokens < 1) refuse("max_tokens: Input should be greater than or equal to 1");
  const { said, instructions } = takeInstructions(asList(body.messages) ?? refuse("messages: Field required"));
  const messages = mergeTurns(said.map(readMessage));
  checkTurns(messages);
  if (countCacheMarks(body) > MAX_CACHE_MARKS) {
    refuse(`A maximum of ${MAX_CACHE_MARKS} blocks with cache_control may be provided.`);
  }
  return normalizeRequest({
    dialect: "anthropic",
    model,
    stream: body.stream === true,
    system: [readSystem(body.system), ...instructions].filter((text) => text !== "").join("\n"),
    messages,
    tools: readTools(body.tools),
    maxTokens,
  });
}

function refuse(message: string): never {
  throw new RefusedRequest(message);
}

function readSystem(value: JsonValue | undefined): string {
  if (value === undefined) return "";
  const text = asText(value);
  if (text !== undefined) return text;
  const blocks = asList(value) ?? refuse("system: Input should be a valid string or a list of text blocks");
  return blocks.map((block) => readText(asObject(block) ?? {}, "system")).join("\n");
}

/** Instructions may stand between the messages too, each right after one of the user's. */
function takeInstructions(entries: readonly JsonValue[]): {
  readonly said: readonly JsonValue[];
  readonly instructions: readonly string[];
} {
  const isInstruction = (entry: JsonValue | undefined): boolean => asObject(entry)?.role === "system";
  const instructions = entries.flatMap((entry, index) => {
    if (!isInstruction(entry)) return [];
    if (asObject(entries[index - 1])?.role !== "user") {
      refuse(`messages.${index}.role: Input should be 'user' or 'assistant'`);
    }
    return [readSystem(asObject(entry)?.content)];
  });
  return { said: entries.filter((entry) => !isInstruction(entry)), instructions };
}

function readTools(value: JsonValue | undefined): readonly ToolDefinition[] {
  const tools = (asList(value) ?? []).map((entry, index): ToolDefinition => {
    const tool = asObject(entry) ?? {};
    const name = asText(tool.name) ?? refuse(`tools.${index}.name: Field required`);
    if (!NAME.test(name)) refuse(`tools.${index}.name: String should match pattern '${NAME.source}'`);
    const schema = asObject(tool.input_schema);
    // Tools that the provider itself defines carry a dated type instead of a schema.
    if (schema === undefined && tool.type === undefined) refuse(`tools.${index}.input_schema: Field required`);
    if (schema !== undefined && schema.type !== "object") {
      refuse(`tools.${index}.input_schema.type: Input should be 'object'`);
    }
    return { name, description: asText(tool.description) ?? "", inputSchema: schema ?? { type: "object" } };
  });
  if (new Set(tools.map((tool) => tool.name)).size < tools.length) refuse("tools: Tool names must be unique.");
  return tools;
}

function readMessage(value: JsonValue, index: number): Message {
  const where = `messages.${index}`;
  const message = asObject(value) ?? refuse(`${where}: Input should be an object`);
  const content = message.content;
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : asList(content);
  if (blocks === undefined) return refuse(`${where}.content: Field required`);
  const objects = blocks.map(
    (block) => asObject(block) ?? refuse(`${where}.content: Input should be a list of blocks`),
  );
  switch (message.role) {
    case "user":
      return { role: "user", content: objects.map((block) => readUserBlock(block, where)) };
    case "assistant":
      return { role: "assistant", content: objects.map((block) => readAssistantBlock(block, where)) };
    default:
      return refuse(`${where}.role: Input should be 'user' or 'assistant'`);
  }
}

function readUserBlock(block: JsonObject, where: string): UserContent {
  if (block.type !== "tool_result") return readResultPart(block, where);
  const toolCallId = asText(block.tool_use_id) ?? refuse(`${where}: tool_result.tool_use_id: Field required`);
  const content = block.content;
  const parts = typeof content === "string" ? textParts(content) : (asList(content) ?? []);
  return {
    type: "tool_result",
    toolCallId,
    content: parts.map((part) => readResultPart(asObject(part) ?? {}, where)),
    isError: block.is_error === true,
  };
}

// An empty string is allowed as a tool's answer, an empty text block is not.
function textParts(text: string): readonly JsonObject[] {
  return text === "" ? [] : [{ type: "text", text }];
}

function readResultPart(block: JsonObject, where: string): ToolResultContent {
  if (block.type === "text") return { type: "text", text: readText(block, where) };
  if (block.type !== "image") return refuse(`${where}: Input tag '${String(block.type)}' is not expected here`);
  const source = asObject(block.source) ?? {};
  const data = asText(source.data);
  const mediaType = asText(source.media_type);
  if (source.type !== "base64" || !data || !mediaType) return refuse(`${where}: image.source: Field required`);
  return { type: "image", mediaType, data };
}

function readAssistantBlock(block: JsonObject, where: string): AssistantContent {
  switch (block.type) {
    case "text":
      return { type: "text", text: readText(block, where) };
    case "thinking": {
      const text = asText(block.thinking) ?? refuse(`${where}: thinking.thinking: Field required`);
      const signature = asText(block.signature) || refuse(`${where}: thinking.signature: Field required`);
      return { type: "thinking", text, signature };
    }
    case "redacted_thinking":
      return {
        type: "thinking",
        text: "",
        redactedData: asText(block.data) ?? refuse(`${where}: data: Field required`),
      };
    case "tool_use": {
      const id = asText(block.id) ?? "";
      const name = asText(block.name) ?? "";
      if (!CALL_ID.test(id)) refuse(`${where}: tool_use.id: String should match pattern '${CALL_ID.source}'`);
      if (!NAME.test(name)) refuse(`${where}: tool_use.name: String should match pattern '${NAME.source}'`);
      const input = asObject(block.input) ?? refuse(`${where}: tool_use.input: Input should be a valid dictionary`);
      return { type: "tool_use", id, name, input };
    }
    default:
      return refuse(`${where}: Input tag '${String(block.type)}' is not expected here`);
  }
}

function readText(block: JsonObject, where: string): string {
  return asText(block.text) || refuse(`${where}: text content blocks must be non-empty`);
}

function checkTurns(messages: readonly Message[]): void {
  if (messages.length === 0) refuse("messages: at least one message is required");
  if (messages[0]?.role !== "user") refuse('messages: first message must use the "user" role');
  if (messages.at(-1)?.role !== "user") refuse("messages: the conversation must end with a user message");
  messages.forEach((message, index) => {
    if (message.content.length === 0) refuse(`messages.${index}: content must be non-empty`);
    if (message.role === "assistant") checkAnswered(message.content, messages[index + 1], index);
    else checkResults(message.content, messages[index - 1], index);
  });
}

function checkAnswered(content: readonly AssistantContent[], next: Message | undefined, index: number): void {
  const calls = content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
  const firstOthers = next?.content.findIndex((block) => block.type !== "tool_result") ?? 0;
  const leading = next?.content.slice(0, firstOthers === -1 ? undefined : firstOthers) ?? [];
  const answered = new Set(leading.flatMap((block) => (block.type === "tool_result" ? [block.toolCallId] : [])));
  const open = calls.filter((id) => !answered.has(id));
  if (open.length > 0) {
    refuse(`messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open}.`);
  }
}

function checkResults(content: readonly UserContent[], previous: Message | undefined, index: number): void {
  const calls = new Set(previous?.content.flatMap((block) => (block.type === "tool_use" ? [block.id] : [])));
  for (const block of content) {
    if (block.type !== "tool_result") continue;
    // Each call takes one answer.
    if (!calls.delete(block.toolCallId)) {
      refuse(`messages.${index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.toolCallId}.`);
    }
  }
}

function countCacheMarks(value: JsonValue): number {
  const list = asList(value);
  if (list !== undefined) return list.reduce<number>((sum, entry) => sum + countCacheMarks(entry), 0);
  const object = asObject(value) ?? {};
  return Object.entries(object).reduce((sum, [key, entry]) => {
    if (key === "input" || key === "input_schema") return sum;
    return sum + (key === "cache_control" && asObject(entry) ? 1 : countCacheMarks(entry));
  }, 0);
}
