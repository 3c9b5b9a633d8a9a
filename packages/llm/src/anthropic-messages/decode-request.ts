import type { CacheMarker, JsonObject, JsonValue, LlmRequest, Message, ProviderTool, ToolDefinition } from "@loom/core";
import type { DecodedRequest } from "../codec.ts";
import type { DroppedField } from "../dropped-fields.ts";
import { asObject, asText } from "../json-reader.ts";
import { asInstructions } from "../later-instructions.ts";
import { resultsInCallOrder } from "../openai-chat/result-order.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import {
  mergeNeighbours,
  readArray,
  readBoolean,
  readName,
  readObject,
  readRequest,
  readString,
} from "../request-reader.ts";
import { readCache } from "./cache-marker.ts";
import { readAssistantContent, readBlocks, readUserContent } from "./read-content.ts";
import { readSettings } from "./read-settings.ts";

/**
 * The body of a client's `POST /v1/messages`. What Loom has no word for, and the model would miss, is a problem or stays
 * as it is for a model of the same dialect; `carried.ts` lists what is left out.
 */
export function decodeRequest(body: string): DecodedRequest {
  return readRequest(
    body,
    (json, watched) => {
      const messages = resultsInCallOrder(mergeNeighbours(readArray(json.messages, "messages").map(readMessage)));
      if (messages.length === 0) refuse("messages", "must not be empty");
      if (messages[0]?.role !== "user") refuse("messages.0.role", 'must be "user"');
      const request: LlmRequest = {
        model: readName(json.model, "model"),
        ...readSystem(json.system),
        messages,
        ...readTools(json.tools),
        ...readSettings(json, watched),
      };
      return { request, stream: readBoolean(json.stream, "stream") === true };
    },
    DROPPED,
  );
}

const isOff = (value: JsonValue) => asObject(value)?.enabled === false;
const isDirect = (value: JsonValue) => JSON.stringify(value) === '["direct"]';
/** Tools of the provider's own keep all that they have. */
const isOwnTool = ({ type }: JsonObject) => type === undefined || type === null || type === "custom";

const DROPPED: readonly DroppedField[] = [
  { path: ["messages", "content", "citations"], neutral: isOff },
  { path: ["messages", "content", "content", "citations"], neutral: isOff },
  { path: ["tools", "input_examples"], of: isOwnTool },
  { path: ["tools", "defer_loading"], of: isOwnTool },
  { path: ["tools", "eager_input_streaming"], of: isOwnTool },
  { path: ["tools", "allowed_callers"], neutral: isDirect, of: isOwnTool },
];

function readSystem(system: JsonValue | undefined): Pick<LlmRequest, "system" | "systemCache"> {
  if (system === undefined || system === null) return { system: "" };
  const texts: string[] = [];
  let systemCache: CacheMarker | undefined;
  for (const [index, block] of readBlocks(system, "system").entries()) {
    texts.push(readString(block.text, `system.${index}.text`));
    systemCache = readCache(block.cache_control).cache ?? systemCache;
  }
  return { system: texts.join("\n\n"), ...(systemCache === undefined ? {} : { systemCache }) };
}

/** A tool with a type of its own is one that the provider has made, and mostly runs. */
function readTools(value: JsonValue | undefined): Pick<LlmRequest, "tools" | "providerTools"> {
  const tools: ToolDefinition[] = [];
  const providerTools: ProviderTool[] = [];
  for (const [index, item] of readArray(value ?? [], "tools").entries()) {
    const path = `tools.${index}`;
    const tool = readObject(item, path);
    const type = tool.type ?? "custom";
    if (typeof type !== "string") refuseValue(`${path}.type`, type);
    if (type === "custom") tools.push(readTool(tool, path));
    else providerTools.push({ dialect: "anthropic", definition: tool });
  }
  return { tools, ...(providerTools.length === 0 ? {} : { providerTools }) };
}

function readTool(tool: JsonObject, path: string): ToolDefinition {
  const strict = readBoolean(tool.strict, `${path}.strict`);
  return {
    name: readName(tool.name, `${path}.name`),
    description: asText(tool.description) ?? "",
    inputSchema: readObject(tool.input_schema, `${path}.input_schema`),
    ...(strict === undefined ? {} : { strict }),
    ...readCache(tool.cache_control),
  };
}

function readMessage(value: JsonValue, index: number): Message {
  const path = `messages.${index}`;
  const { role, content } = readObject(value, path);
  if (role === "assistant") return { role, content: readAssistantContent(content, `${path}.content`) };
  // A system message in the middle of a conversation keeps its place.
  if (role !== "user" && role !== "system") refuseValue(`${path}.role`, role);
  const said = readUserContent(content, `${path}.content`);
  return { role: "user", content: role === "system" ? asInstructions(said) : said };
}
