import type {
  AssistantContent,
  DocumentBlock,
  ImageBlock,
  JsonObject,
  JsonValue,
  RemoteImageBlock,
  ToolResultContent,
  UserContent,
} from "@loom/core";
import { thoughtFromClient } from "../foreign-seal.ts";
import { asArray, asObject, asText } from "../json-reader.ts";
import { readHttpUrl } from "../media.ts";
import { refuseValue } from "../request-problem.ts";
import { readArray, readName, readObject, readString } from "../request-reader.ts";
import { readCache } from "./cache-marker.ts";

/** A bare string is short for one text block. */
export function readBlocks(content: JsonValue | undefined, path: string): readonly JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return readArray(content, path).map((block, index) => readObject(block, `${path}.${index}`));
}

export function readUserContent(content: JsonValue | undefined, path: string): UserContent[] {
  return readBlocks(content, path).flatMap((block, index): UserContent[] => {
    const at = `${path}.${index}`;
    if (block.type === "tool_result") return [readToolResult(block, at)];
    return readPlain(block, at) ?? [readOpaque(block, at)];
  });
}

export function readAssistantContent(content: JsonValue | undefined, path: string): AssistantContent[] {
  return readBlocks(content, path).map((block, index) => readAssistantBlock(block, `${path}.${index}`));
}

function readToolResult(block: JsonObject, path: string): UserContent {
  const inner = `${path}.content`;
  const content = readBlocks(block.content ?? "", inner).flatMap((each, index): ToolResultContent[] => {
    return readPlain(each, `${inner}.${index}`) ?? refuseValue(`${inner}.${index}.type`, each.type);
  });
  return {
    type: "tool_result",
    toolCallId: readName(block.tool_use_id, `${path}.tool_use_id`),
    content,
    isError: block.is_error === true,
    ...readCache(block.cache_control),
  };
}

/** What a person and a tool can both show; `undefined` for any other block. */
function readPlain(block: JsonObject, path: string): ToolResultContent[] | undefined {
  switch (block.type) {
    case "text":
      return [{ type: "text", text: readString(block.text, `${path}.text`), ...readCache(block.cache_control) }];
    case "image":
      return [readImage(block, path)];
    case "document":
      return readDocument(block, path);
    case "search_result":
      return [{ type: "text", text: searchResultText(block), ...readCache(block.cache_control) }];
    default:
      return undefined;
  }
}

function readImage(block: JsonObject, path: string): ImageBlock | RemoteImageBlock {
  const source = readSource(block, path);
  const cache = readCache(block.cache_control);
  if (source.type === "base64") return { type: "image", mediaType: source.mediaType, data: source.data, ...cache };
  return { type: "remote_image", source, ...cache };
}

/** The notes that a client gives with a document become a text before it. */
function readDocument(block: JsonObject, path: string): ToolResultContent[] {
  const title = asText(block.title);
  const context = asText(block.context);
  const document: DocumentBlock = {
    type: "document",
    source: readDocumentSource(block, path),
    ...(title === undefined ? {} : { title }),
    ...readCache(block.cache_control),
  };
  return context === undefined ? [document] : [{ type: "text", text: context }, document];
}

function readDocumentSource(block: JsonObject, path: string): DocumentBlock["source"] {
  const source = readObject(block.source, `${path}.source`);
  if (source.type === "text") return { type: "text", text: readString(source.data, `${path}.source.data`) };
  if (source.type !== "content") return readSource(block, path);
  const inner = `${path}.source.content`;
  const texts = readBlocks(source.content, inner).map((part, index) => {
    if (part.type !== "text") refuseValue(`${inner}.${index}.type`, part.type);
    return readString(part.text, `${inner}.${index}.text`);
  });
  return { type: "text", text: texts.join("\n\n") };
}

/** Where an image or a document is. */
function readSource(block: JsonObject, path: string) {
  const at = `${path}.source`;
  const source = readObject(block.source, at);
  switch (source.type) {
    case "base64": {
      const mediaType = readName(source.media_type, `${at}.media_type`);
      return { type: "base64", mediaType, data: readName(source.data, `${at}.data`) } as const;
    }
    case "url":
      return { type: "url", url: readHttpUrl(readName(source.url, `${at}.url`), `${at}.url`) } as const;
    case "file":
      return { type: "file", fileId: readName(source.file_id, `${at}.file_id`) } as const;
    default:
      return refuseValue(`${at}.type`, source.type);
  }
}

function searchResultText(block: JsonObject): string {
  const texts = asArray(block.content).map((part) => asText(asObject(part)?.text) ?? "");
  return [asText(block.title), asText(block.source), ...texts].filter((text) => text !== undefined).join("\n");
}

/** Anything else is the provider's own, and goes back only there. */
function readOpaque(block: JsonObject, path: string) {
  readName(block.type, `${path}.type`);
  return { type: "opaque", dialect: "anthropic", data: block } as const;
}

function readAssistantBlock(block: JsonObject, path: string): AssistantContent {
  switch (block.type) {
    case "text":
      return { type: "text", text: readString(block.text, `${path}.text`), ...readCache(block.cache_control) };
    case "thinking":
      return thoughtFromClient(readString(block.thinking, `${path}.thinking`), asText(block.signature), "anthropic");
    case "redacted_thinking": {
      const redactedData = readString(block.data, `${path}.data`);
      return { type: "thinking", text: "", redactedData, dialect: "anthropic" };
    }
    case "tool_use":
      return {
        type: "tool_use",
        id: readName(block.id, `${path}.id`),
        name: readName(block.name, `${path}.name`),
        input: readObject(block.input, `${path}.input`),
        ...readCache(block.cache_control),
      };
    default:
      return readOpaque(block, path);
  }
}
