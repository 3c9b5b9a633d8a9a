import type {
  AssistantContent,
  DocumentBlock,
  ImageBlock,
  JsonObject,
  RemoteImageBlock,
  TextBlock,
  ThinkingBlock,
} from "@loom/core";
import { isBrokenCall } from "../broken-call.ts";
import { saidOfPart } from "../foreign-part.ts";
import { sealToClient } from "../foreign-seal.ts";
import { isTextType, ownFile, textFromBase64 } from "../media.ts";
import { ownBlock } from "../own-words.ts";
import { refuse } from "../request-problem.ts";
import { cacheToWire } from "./cache-marker.ts";

/** The provider refuses a text of nothing but white space. */
export function isBlank(text: string): boolean {
  return text.trim() === "";
}

export function textToWire({ text, cache }: Pick<TextBlock, "text" | "cache">): JsonObject {
  return { type: "text", text, ...cacheToWire(cache) };
}

/** What a person or a tool shows. `path` is where it lies in the conversation, for what has to be refused. */
export function mediaToWire(block: ImageBlock | RemoteImageBlock | DocumentBlock, path: string): JsonObject {
  switch (block.type) {
    case "image": {
      const { mediaType, data, cache } = block;
      return { type: "image", source: { type: "base64", media_type: mediaType, data }, ...cacheToWire(cache) };
    }
    case "remote_image":
      return { type: "image", source: remoteSource(block.source, path), ...cacheToWire(block.cache) };
    case "document": {
      const { title, cache } = block;
      const source = documentSource(block.source, path);
      return { type: "document", source, ...(title === undefined ? {} : { title }), ...cacheToWire(cache) };
    }
  }
}

function remoteSource(source: RemoteImageBlock["source"], path: string): JsonObject {
  if (source.type === "url") return { type: "url", url: source.url };
  return { type: "file", file_id: ownFile(source.fileId, "anthropic", path) };
}

function documentSource(source: DocumentBlock["source"], path: string): JsonObject {
  switch (source.type) {
    case "text":
      return { type: "text", media_type: "text/plain", data: source.text };
    case "base64": {
      const { mediaType, data } = source;
      if (mediaType === "application/pdf") return { type: "base64", media_type: mediaType, data };
      if (!isTextType(mediaType)) {
        refuse(
          path,
          `holds a document of the type ${JSON.stringify(mediaType)}: Anthropic Messages takes PDFs and text`,
        );
      }
      return { type: "text", media_type: "text/plain", data: textFromBase64(data, path) };
    }
    default:
      return remoteSource(source, path);
  }
}

/**
 * A block of an answer, as a client gets it; `undefined` where there is nothing to get, as of a call whose arguments were
 * cut with the answer. Of what only another dialect knows the client is told in a text. `origin`: see `AnswerIdentity`.
 */
export function answerBlockToWire(block: AssistantContent, origin?: string): JsonObject | undefined {
  switch (block.type) {
    case "text":
      return textToWire(block);
    case "thinking":
      return thinkingToWire(block, origin);
    case "tool_use":
      if (isBrokenCall(block)) return undefined;
      return { type: "tool_use", id: block.id, name: block.name, input: block.input };
    case "opaque": {
      if (block.dialect === "anthropic") return ownBlock(block, "anthropic", "content");
      const said = saidOfPart(block);
      return said === "" ? undefined : textToWire({ text: said });
    }
  }
}

/** A seal of another provider goes out wrapped: the client keeps it like one of this dialect, and hands it back. */
export function thinkingToWire(block: ThinkingBlock, origin?: string): JsonObject {
  if (block.signature === undefined && block.redactedData === undefined) {
    return { type: "thinking", thinking: block.text, signature: sealToClient(block, "anthropic", origin) ?? "" };
  }
  const dialect = block.dialect ?? "anthropic";
  if (dialect === "anthropic" && block.redactedData !== undefined) {
    return { type: "redacted_thinking", data: block.redactedData };
  }
  return { type: "thinking", thinking: block.text, signature: sealToClient({ ...block, dialect }, "anthropic") ?? "" };
}
