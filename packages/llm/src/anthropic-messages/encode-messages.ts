import type {
  AssistantContent,
  JsonObject,
  Message,
  ThinkingBlock,
  ToolResultBlock,
  ToolResultContent,
  UserContent,
} from "@loom/core";
import { markedOff } from "../later-instructions.ts";
import { ownBlock } from "../own-words.ts";
import { isBlank, mediaToWire, textToWire, thinkingToWire } from "./block-to-wire.ts";
import { cacheToWire } from "./cache-marker.ts";
import { toolIdToWire } from "./tool-id.ts";

/** A message as it is built, and as the provider takes it. */
export type WireMessage = { role: "user" | "assistant"; content: JsonObject[] };

/**
 * The conversation as the provider takes it: blank texts and empty messages are left out, neighbours of one role are
 * merged, tool results come before other content. Thinking that this provider did not seal is left out.
 */
export function encodeMessages(messages: readonly Message[]): WireMessage[] {
  const encoded: WireMessage[] = [];
  for (const [index, message] of messages.entries()) {
    const path = `messages.${index}`;
    const content =
      message.role === "user"
        ? message.content.flatMap((block) => encodeUserBlock(block, path))
        : message.content.flatMap((block) => encodeAssistantBlock(block, path));
    if (content.length === 0) continue;
    const last = encoded.at(-1);
    if (last?.role === message.role) for (const block of content) last.content.push(block);
    else encoded.push({ role: message.role, content });
  }
  for (const message of encoded) if (message.role === "user") message.content = resultsFirst(message.content);
  return encoded;
}

function encodeUserBlock(block: UserContent, path: string): JsonObject[] {
  if (block.type === "tool_result") return [encodeToolResult(block, path)];
  if (block.type === "opaque") return [ownBlock(block, "anthropic", path)];
  return encodeContent(block, path);
}

function encodeContent(block: ToolResultContent, path: string): JsonObject[] {
  if (block.type !== "text") return [mediaToWire(block, path)];
  return isBlank(block.text) ? [] : [textToWire(markedOff(block))];
}

function encodeAssistantBlock(block: AssistantContent, path: string): JsonObject[] {
  switch (block.type) {
    case "text":
      return isBlank(block.text) ? [] : [textToWire(block)];
    case "thinking":
      return isOwnThinking(block) ? [thinkingToWire(block)] : [];
    case "tool_use": {
      const { id, name, input, cache } = block;
      return [{ type: "tool_use", id: toolIdToWire(id), name, input, ...cacheToWire(cache) }];
    }
    case "opaque":
      return [ownBlock(block, "anthropic", path)];
  }
}

/** A seal without a name is of a thread from before seals had names, and Anthropic's. */
export function isOwnThinking({ signature, redactedData, dialect = "anthropic" }: ThinkingBlock): boolean {
  const isSealed = signature !== undefined || redactedData !== undefined;
  return isSealed && dialect === "anthropic";
}

function encodeToolResult({ toolCallId, content, isError, cache }: ToolResultBlock, path: string): JsonObject {
  const encoded = content.flatMap((block) => encodeContent(block, path));
  // An error without any content is refused.
  if (isError && encoded.length === 0) encoded.push(textToWire({ text: "The tool failed and gave no reason." }));
  return {
    type: "tool_result",
    tool_use_id: toolIdToWire(toolCallId),
    ...(encoded.length === 0 ? {} : { content: encoded }),
    ...(isError ? { is_error: true } : {}),
    ...cacheToWire(cache),
  };
}

function resultsFirst(content: readonly JsonObject[]): JsonObject[] {
  const isResult = (block: JsonObject) => block.type === "tool_result";
  return [...content.filter(isResult), ...content.filter((block) => !isResult(block))];
}
