import type {
  AssistantMessage,
  JsonObject,
  Message,
  ThinkingBlock,
  ToolResultBlock,
  ToolUseBlock,
  UserMessage,
} from "@loom/core";
import { boundedId } from "../bounded-id.ts";
import { ownBlock } from "../own-words.ts";
import { contentToWire, partToWire, textOf } from "./content-to-wire.ts";
import type { OpenAiChatOptions } from "./options.ts";
import { detailsOf } from "./reasoning-details.ts";

/** OpenAI refuses longer ones; a conversation that began with another provider may hold them. */
const MAX_CALL_ID = 40;

export function encodeMessages(messages: readonly Message[], options: OpenAiChatOptions): JsonObject[] {
  return messages.flatMap((message, index) => {
    const path = `messages.${index}`;
    return message.role === "user" ? userMessages(message, path) : [assistantMessage(message, path, options)];
  });
}

/**
 * Results of tools come first, because they have to follow the calls at once; then the images and documents in them,
 * which only a user message can hold; then what the person said, and instructions among it in messages of their own.
 */
function userMessages({ content }: UserMessage, path: string): JsonObject[] {
  const results = content.filter((block) => block.type === "tool_result").map((block) => encodeResult(block, path));
  const spoken: { readonly role: string; readonly parts: JsonObject[] }[] = [];
  const say = (role: string, ...parts: readonly JsonObject[]) => {
    const last = spoken.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    else if (parts.length > 0) spoken.push({ role, parts: [...parts] });
  };
  for (const { attachments } of results) say("user", ...attachments);
  for (const block of content) {
    if (block.type === "tool_result") continue;
    say(block.type === "text" && block.instructs === true ? "system" : "user", partToWire(block, path));
  }
  return [
    ...results.map(({ message }) => message),
    ...spoken.map(({ role, parts }) => ({ role, content: contentToWire(parts) })),
  ];
}

function encodeResult({ toolCallId, content, isError }: ToolResultBlock, path: string) {
  const parts = content.map((block) => partToWire(block, path));
  const texts = parts.map(textOf).filter((text) => text !== undefined);
  const attachments = parts.filter((part) => textOf(part) === undefined);
  if (attachments.length > 0) texts.push(`(${countOf(attachments)} in the next message.)`);
  const text = texts.join("\n");
  const message: JsonObject = {
    role: "tool",
    tool_call_id: boundedId(toolCallId, MAX_CALL_ID),
    // The dialect has no field for it.
    content: isError && !/^error/i.test(text) ? `Error: ${text}` : text,
  };
  const from: JsonObject = { type: "text", text: `From the tool call ${toolCallId}:` };
  return { message, attachments: attachments.length === 0 ? [] : [from, ...attachments] };
}

function countOf(attachments: readonly JsonObject[]): string {
  const kind = attachments.every(({ type }) => type === "image_url") ? "image" : "attachment";
  return attachments.length === 1 ? `An ${kind} follows` : `${attachments.length} ${kind}s follow`;
}

function assistantMessage({ content }: AssistantMessage, path: string, options: OpenAiChatOptions): JsonObject {
  const parts: JsonObject[] = [];
  const calls: JsonObject[] = [];
  const details: JsonObject[] = [];
  let thinking = "";
  for (const block of content) {
    if (block.type === "text") parts.push({ type: "text", text: block.text });
    else if (block.type === "opaque") parts.push(ownBlock(block, "chat", path));
    else if (block.type === "tool_use") calls.push(callToWire(block, options));
    else if (takesThinking(block, options)) {
      thinking += block.text;
      details.push(...detailsOf(block.signature ?? ""));
    }
  }
  const said = contentToWire(parts);
  const { thinkingField } = options;
  return {
    role: "assistant",
    content: said === "" && calls.length > 0 ? null : said,
    ...(thinkingField === undefined || thinking === "" ? {} : { [thinkingField]: thinking }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

/** A thought of another dialect is another provider's, and a sealed one that of a server that seals. */
export function takesThinking(block: ThinkingBlock, { thinkingField, sealedThinking }: OpenAiChatOptions): boolean {
  const { signature, redactedData, dialect } = block;
  if (thinkingField === undefined || redactedData !== undefined) return false;
  if (signature !== undefined) return sealedThinking === true && dialect === "chat";
  return dialect === undefined || dialect === "chat";
}

function callToWire({ id, name, input, signature }: ToolUseBlock, { callSignatures }: OpenAiChatOptions): JsonObject {
  const sealed = callSignatures === true && signature !== undefined;
  return {
    id: boundedId(id, MAX_CALL_ID),
    type: "function",
    // Not the malformed text, where there is one: servers read the arguments again, and refuse the request.
    function: { name, arguments: JSON.stringify(input) },
    ...(sealed ? { extra_content: { google: { thought_signature: signature } } } : {}),
  };
}
