import type { JsonObject, JsonValue, OpaqueBlock } from "@loom/core";
import { asObject, asText } from "./json-reader.ts";
import { quote } from "./quote.ts";

export const IMAGE = notCarried("an image");
export const SOUND = notCarried("sound");

/** What a provider's own tools did on the way to the answer, and what it keeps of them for itself. */
const TOOLS_AT_WORK = /^(?:server_tool_use|mcp_tool_use|.*_tool_result|(?!image_generation).*_call)$/;

/**
 * What a client reads in the place of a part that only the model's dialect knows. Code that ran at the provider and what
 * came of it are text in a fence, images and the like are named. Empty for searches of the web and other tools at work.
 */
export function saidOfPart({ dialect, data }: OpaqueBlock): string {
  return dialect === "gemini" ? saidOfGemini(data) : saidOfTyped(asText(data.type) ?? "");
}

function saidOfTyped(type: string): string {
  if (TOOLS_AT_WORK.test(type)) return "";
  return type === "image_generation_call" ? IMAGE : unknownPart(type);
}

function saidOfGemini(part: JsonObject): string {
  const { executableCode = part.executable_code, codeExecutionResult = part.code_execution_result } = part;
  const code = asObject(executableCode);
  if (code !== undefined) return fenced(asText(code.code) ?? "", (asText(code.language) ?? "").toLowerCase());
  const result = asObject(codeExecutionResult);
  if (result !== undefined) return fenced(asText(result.output) ?? asText(result.outcome) ?? "", "");
  if (part.toolCall !== undefined || part.toolResponse !== undefined) return "";
  const media = asObject(part.inlineData ?? part.inline_data ?? part.fileData ?? part.file_data);
  return media === undefined ? unknownPart(Object.keys(part)[0] ?? "") : saidOfMedia(media.mimeType ?? media.mime_type);
}

function saidOfMedia(mediaType: JsonValue | undefined): string {
  const [kind] = (asText(mediaType) ?? "").split("/", 1);
  if (kind === "image") return IMAGE;
  return kind === "audio" ? SOUND : notCarried(kind === "video" ? "a video" : "a file");
}

function unknownPart(kind: string): string {
  return notCarried(`a part of the kind "${quote(kind)}"`);
}

function notCarried(what: string): string {
  return `\n(${what} that this client's protocol cannot hold)\n`;
}

/** Longer than any fence inside. */
function fenced(text: string, language: string): string {
  let longest = 2;
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  const fence = "`".repeat(longest + 1);
  return `\n${fence}${/^[a-z]+$/.test(language) && !language.includes("unspecified") ? language : ""}\n${text.replace(/\n$/, "")}\n${fence}\n`;
}
