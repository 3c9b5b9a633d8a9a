import type { AssistantContent, JsonObject, JsonValue, Message, ToolUseBlock, UserContent } from "@loom/core";
import { thoughtFromClient, unwrapSeal } from "../foreign-seal.ts";
import { asArray, asObject, asText } from "../json-reader.ts";
import { asInstructions } from "../later-instructions.ts";
import { resultsInCallOrder } from "../openai-chat/result-order.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import { mergeNeighbours, readArray, readName, readObject, readString } from "../request-reader.ts";
import { toolUseFromText } from "../tool-input.ts";
import { readParts, readTexts } from "./decode-content.ts";
import type { ToolNames } from "./tool-name.ts";

/** Items of OpenAI's own tools and machinery that an answer may hold; they go back to this dialect and to no other. */
const OPAQUE_ANSWERS: ReadonlySet<string> = new Set([
  "web_search_call",
  "file_search_call",
  "computer_call",
  "code_interpreter_call",
  "image_generation_call",
  "local_shell_call",
  "shell_call",
  "apply_patch_call",
  "tool_search_call",
  "mcp_list_tools",
  "mcp_approval_request",
  "mcp_call",
  "compaction",
]);
/** The same, from the client's side. */
const OPAQUE_INPUTS: ReadonlySet<string> = new Set([
  "computer_call_output",
  "local_shell_call_output",
  "shell_call_output",
  "apply_patch_call_output",
  "tool_search_output",
  "mcp_approval_response",
  "additional_tools",
  "compaction_trigger",
]);

/** Clients refer to items where `store` is on, which is what some of them do unless they are told not to. */
const UNKNOWN_ITEM =
  "refers to an item that is not known here (any more): send the items themselves, as clients do with store set to false (AI SDK: providerOptions.openai.store)";

/**
 * The conversation that `input` holds: a text, or a list of items. Instructions at the start become the system prompt;
 * later ones keep their place. Ids and status of items are left out.
 */
export function readInput(input: JsonValue | undefined, names: ToolNames): { system: string[]; messages: Message[] } {
  if (typeof input === "string") {
    return { system: [], messages: [{ role: "user", content: [{ type: "text", text: readName(input, "input") }] }] };
  }
  const system: string[] = [];
  const rest: Message[] = [];
  const callSeals = new Map<string, string>();
  for (const [index, value] of readArray(input, "input").entries()) {
    const path = `input.${index}`;
    const item = readObject(value, path);
    const isSystem = isMessage(item) && (item.role === "system" || item.role === "developer");
    if (isSystem && rest.length === 0) {
      system.push(...readTexts(item.content, `${path}.content`));
      continue;
    }
    const seal = item.type === "reasoning" ? unwrapSeal(asText(item.encrypted_content) ?? "") : undefined;
    if (seal?.kind === "call") callSeals.set(seal.callId ?? "", seal.data);
    else rest.push(readItem(item, path, names));
  }
  const messages = resultsInCallOrder(mergeNeighbours(rest)).map((message) => withSeals(message, callSeals));
  return { system, messages };
}

function isMessage({ type, role }: JsonObject): boolean {
  return type === "message" || (type === undefined && role !== undefined);
}

function readItem(item: JsonObject, path: string, names: ToolNames): Message {
  if (isMessage(item)) return readMessage(item, path);
  const type = readName(item.type, `${path}.type`);
  switch (type) {
    case "function_call":
    case "custom_tool_call":
      return { role: "assistant", content: [readCall(item, path, names)] };
    case "function_call_output":
    case "custom_tool_call_output":
      return { role: "user", content: [readOutput(item, path)] };
    case "reasoning":
      return { role: "assistant", content: [readReasoning(item, path)] };
    case "item_reference":
      return refuse(path, UNKNOWN_ITEM);
    default:
      if (OPAQUE_ANSWERS.has(type)) return { role: "assistant", content: [opaque(item)] };
      if (OPAQUE_INPUTS.has(type)) return { role: "user", content: [opaque(item)] };
      return refuseValue(`${path}.type`, type);
  }
}

function readMessage(item: JsonObject, path: string): Message {
  const at = `${path}.content`;
  switch (item.role) {
    case "user":
      return { role: "user", content: readParts(item.content, at) };
    case "system":
    case "developer":
      return { role: "user", content: asInstructions(readParts(item.content, at)) };
    case "assistant":
      return { role: "assistant", content: readTexts(item.content, at).map((text) => ({ type: "text", text })) };
    default:
      return refuseValue(`${path}.role`, item.role);
  }
}

function readCall(item: JsonObject, path: string, names: ToolNames): ToolUseBlock {
  const id = readName(item.call_id, `${path}.call_id`);
  const isText = item.type === "custom_tool_call";
  const namespace = asText(item.namespace);
  const named = namespace === undefined ? {} : { namespace };
  const name = names.nameOf({ ...named, name: readName(item.name, `${path}.name`), isText });
  if (isText) return { type: "tool_use", id, name, input: { input: readString(item.input, `${path}.input`) } };
  return toolUseFromText(id, name, readString(item.arguments, `${path}.arguments`));
}

function readOutput(item: JsonObject, path: string): UserContent {
  const toolCallId = readName(item.call_id, `${path}.call_id`);
  return { type: "tool_result", toolCallId, content: readParts(item.output, `${path}.output`), isError: false };
}

/** The texts of a thought are its summary, and the thought itself where a server shows it. */
function readReasoning(item: JsonObject, path: string): AssistantContent {
  const texts = [...asArray(item.summary), ...asArray(item.content)].flatMap((part, index) => {
    const { type, text } = readObject(part, `${path}.${index}`);
    return type === "summary_text" || type === "reasoning_text" || type === "text" ? (asText(text) ?? []) : [];
  });
  return thoughtFromClient(texts.join("\n\n"), asText(item.encrypted_content), "responses");
}

function opaque(data: JsonObject): { type: "opaque"; dialect: string; data: JsonObject } {
  return { type: "opaque", dialect: "responses", data };
}

function withSeals(message: Message, callSeals: ReadonlyMap<string, string>): Message {
  if (message.role !== "assistant" || callSeals.size === 0) return message;
  const content = message.content.map((block) => {
    const signature = block.type === "tool_use" ? callSeals.get(block.id) : undefined;
    return block.type === "tool_use" && signature !== undefined ? { ...block, signature } : block;
  });
  return { role: "assistant", content };
}

/** Whether an item is one that the client has to answer before the model can go on. */
export function asksClient(item: JsonObject): boolean {
  const type = asText(item.type) ?? "";
  const runsAtProvider = asText(asObject(item.environment)?.type)?.startsWith("container") === true;
  return /^(?:computer|local_shell|shell|apply_patch)_call$/.test(type) && !runsAtProvider;
}
