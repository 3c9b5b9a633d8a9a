import type {
  AssistantMessage,
  ImageBlock,
  JsonObject,
  LlmRequest,
  TextBlock,
  ToolDefinition,
  ToolResultBlock,
  UserMessage,
} from "@loom/core";
import type { EncodedRequest } from "../codec.ts";
import { refuse, writeRequest } from "../request-problem.ts";

export type OpenAiChatOptions = {
  /**
   * The field for the bound of the answer. OpenAI's reasoning models refuse `max_tokens`; most compatible servers know
   * nothing else.
   */
  readonly maxTokensField: "max_completion_tokens" | "max_tokens";
  /**
   * The field in which earlier thinking goes back. DeepSeek and Z.ai want `reasoning_content` between tool calls,
   * OpenRouter `reasoning`; OpenAI itself has no place for it, so absent means it is left out.
   */
  readonly thinkingField?: "reasoning_content" | "reasoning";
};

/** https://platform.openai.com/docs/api-reference/chat/create */
export function encodeRequest(
  request: LlmRequest,
  options: OpenAiChatOptions & { readonly stream: boolean },
): EncodedRequest {
  return writeRequest(() => bodyOf(request, options));
}

function bodyOf(request: LlmRequest, { stream, ...options }: OpenAiChatOptions & { readonly stream: boolean }) {
  const system: JsonObject[] = request.system === "" ? [] : [{ role: "system", content: request.system }];
  const messages = request.messages.flatMap((message) =>
    message.role === "user" ? userMessages(message) : [assistantMessage(message, options)],
  );
  return {
    model: request.model,
    messages: [...system, ...messages],
    [options.maxTokensField]: request.maxTokens,
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.tools.length === 0 ? {} : { tools: request.tools.map(toolToWire) }),
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
}

function toolToWire({ name, description, inputSchema }: ToolDefinition): JsonObject {
  return { type: "function", function: { name, description, parameters: inputSchema } };
}

/**
 * Results of tools come first, because they have to follow the calls at once; then the images in them, which only a user
 * message can hold; then what the person said.
 */
function userMessages({ content }: UserMessage): JsonObject[] {
  const results = content.filter((block) => block.type === "tool_result");
  const said = content.filter((block) => block.type !== "tool_result");
  const parts = [...results.flatMap(imagesOf), ...said].map((block) =>
    block.type === "text" || block.type === "image" ? block : refuse("messages", `hold a ${block.type}`),
  );
  return [...results.map(toolMessage), ...(parts.length === 0 ? [] : [{ role: "user", content: contentOf(parts) }])];
}

function toolMessage({ toolCallId, content, isError }: ToolResultBlock): JsonObject {
  const texts = content.filter((block) => block.type === "text").map(({ text }) => text);
  const images = content.length - texts.length;
  if (images > 0) texts.push(`(${images === 1 ? "An image follows" : `${images} images follow`} in the next message.)`);
  const text = texts.join("\n");
  // The dialect has no field for it.
  return {
    role: "tool",
    tool_call_id: toolCallId,
    content: isError && !/^error/i.test(text) ? `Error: ${text}` : text,
  };
}

function imagesOf({ toolCallId, content }: ToolResultBlock): (TextBlock | ImageBlock)[] {
  const images = content.filter((block) => block.type === "image");
  return images.length === 0 ? [] : [{ type: "text", text: `From the tool call ${toolCallId}:` }, ...images];
}

/** A string wherever there is only text: some compatible servers know nothing else. */
function contentOf(blocks: readonly (TextBlock | ImageBlock)[]): string | JsonObject[] {
  if (blocks.every((block) => block.type === "text")) return paragraphs(blocks);
  return blocks.map((block) =>
    block.type === "text"
      ? { type: "text", text: block.text }
      : { type: "image_url", image_url: { url: `data:${block.mediaType};base64,${block.data}` } },
  );
}

function assistantMessage({ content }: AssistantMessage, { thinkingField }: OpenAiChatOptions): JsonObject {
  const text = paragraphs(content.filter((block) => block.type === "text"));
  const calls = content.filter((block) => block.type === "tool_use");
  // A signed thought is another provider's, and sealed for that one.
  const thoughts = content.filter((block) => block.type === "thinking" && block.signature === undefined);
  const thinking = thoughts.map((block) => (block.type === "thinking" ? block.text : "")).join("");
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    ...(thinkingField === undefined || thinking === "" ? {} : { [thinkingField]: thinking }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, name, input }) => ({
            id,
            type: "function",
            // Not the malformed text, where there is one: servers read the arguments again, and refuse the request.
            function: { name: wireName(name), arguments: JSON.stringify(input) },
          })),
        }),
  };
}

/** A model may call a tool by an impossible name; sent back as it is, the provider would refuse every later request. */
function wireName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64) || "unknown";
}

function paragraphs(blocks: readonly TextBlock[]): string {
  return blocks.map(({ text }) => text).join("\n\n");
}
