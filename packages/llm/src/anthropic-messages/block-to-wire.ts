import type { AssistantContent, ImageBlock, JsonObject } from "@loom/core";

/** The provider refuses a text of nothing but white space. */
export function isBlank(text: string): boolean {
  return text.trim() === "";
}

export function textToWire(text: string): JsonObject {
  return { type: "text", text };
}

export function imageToWire({ mediaType, data }: ImageBlock): JsonObject {
  return { type: "image", source: { type: "base64", media_type: mediaType, data } };
}

/** A block of an answer, as it is given to a client and as it goes back to the provider. */
export function assistantBlockToWire(block: AssistantContent): JsonObject {
  switch (block.type) {
    case "text":
      return textToWire(block.text);
    case "thinking":
      if (block.redactedData !== undefined) return { type: "redacted_thinking", data: block.redactedData };
      return { type: "thinking", thinking: block.text, signature: block.signature ?? "" };
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: block.input };
    case "opaque":
      return block.data;
  }
}
