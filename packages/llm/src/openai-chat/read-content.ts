import type {
  AssistantContent,
  JsonObject,
  JsonValue,
  TextBlock,
  ToolResultContent,
  ToolUseBlock,
  UserContent,
} from "@loom/core";
import { readCache } from "../anthropic-messages/cache-marker.ts";
import { asObject, asText } from "../json-reader.ts";
import { readDataUrl, readFileData, readHttpUrl } from "../media.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import { readArray, readName, readObject, readString } from "../request-reader.ts";
import { toolUseFromText } from "../tool-input.ts";

/** What a user message holds. Parts that only this dialect knows (audio) stay as they are. */
export function readUserContent(content: JsonValue | undefined, path: string): UserContent[] {
  return partsIn(content, path).map((part, index) => {
    const at = `${path}.${index}`;
    return readPart(part, at) ?? { type: "opaque", dialect: "chat", data: { ...part, type: typeOf(part, at) } };
  });
}

export function readToolContent(content: JsonValue | undefined, path: string): ToolResultContent[] {
  return partsIn(content, path).map((part, index) => {
    const at = `${path}.${index}`;
    return readPart(part, at) ?? refuseValue(`${at}.type`, part.type);
  });
}

export function readTexts(content: JsonValue | undefined, path: string): TextBlock[] {
  return partsIn(content, path).map((part, index) => {
    const cache = readCache(part.cache_control);
    if (part.type === "refusal") {
      return { type: "text", text: readString(part.refusal, `${path}.${index}.refusal`), ...cache };
    }
    if (part.type !== "text") refuseValue(`${path}.${index}.type`, part.type);
    return { type: "text", text: readString(part.text, `${path}.${index}.text`), ...cache };
  });
}

/** An answer that comes back. */
export function readAnswer(message: JsonObject, path: string): AssistantContent[] {
  if (message.function_call !== undefined && message.function_call !== null) {
    refuse(`${path}.function_call`, "is not supported: use tool_calls");
  }
  const content: AssistantContent[] = [];
  const thinking = asText(message.reasoning_content) ?? asText(message.reasoning);
  if (thinking !== undefined) content.push({ type: "thinking", text: thinking });
  const texts = readTexts(message.content ?? "", `${path}.content`);
  const refusal = asText(message.refusal);
  content.push(...texts);
  if (refusal !== undefined) content.push({ type: "text", text: refusal });
  const calls = readArray(message.tool_calls ?? [], `${path}.tool_calls`);
  return [...content, ...calls.map((call, index) => readCall(call, `${path}.tool_calls.${index}`))];
}

/** The `function` of a call or a tool; other kinds (`custom`) have no counterpart. */
export function readFunction(value: JsonObject, path: string): JsonObject {
  if ((value.type ?? "function") !== "function") refuseValue(`${path}.type`, value.type);
  return readObject(value.function, `${path}.function`);
}

/** The seal of a call where Gemini's own compatible endpoint puts it, as clients hand it back. */
export function sealOfCall(call: JsonObject): { readonly signature?: string } {
  const signature = asText(asObject(asObject(call.extra_content)?.google)?.thought_signature);
  return signature === undefined ? {} : { signature };
}

function readCall(value: JsonValue, path: string): ToolUseBlock {
  const call = readObject(value, path);
  const { name, arguments: text } = readFunction(call, path);
  const id = readName(call.id, `${path}.id`);
  const argumentsText = readString(text, `${path}.function.arguments`);
  return { ...toolUseFromText(id, readName(name, `${path}.function.name`), argumentsText), ...sealOfCall(call) };
}

/** A bare string is short for one text part; an empty one for none. */
function partsIn(content: JsonValue | undefined, path: string): readonly JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return readArray(content, path).map((part, index) => readObject(part, `${path}.${index}`));
}

function typeOf(part: JsonObject, path: string): string {
  return typeof part.type === "string" ? part.type : refuseValue(`${path}.type`, part.type);
}

/** `undefined` for a part that is neither text nor image nor file. Markers for caching are a habit of routers. */
function readPart(part: JsonObject, path: string): ToolResultContent | undefined {
  const cache = readCache(part.cache_control);
  switch (part.type) {
    case "text":
      return { type: "text", text: readString(part.text, `${path}.text`), ...cache };
    case "image_url": {
      const at = `${path}.image_url.url`;
      const url = readString(readObject(part.image_url, `${path}.image_url`).url, at);
      const inline = readDataUrl(url);
      if (inline !== undefined) return { type: "image", ...inline, ...cache };
      return { type: "remote_image", source: { type: "url", url: readHttpUrl(url, at) }, ...cache };
    }
    case "file":
      return { ...readFile(readObject(part.file, `${path}.file`), `${path}.file`), ...cache };
    default:
      return undefined;
  }
}

function readFile(file: JsonObject, path: string): ToolResultContent {
  const title = asText(file.filename);
  const named = title === undefined ? {} : { title };
  const fileId = asText(file.file_id);
  if (fileId !== undefined) return { type: "document", source: { type: "file", fileId }, ...named };
  const data = readName(file.file_data, `${path}.file_data`);
  const inline = readFileData(data, title, `${path}.file_data`);
  return { type: "document", source: { type: "base64", ...inline }, ...named };
}
