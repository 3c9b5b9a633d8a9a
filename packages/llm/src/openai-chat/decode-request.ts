import type {
  AssistantContent,
  ImageBlock,
  JsonObject,
  JsonValue,
  LlmRequest,
  Message,
  TextBlock,
  ToolDefinition,
  ToolUseBlock,
} from "@loom/core";
import type { DecodedRequest } from "../codec.ts";
import { asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import {
  mergeNeighbours,
  readArray,
  readName,
  readObject,
  readPositive,
  readRequest,
  readString,
  readTemperature,
} from "../request-reader.ts";
import { toolUseFromText } from "../tool-input.ts";
import { resultsInCallOrder } from "./result-order.ts";

/** For a request that sets no bound: Loom wants one, and every current model can write that much. */
const DEFAULT_MAX_TOKENS = 8_192;

/**
 * The body of a client's `POST /v1/chat/completions`. What Loom has no word for and an answer is possible without
 * (sampling, `stop`, a forced tool, log probabilities) is left out; what the client or the model would miss (several
 * answers, a prescribed format, audio, an image at an address) is a problem.
 */
export function decodeRequest(body: string): DecodedRequest {
  return readRequest(body, (json) => {
    if (json.n !== undefined && json.n !== null && json.n !== 1) refuse("n", "must be 1");
    const format = json.response_format ?? { type: "text" };
    if (readObject(format, "response_format").type !== "text") refuseValue("response_format", format);
    if (json.functions !== undefined) refuse("functions", "is not supported: use tools");
    const { system, rest } = splitSystem(readArray(json.messages, "messages"));
    const messages = resultsInCallOrder(mergeNeighbours(rest));
    if (messages.length === 0) refuse("messages", "must not be empty");
    if (messages[0]?.role !== "user") refuse("messages", "must begin with the role user");
    const request: LlmRequest = {
      model: readName(json.model, "model"),
      system,
      messages,
      tools: json.tool_choice === "none" ? [] : readTools(json.tools),
      maxTokens: readMaxTokens(json),
      ...readTemperature(json.temperature, "temperature"),
    };
    return { request, stream: json.stream === true };
  });
}

function readMaxTokens({ max_completion_tokens: bound, max_tokens: oldBound }: JsonObject): number {
  if (bound !== undefined && bound !== null) return readPositive(bound, "max_completion_tokens");
  return oldBound === undefined || oldBound === null ? DEFAULT_MAX_TOKENS : readPositive(oldBound, "max_tokens");
}

/** The instructions at the start become the system prompt; later ones keep their place, as what the user says. */
function splitSystem(messages: readonly JsonValue[]): { system: string; rest: Message[] } {
  const system: string[] = [];
  const rest: Message[] = [];
  for (const [index, value] of messages.entries()) {
    const path = `messages.${index}`;
    const message = readObject(value, path);
    const isSystem = message.role === "system" || message.role === "developer";
    if (isSystem && rest.length === 0) system.push(...readTexts(message.content, `${path}.content`));
    else rest.push(readMessage(isSystem ? { ...message, role: "user" } : message, path));
  }
  return { system: system.join("\n\n"), rest };
}

function readMessage(message: JsonObject, path: string): Message {
  switch (message.role) {
    case "user":
      return { role: "user", content: readParts(message.content, `${path}.content`) };
    case "assistant":
      return { role: "assistant", content: readAnswer(message, path) };
    case "tool": {
      const toolCallId = readName(message.tool_call_id, `${path}.tool_call_id`);
      const content = readParts(message.content ?? "", `${path}.content`);
      return { role: "user", content: [{ type: "tool_result", toolCallId, content, isError: false }] };
    }
    default:
      return refuseValue(`${path}.role`, message.role);
  }
}

function readAnswer(message: JsonObject, path: string): AssistantContent[] {
  if (message.function_call !== undefined && message.function_call !== null) {
    refuse(`${path}.function_call`, "is not supported: use tool_calls");
  }
  const content: AssistantContent[] = [];
  const thinking = asText(message.reasoning_content) ?? asText(message.reasoning);
  if (thinking !== undefined) content.push({ type: "thinking", text: thinking });
  const texts = readTexts(message.content ?? "", `${path}.content`);
  const refusal = asText(message.refusal);
  for (const text of refusal === undefined ? texts : [...texts, refusal]) content.push({ type: "text", text });
  const calls = readArray(message.tool_calls ?? [], `${path}.tool_calls`);
  return [...content, ...calls.map((call, index) => readCall(call, `${path}.tool_calls.${index}`))];
}

function readCall(value: JsonValue, path: string): ToolUseBlock {
  const call = readObject(value, path);
  const { name, arguments: text } = readFunction(call, path);
  const id = readName(call.id, `${path}.id`);
  return toolUseFromText(id, readName(name, `${path}.function.name`), readString(text, `${path}.function.arguments`));
}

function readTools(tools: JsonValue | undefined): ToolDefinition[] {
  return readArray(tools ?? [], "tools").map((value, index) => {
    const path = `tools.${index}`;
    const { name, description, parameters } = readFunction(readObject(value, path), path);
    return {
      name: readName(name, `${path}.function.name`),
      description: asText(description) ?? "",
      inputSchema: readObject(parameters ?? { type: "object", properties: {} }, `${path}.function.parameters`),
    };
  });
}

/** The `function` of a call or a tool; other kinds (`custom`) have no counterpart. */
function readFunction(value: JsonObject, path: string): JsonObject {
  if ((value.type ?? "function") !== "function") refuseValue(`${path}.type`, value.type);
  return readObject(value.function, `${path}.function`);
}

/** A bare string is short for one text part; an empty one for none. */
function partsIn(content: JsonValue | undefined, path: string): readonly JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return readArray(content, path).map((part, index) => readObject(part, `${path}.${index}`));
}

function readTexts(content: JsonValue | undefined, path: string): string[] {
  return partsIn(content, path).map((part, index) => {
    if (part.type === "refusal") return readString(part.refusal, `${path}.${index}.refusal`);
    if (part.type !== "text") refuseValue(`${path}.${index}.type`, part.type);
    return readString(part.text, `${path}.${index}.text`);
  });
}

function readParts(content: JsonValue | undefined, path: string): (TextBlock | ImageBlock)[] {
  return partsIn(content, path).map((part, index) => {
    const at = `${path}.${index}`;
    if (part.type === "text") return { type: "text", text: readString(part.text, `${at}.text`) };
    if (part.type !== "image_url") refuseValue(`${at}.type`, part.type);
    return readImage(readString(readObject(part.image_url, `${at}.image_url`).url, `${at}.image_url.url`), at);
  });
}

function readImage(url: string, path: string): ImageBlock {
  const start = url.indexOf(";base64,");
  if (!url.startsWith("data:") || start < 0) {
    refuse(`${path}.image_url.url`, "must be a data: URL in base64: images at an address are not fetched");
  }
  const mediaType = url.slice("data:".length, start);
  return { type: "image", mediaType, data: url.slice(start + ";base64,".length) };
}
