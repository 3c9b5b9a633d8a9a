import type { DocumentBlock, JsonObject, OpaqueBlock, ToolResultContent } from "@loom/core";
import { dataUrl, isTextType, ownFile, textFromBase64 } from "../media.ts";
import { ownBlock } from "../own-words.ts";
import { refuse } from "../request-problem.ts";

/** One part of a user message. `path` is where the block lies in the conversation, for what has to be refused. */
export function partToWire(block: ToolResultContent | OpaqueBlock, path: string): JsonObject {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text };
    case "image":
      return { type: "image_url", image_url: { url: dataUrl(block) } };
    case "remote_image":
      if (block.source.type === "url") return { type: "image_url", image_url: { url: block.source.url } };
      return refuse(path, "holds an image by the id of a file, and Chat Completions wants the image or its address");
    case "document":
      return documentToWire(block, path);
    case "opaque":
      return ownBlock(block, "chat", path);
  }
}

function documentToWire({ source, title }: DocumentBlock, path: string): JsonObject {
  switch (source.type) {
    case "text":
      return titled(title, source.text);
    case "base64": {
      if (isTextType(source.mediaType)) return titled(title, textFromBase64(source.data, path));
      const filename = title ?? (source.mediaType === "application/pdf" ? "document.pdf" : "document");
      return { type: "file", file: { filename, file_data: dataUrl(source) } };
    }
    case "file":
      return { type: "file", file: { file_id: ownFile(source.fileId, "openai", path) } };
    case "url":
      return refuse(path, "holds a document at an address, and Chat Completions wants the document itself");
  }
}

/** Text is text here, whether a person wrote it or it is a document. */
function titled(title: string | undefined, text: string): JsonObject {
  return { type: "text", text: title === undefined ? text : `${title}\n\n${text}` };
}

/** A string wherever there is only text: some compatible servers know nothing else. */
export function contentToWire(parts: readonly JsonObject[]): string | readonly JsonObject[] {
  const texts = parts.map(textOf).filter((text) => text !== undefined);
  return texts.length === parts.length ? texts.join("\n\n") : parts;
}

export function textOf(part: JsonObject): string | undefined {
  return part.type === "text" && typeof part.text === "string" ? part.text : undefined;
}
