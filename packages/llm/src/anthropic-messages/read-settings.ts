import type { JsonObject, JsonValue, LlmRequest, OutputFormat, ThinkingSetting, ToolChoice } from "@loom/core";
import { asObject, asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import {
  readArray,
  readBoolean,
  readName,
  readObject,
  readPositive,
  readSampling,
  readString,
  type Watch,
} from "../request-reader.ts";
import { readEffort } from "../thinking-level.ts";

type Settings = Omit<LlmRequest, "model" | "system" | "systemCache" | "messages" | "tools" | "providerTools">;

/**
 * What a client sets beside the conversation. What would have to run at the provider is a problem; what only says how it
 * works there (service tier, context editing, automatic caching) is left out.
 */
export function readSettings(json: JsonObject, watched: Watch): Settings {
  if (Array.isArray(json.mcp_servers) && json.mcp_servers.length > 0) {
    refuse("mcp_servers", "would have to run at Anthropic, and this model is another provider's");
  }
  if (json.container !== undefined && json.container !== null) {
    refuse("container", "lies at Anthropic, and this model is another provider's");
  }
  const stopSequences = readStop(json.stop_sequences);
  const userId = asText(watched(asObject(json.metadata) ?? {}, "metadata").user_id);
  const config = watched(asObject(json.output_config) ?? {}, "output_config");
  const thinking = readThinking(json.thinking, config.effort, watched);
  const output = readFormat(config.format ?? json.output_format);
  return {
    maxTokens: readPositive(json.max_tokens, "max_tokens"),
    // Field by field: a copy of the body would count as reading all of it.
    ...readSampling({
      temperature: json.temperature ?? null,
      top_p: json.top_p ?? null,
      top_k: json.top_k ?? null,
    }),
    ...(stopSequences === undefined ? {} : { stopSequences }),
    ...(userId === undefined ? {} : { userId }),
    ...(thinking === undefined ? {} : { thinking }),
    ...(output === undefined ? {} : { output }),
    ...readToolChoice(json.tool_choice, watched),
  };
}

function readStop(value: JsonValue | undefined): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return readArray(value, "stop_sequences").map((text, index) => readString(text, `stop_sequences.${index}`));
}

function readThinking(
  value: JsonValue | undefined,
  level: JsonValue | undefined,
  watched: Watch,
): ThinkingSetting | undefined {
  const effort = readEffort(level);
  if (effort === undefined && level !== undefined && level !== null) refuseValue("output_config.effort", level);
  const asked = effort === undefined ? {} : { effort };
  if (value === undefined || value === null) return effort === undefined ? undefined : { type: "on", ...asked };
  const thinking = watched(readObject(value, "thinking"), "thinking");
  const { display } = thinking;
  const visible = display === undefined || display === null ? {} : { visible: display !== "omitted" };
  switch (thinking.type) {
    case "disabled":
      return { type: "off" };
    case "enabled": {
      const budgetTokens = readPositive(thinking.budget_tokens, "thinking.budget_tokens");
      return { type: "on", ...asked, budgetTokens, ...visible };
    }
    // Words for how it is spread over an answer came later, and mean no less.
    default:
      readName(thinking.type, "thinking.type");
      return { type: "on", ...asked, ...visible };
  }
}

function readFormat(value: JsonValue | undefined): OutputFormat | undefined {
  if (value === undefined || value === null) return undefined;
  const format = readObject(value, "output_config.format");
  if (format.type !== "json_schema") refuseValue("output_config.format.type", format.type);
  const schema = readObject(format.schema, "output_config.format.schema");
  return { type: "json_schema", name: "answer", schema, strict: true };
}

function readToolChoice(
  value: JsonValue | undefined,
  watched: Watch,
): Pick<LlmRequest, "toolChoice" | "parallelToolCalls"> {
  if (value === undefined || value === null) return {};
  const choice = watched(readObject(value, "tool_choice"), "tool_choice");
  const atMostOne = readBoolean(choice.disable_parallel_tool_use, "tool_choice.disable_parallel_tool_use");
  return { toolChoice: toolChoice(choice), ...(atMostOne === undefined ? {} : { parallelToolCalls: !atMostOne }) };
}

function toolChoice(choice: JsonObject): ToolChoice {
  switch (choice.type) {
    case "auto":
    case "none":
      return { type: choice.type };
    case "any":
      return { type: "required" };
    case "tool":
      return { type: "tool", name: readName(choice.name, "tool_choice.name") };
    default:
      return refuseValue("tool_choice.type", choice.type);
  }
}
