import type {
  AssistantMessage,
  DocumentBlock,
  JsonObject,
  Message,
  RemoteImageBlock,
  ThinkingBlock,
  ToolResultBlock,
  ToolResultContent,
  ToolUseBlock,
  UserMessage,
} from "@loom/core";
import { boundedId } from "../bounded-id.ts";
import { dataUrl, ownFile } from "../media.ts";
import { ownBlock } from "../own-words.ts";

/** Longer ids are refused. */
export const MAX_ID_LENGTH = 64;

/**
 * The conversation as items: calls, results and thoughts stand on their own, texts and images are in messages. A thought
 * that another provider sealed goes back as text.
 */
export function inputToWire(messages: readonly Message[]): JsonObject[] {
  return messages.flatMap((message, index) => {
    const path = `messages.${index}`;
    return message.role === "user" ? userItems(message, path) : assistantItems(message, path);
  });
}

/** Results come first, because they have to follow the calls. Instructions among what the user says are messages of their own. */
function userItems({ content }: UserMessage, path: string): JsonObject[] {
  const results: JsonObject[] = [];
  const spoken: { readonly type: "message"; readonly role: string; readonly content: JsonObject[] }[] = [];
  for (const block of content) {
    if (block.type === "tool_result") results.push(resultToWire(block, path));
    else if (block.type === "opaque") results.push(ownBlock(block, "responses", path));
    else {
      const role = block.type === "text" && block.instructs === true ? "developer" : "user";
      const parts = partToWire(block, path);
      const last = spoken.at(-1);
      if (last?.role === role) last.content.push(...parts);
      else if (parts.length > 0) spoken.push({ type: "message", role, content: parts });
    }
  }
  return [...results, ...spoken];
}

function assistantItems({ content }: AssistantMessage, path: string): JsonObject[] {
  const items: JsonObject[] = [];
  let texts: JsonObject[] = [];
  for (const block of content) {
    if (block.type === "text") {
      const { text } = block;
      if (text === "") continue;
      if (texts.length === 0) items.push({ type: "message", role: "assistant", content: texts });
      texts.push({ type: "output_text", text });
      continue;
    }
    if (block.type === "thinking" && !isOwnThinking(block)) continue;
    texts = [];
    if (block.type === "tool_use") items.push(callToWire(block));
    else if (block.type === "opaque") items.push(ownBlock(block, "responses", path));
    else items.push(thoughtToWire(block));
  }
  // A thought without anything after it is refused, and says nothing any more.
  return items.slice(0, items.findLastIndex(({ type }) => type !== "reasoning") + 1);
}

/** With a seal of this dialect's, or text: what an open model's server shows of its thoughts. */
export function isOwnThinking({ text, signature, redactedData, dialect }: ThinkingBlock): boolean {
  return dialect === "responses" && (text !== "" || signature !== undefined || redactedData !== undefined);
}

/** Without a seal, it comes from the server of an open model, which shows its thoughts. */
function thoughtToWire({ text, signature, redactedData }: ThinkingBlock): JsonObject {
  const seal = signature ?? redactedData;
  if (seal === undefined) return { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text }] };
  const summary = text === "" ? [] : [{ type: "summary_text", text }];
  return { type: "reasoning", summary, encrypted_content: seal };
}

function callToWire({ id, name, input }: ToolUseBlock): JsonObject {
  return {
    type: "function_call",
    call_id: boundedId(id, MAX_ID_LENGTH),
    name,
    arguments: JSON.stringify(input),
  };
}

function resultToWire({ toolCallId, content, isError }: ToolResultBlock, path: string): JsonObject {
  const texts = content.flatMap((block) => (block.type === "text" ? [block.text] : []));
  const marked = isError && !/^error/i.test(texts.join("\n"));
  // The dialect has no field for it.
  const blocks: readonly ToolResultContent[] = marked ? [{ type: "text", text: "Error:" }, ...content] : content;
  const output =
    texts.length === content.length
      ? `${marked ? "Error: " : ""}${texts.join("\n")}`
      : blocks.flatMap((block) => partToWire(block, path));
  return { type: "function_call_output", call_id: boundedId(toolCallId, MAX_ID_LENGTH), output };
}

function partToWire(block: ToolResultContent, path: string): JsonObject[] {
  switch (block.type) {
    case "text":
      return block.text === "" ? [] : [{ type: "input_text", text: block.text }];
    case "image":
      return [{ type: "input_image", detail: "auto", image_url: dataUrl(block) }];
    case "remote_image":
      return [remoteImageToWire(block, path)];
    case "document":
      return [documentToWire(block, path)];
  }
}

function remoteImageToWire({ source }: RemoteImageBlock, path: string): JsonObject {
  const where = source.type === "url" ? { image_url: source.url } : { file_id: ownFile(source.fileId, "openai", path) };
  return { type: "input_image", detail: "auto", ...where };
}

function documentToWire({ source, title }: DocumentBlock, path: string): JsonObject {
  switch (source.type) {
    case "text":
      return { type: "input_text", text: title === undefined ? source.text : `${title}\n\n${source.text}` };
    case "url":
      return { type: "input_file", file_url: source.url };
    case "file":
      return { type: "input_file", file_id: ownFile(source.fileId, "openai", path) };
    case "base64": {
      // Bytes without a name are refused.
      const filename = title ?? (source.mediaType === "application/pdf" ? "document.pdf" : "document");
      return { type: "input_file", filename, file_data: dataUrl(source) };
    }
  }
}
