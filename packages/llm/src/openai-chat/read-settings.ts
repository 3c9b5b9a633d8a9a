import type { JsonObject, JsonValue, LlmRequest, OutputFormat, ThinkingSetting } from "@loom/core";
import { asArray, asCount, asNumber, asObject, asText } from "../json-reader.ts";
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
 * What a client sets beside the conversation and the tools. What it would miss in the answer (several answers, log
 * probabilities, audio, a search) is a problem; what only colours the choice of words, or says how OpenAI works, is left
 * out.
 */
export function readSettings(json: JsonObject, watched: Watch): Omit<Settings, "toolChoice"> {
  refuseUnsayable(json);
  const stopSequences = readStop(json.stop);
  const thinking = readThinking(json, watched);
  const output = readFormat(json.response_format, watched);
  const parallelToolCalls = readBoolean(json.parallel_tool_calls, "parallel_tool_calls");
  const userId = asText(json.safety_identifier) ?? asText(json.user);
  const cacheKey = asText(json.prompt_cache_key);
  return {
    ...readMaxTokens(json),
    ...readSampling(json),
    ...(stopSequences === undefined ? {} : { stopSequences }),
    ...(thinking === undefined ? {} : { thinking }),
    ...(output === undefined ? {} : { output }),
    ...(parallelToolCalls === undefined ? {} : { parallelToolCalls }),
    ...(userId === undefined ? {} : { userId }),
    ...(cacheKey === undefined ? {} : { cacheKey }),
  };
}

function refuseUnsayable(json: JsonObject): void {
  if (json.n !== undefined && json.n !== null && asNumber(json.n) !== 1) refuse("n", "must be 1");
  if (json.functions !== undefined) refuse("functions", "is not supported: use tools");
  if (json.logprobs === true) refuse("logprobs", "is not supported: this model is another provider's");
  if (Object.keys(asObject(json.logit_bias) ?? {}).length > 0) {
    refuse("logit_bias", "is not supported: its numbers mean other words to another provider's model");
  }
  if (asArray(json.modalities).some((modality) => modality !== "text")) refuseValue("modalities", json.modalities);
  if (asObject(json.web_search_options) !== undefined) {
    refuse("web_search_options", "would have to run at OpenAI, and this model is another provider's");
  }
}

function readMaxTokens({
  max_completion_tokens: bound,
  max_tokens: oldBound,
}: JsonObject): Pick<LlmRequest, "maxTokens"> {
  if (bound !== undefined && bound !== null) return { maxTokens: readPositive(bound, "max_completion_tokens") };
  return oldBound === undefined || oldBound === null ? {} : { maxTokens: readPositive(oldBound, "max_tokens") };
}

function readStop(stop: JsonValue | undefined): string[] | undefined {
  if (stop === undefined || stop === null) return undefined;
  if (typeof stop === "string") return [stop];
  return readArray(stop, "stop").map((text, index) => readString(text, `stop.${index}`));
}

/** OpenAI's field, OpenRouter's, and the one of Z.ai, DeepSeek and Moonshot. */
function readThinking(json: JsonObject, watched: Watch): ThinkingSetting | undefined {
  const { reasoning_effort: level } = json;
  if (level !== undefined && level !== null) return readLevel(level, "reasoning_effort");
  const reasoning = asObject(json.reasoning);
  if (reasoning !== undefined) return readReasoning(watched(reasoning, "reasoning"));
  const given = asObject(json.thinking);
  if (given === undefined) return undefined;
  const thinking = watched(given, "thinking");
  if (thinking.type === "disabled") return { type: "off" };
  const budgetTokens = asCount(thinking.budget_tokens);
  return { type: "on", ...(budgetTokens === undefined || budgetTokens === 0 ? {} : { budgetTokens }) };
}

function readReasoning({ effort, max_tokens: bound, enabled, exclude }: JsonObject): ThinkingSetting {
  if (enabled === false) return { type: "off" };
  const visible = typeof exclude === "boolean" ? { visible: !exclude } : {};
  if (effort !== undefined && effort !== null) {
    const level = readLevel(effort, "reasoning.effort");
    return level.type === "on" ? { ...level, ...visible } : level;
  }
  const budgetTokens =
    bound === undefined || bound === null ? {} : { budgetTokens: readPositive(bound, "reasoning.max_tokens") };
  return { type: "on", ...budgetTokens, ...visible };
}

function readLevel(level: JsonValue, path: string): ThinkingSetting {
  if (level === "none") return { type: "off" };
  return { type: "on", effort: readEffort(level) ?? refuseValue(path, level) };
}

function readFormat(value: JsonValue | undefined, watched: Watch): OutputFormat | undefined {
  if (value === undefined || value === null) return undefined;
  const format = watched(readObject(value, "response_format"), "response_format");
  switch (format.type) {
    case "text":
      return undefined;
    case "json_object":
      return { type: "json" };
    case "json_schema":
      return readSchema(
        watched(readObject(format.json_schema, "response_format.json_schema"), "response_format.json_schema"),
      );
    default:
      return refuseValue("response_format.type", format.type);
  }
}

function readSchema(wire: JsonObject): OutputFormat {
  const path = "response_format.json_schema";
  const strict = readBoolean(wire.strict, `${path}.strict`);
  const description = asText(wire.description);
  return {
    type: "json_schema",
    name: readName(wire.name, `${path}.name`),
    schema: readObject(wire.schema ?? {}, `${path}.schema`),
    ...(strict === undefined ? {} : { strict }),
    ...(description === undefined ? {} : { description }),
  };
}
