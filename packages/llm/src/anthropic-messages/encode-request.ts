import type {
  AssistantContent,
  JsonObject,
  LlmRequest,
  Message,
  ToolDefinition,
  ToolResultBlock,
  ToolResultContent,
  UserContent,
} from "@loom/core";
import type { EncodedRequest } from "../codec.ts";
import { refuse, writeRequest } from "../request-problem.ts";
import { assistantBlockToWire, imageToWire, isBlank, textToWire } from "./block-to-wire.ts";
import { toolIdToWire } from "./tool-id.ts";

type WireMessage = { role: "user" | "assistant"; content: JsonObject[] };

/** The prompt up to a marked block is cached for five minutes; the provider takes at most four markers. */
const CACHED: JsonObject = { cache_control: { type: "ephemeral" } };
/** The end of this request, and the end of the one before it, where its cache entry is found. */
const MARKED_USER_MESSAGES = 2;

/**
 * The body of `POST /v1/messages`: https://platform.claude.com/docs/en/api/messages
 *
 * What the provider would refuse is put right: blank texts and empty messages are left out, neighbours of one role are
 * merged, tool results come before other content, thinking without a seal stays behind.
 */
export function encodeRequest(request: LlmRequest, options: { readonly stream: boolean }): EncodedRequest {
  return writeRequest(() => bodyOf(request, options));
}

function bodyOf(request: LlmRequest, { stream }: { readonly stream: boolean }): JsonObject {
  const { model, system, tools, maxTokens, temperature } = request;
  const hasSystem = !isBlank(system);
  return {
    model,
    max_tokens: maxTokens,
    ...(hasSystem ? { system: [{ ...textToWire(system), ...CACHED }] } : {}),
    ...(tools.length === 0 ? {} : { tools: encodeTools(tools, { marked: !hasSystem }) }),
    messages: encodeMessages(request.messages),
    ...(temperature === undefined ? {} : { temperature: Math.min(temperature, 1) }),
    ...(stream ? { stream } : {}),
  };
}

function encodeTools(tools: readonly ToolDefinition[], { marked }: { readonly marked: boolean }): JsonObject[] {
  return tools.map(({ name, description, inputSchema }, index) => ({
    name,
    ...(description === "" ? {} : { description }),
    input_schema: inputSchema,
    ...(marked && index === tools.length - 1 ? CACHED : {}),
  }));
}

function encodeMessages(messages: readonly Message[]): WireMessage[] {
  const encoded: WireMessage[] = [];
  for (const message of messages) {
    const content =
      message.role === "user"
        ? message.content.flatMap(encodeUserBlock)
        : message.content.flatMap(encodeAssistantBlock);
    if (content.length === 0) continue;
    const last = encoded.at(-1);
    if (last?.role === message.role) for (const block of content) last.content.push(block);
    else encoded.push({ role: message.role, content });
  }
  for (const message of encoded) if (message.role === "user") message.content = resultsFirst(message.content);
  markForCaching(encoded);
  return encoded;
}

function encodeUserBlock(block: UserContent): JsonObject[] {
  switch (block.type) {
    case "text":
      return isBlank(block.text) ? [] : [textToWire(block.text)];
    case "image":
      return [imageToWire(block)];
    case "tool_result":
      return [encodeToolResult(block)];
    case "remote_image":
    case "document":
    case "opaque":
      return refuse("messages", `hold a block of the type ${block.type}, which Anthropic Messages cannot take`);
  }
}

function encodeAssistantBlock(block: AssistantContent): JsonObject[] {
  if (block.type === "text" && isBlank(block.text)) return [];
  const unsealed = block.type === "thinking" && block.signature === undefined && block.redactedData === undefined;
  if (unsealed) return [];
  return [assistantBlockToWire(block.type === "tool_use" ? { ...block, id: toolIdToWire(block.id) } : block)];
}

function encodeToolResult({ toolCallId, content, isError }: ToolResultBlock): JsonObject {
  const encoded = content.flatMap(encodeResultContent);
  // An error without any content is refused.
  if (isError && encoded.length === 0) encoded.push(textToWire("The tool failed and gave no reason."));
  return {
    type: "tool_result",
    tool_use_id: toolIdToWire(toolCallId),
    ...(encoded.length === 0 ? {} : { content: encoded }),
    ...(isError ? { is_error: true } : {}),
  };
}

function encodeResultContent(block: ToolResultContent): JsonObject[] {
  if (block.type === "image") return [imageToWire(block)];
  if (block.type !== "text") refuse("messages", `hold a ${block.type} in a tool result`);
  return isBlank(block.text) ? [] : [textToWire(block.text)];
}

function resultsFirst(content: readonly JsonObject[]): JsonObject[] {
  const isResult = (block: JsonObject) => block.type === "tool_result";
  return [...content.filter(isResult), ...content.filter((block) => !isResult(block))];
}

function markForCaching(messages: readonly WireMessage[]): void {
  const users = messages.filter((message) => message.role === "user").slice(-MARKED_USER_MESSAGES);
  for (const { content } of users) {
    const last = content.pop();
    if (last !== undefined) content.push({ ...last, ...CACHED });
  }
}
