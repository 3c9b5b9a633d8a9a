import type {
  AssistantContent,
  JsonObject,
  JsonValue,
  Message,
  ToolResultBlock,
  ToolResultContent,
  ToolUseBlock,
  UserContent,
} from "@loom/core";
import { isWrapped, thoughtFromClient } from "../foreign-seal.ts";
import { asObject, asText } from "../json-reader.ts";
import { resultsInCallOrder } from "../openai-chat/result-order.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import { mergeNeighbours, readArray, readName, readObject, readString } from "../request-reader.ts";
import { readMedia } from "./media-parts.ts";
import { placeThoughts, thoughtsOf } from "./thoughts-on-call.ts";
import { field } from "./wire-field.ts";

/** A call that has no result yet. */
type OpenCall = { readonly id: string; readonly name: string };

/**
 * The conversation. A call without an id gets one; a result without one, or with one that only its client knows, answers
 * the first call of its name that has no result yet.
 */
export function readContents(value: JsonValue | undefined): Message[] {
  const messages: Message[] = [];
  let open: OpenCall[] = [];
  for (const [index, item] of readArray(value, "contents").entries()) {
    const path = `contents.${index}`;
    const content = readObject(item, path);
    const parts = readArray(content.parts ?? [], `${path}.parts`).map((part, at) =>
      readObject(part, `${path}.parts.${at}`),
    );
    if (content.role === "model") {
      const blocks = readAnswer(parts, path, index);
      const calls = blocks.filter((block) => block.type === "tool_use");
      // Two contents of the model in a row are one answer.
      open = messages.at(-1)?.role === "assistant" ? [...open, ...calls] : calls;
      messages.push({ role: "assistant", content: blocks });
    } else if (content.role === undefined || content.role === "user" || content.role === "function") {
      const blocks = parts.map((part, at) => readUserPart(part, `${path}.parts.${at}`, open));
      messages.push({ role: "user", content: blocks });
    } else refuseValue(`${path}.role`, content.role);
  }
  return resultsInCallOrder(mergeNeighbours(messages));
}

/** The texts of `systemInstruction`; a bare string is short for one. */
export function readSystem(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  const { parts } = readObject(value, "systemInstruction");
  return readArray(parts ?? [], "systemInstruction.parts")
    .map((part, index) => {
      const path = `systemInstruction.parts.${index}`;
      return readString(readObject(part, path).text, `${path}.text`);
    })
    .filter((text) => text !== "")
    .join("\n\n");
}

function readUserPart(part: JsonObject, path: string, open: OpenCall[]): UserContent {
  const response = field(part, "functionResponse");
  if (response !== undefined) return readResult(readObject(response, `${path}.functionResponse`), path, open);
  if (part.text !== undefined) return { type: "text", text: readString(part.text, `${path}.text`) };
  return readMedia(part, path) ?? opaque(part, path);
}

function readResult(response: JsonObject, path: string, open: OpenCall[]): ToolResultBlock {
  const name = readName(response.name, `${path}.functionResponse.name`);
  const id = asText(response.id);
  const byId = open.findIndex((call) => call.id === id);
  const at = byId >= 0 ? byId : open.findIndex((call) => call.name === name);
  const call = open[at] ?? refuse(`${path}.functionResponse`, "answers no call just before it");
  open.splice(at, 1);
  const value = readObject(response.response ?? {}, `${path}.functionResponse.response`);
  const media = readArray(response.parts ?? [], `${path}.functionResponse.parts`).map((item, index) => {
    const at = `${path}.functionResponse.parts.${index}`;
    const block = readMedia(readObject(item, at), at);
    return block === undefined || block.type === "opaque" ? refuse(at, "must be an image or a document") : block;
  });
  return { type: "tool_result", toolCallId: call.id, ...readOutcome(value, media) };
}

/** By convention `output` holds what the tool gave, and `error` why it failed; anything else is the output as a whole. */
function readOutcome(
  value: JsonObject,
  media: readonly ToolResultContent[],
): { content: readonly ToolResultContent[]; isError: boolean } {
  const keys = Object.keys(value);
  const isError = keys.length === 1 && value.error !== undefined;
  const only = keys.length === 1 ? (value.output ?? value.error ?? value) : value;
  const text = typeof only === "string" ? only : keys.length === 0 ? "" : JSON.stringify(only);
  return { content: text === "" ? media : [{ type: "text", text }, ...media], isError };
}

function readAnswer(parts: readonly JsonObject[], path: string, index: number): AssistantContent[] {
  const blocks: AssistantContent[] = [];
  for (const [at, part] of parts.entries()) {
    const where = `${path}.parts.${at}`;
    const seal = asText(field(part, "thoughtSignature"));
    // Thoughts of another provider, which come back on the call that they led to.
    const foreign = seal !== undefined && isWrapped(seal) ? seal : undefined;
    const signature = seal === undefined || foreign !== undefined ? {} : { signature: seal };
    const call = field(part, "functionCall");
    if (call !== undefined) {
      const behind = foreign === undefined ? undefined : placeThoughts(blocks, foreign);
      const id = `call_${index}_${at}`;
      blocks.push({ ...readCall(readObject(call, `${where}.functionCall`), where, id), ...signature });
      if (behind !== undefined) blocks.push(behind);
      continue;
    }
    if (part.thought === true) {
      blocks.push(thoughtFromClient(asText(part.text) ?? "", seal, "gemini"));
      continue;
    }
    if (foreign !== undefined) for (const thought of thoughtsOf(foreign)) blocks.push(thought);
    if (part.text !== undefined) {
      const text = readString(part.text, `${where}.text`);
      if (text !== "" || "signature" in signature) blocks.push({ type: "text", text, ...signature });
    } else if (Object.keys(part).some((key) => key !== "thoughtSignature" && key !== "thought_signature")) {
      blocks.push(opaque(part, where));
    }
  }
  return blocks;
}

function readCall(call: JsonObject, path: string, fallbackId: string): ToolUseBlock {
  return {
    type: "tool_use",
    id: asText(call.id) ?? fallbackId,
    name: readName(call.name, `${path}.functionCall.name`),
    input: asObject(call.args) ?? {},
  };
}

/** What only this dialect knows: code that ran at the provider, sound, video, its own tools at work. */
function opaque(part: JsonObject, path: string): { type: "opaque"; dialect: string; data: JsonObject } {
  if (Object.keys(part).length === 0) refuse(path, "must not be empty");
  return { type: "opaque", dialect: "gemini", data: part };
}
