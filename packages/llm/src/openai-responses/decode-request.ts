import type { JsonObject, JsonValue, LlmRequest, OutputFormat } from "@loom/core";
import type { DecodedRequest } from "../codec.ts";
import type { DroppedField } from "../dropped-fields.ts";
import { asObject, asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import {
  readBoolean,
  readName,
  readObject,
  readPositive,
  readRequest,
  readSampling,
  readString,
  type Watch,
} from "../request-reader.ts";
import { readInput } from "./decode-input.ts";
import { readToolChoice, readTools } from "./decode-tools.ts";
import { readReasoning } from "./effort.ts";
import { ToolNames } from "./tool-name.ts";

/**
 * The body of a client's `POST /v1/responses`. What only OpenAI's memory could answer (an earlier response, a stored
 * conversation or prompt) is a problem. Left out, since an answer is the same without: `store`, `include`, `metadata`,
 * `service_tier`, `truncation`, `text.verbosity`, `top_logprobs`, `max_tool_calls`.
 */
export function decodeRequest(body: string): DecodedRequest {
  return readRequest(
    body,
    (json, watched) => {
      refuseMemory(json);
      const names = new ToolNames();
      const tooled = readToolChoice(json.tool_choice, readTools(json.tools, names), names);
      const { tools, providerTools, toolChoice } = tooled;
      const { system, messages } = readInput(json.input, names);
      if (messages.length === 0 && system.join("") === "") refuse("input", "must not be empty");
      const instructions = isGiven(json.instructions) ? [readString(json.instructions, "instructions")] : [];
      const thinking = readReasoning(json.reasoning, watched);
      const output = readFormat(json.text, watched);
      const parallelToolCalls = readBoolean(json.parallel_tool_calls, "parallel_tool_calls");
      const userId = asText(json.safety_identifier) ?? asText(json.user);
      const cacheKey = asText(json.prompt_cache_key);
      const request: LlmRequest = {
        model: readName(json.model, "model"),
        system: [...instructions, ...system].filter((text) => text !== "").join("\n\n"),
        messages,
        tools,
        ...(isGiven(json.max_output_tokens)
          ? { maxTokens: readPositive(json.max_output_tokens, "max_output_tokens") }
          : {}),
        ...readSampling({ temperature: json.temperature ?? null, top_p: json.top_p ?? null }),
        ...(toolChoice === undefined ? {} : { toolChoice }),
        ...(parallelToolCalls === undefined ? {} : { parallelToolCalls }),
        ...(providerTools.length === 0 ? {} : { providerTools }),
        ...(thinking === undefined ? {} : { thinking }),
        ...(output === undefined ? {} : { output }),
        ...(userId === undefined ? {} : { userId }),
        ...(cacheKey === undefined ? {} : { cacheKey }),
      };
      const clientTools = names.special.size === 0 ? {} : { clientTools: names.special };
      return { request, stream: readBoolean(json.stream, "stream") === true, ...clientTools };
    },
    DROPPED,
  );
}

const isAuto = (value: JsonValue) => value === "auto";
const isFreeText = (value: JsonValue) => asObject(value)?.type === "text";
const isCustom = ({ type }: JsonObject) => type === "custom";

const DROPPED: readonly DroppedField[] = [
  { path: ["input", "content", "detail"], neutral: isAuto },
  { path: ["input", "output", "detail"], neutral: isAuto },
  { path: ["text", "verbosity"], neutral: (value) => value === "medium" },
  { path: ["input", "phase"] },
  { path: ["tools", "format"], neutral: isFreeText, of: isCustom },
  { path: ["tools", "tools", "format"], neutral: isFreeText, of: isCustom },
  { path: ["tools", "defer_loading"], of: ({ type }) => type === "function" || type === "custom" },
];

function refuseMemory(json: JsonObject): void {
  if (isGiven(json.previous_response_id)) {
    refuse(
      "previous_response_id",
      "names a response that only its provider holds: send the whole conversation as input",
    );
  }
  if (isGiven(json.conversation)) {
    refuse("conversation", "names a conversation that only its provider holds: send the whole conversation as input");
  }
  if (isGiven(json.prompt)) refuse("prompt", "names a prompt that only its provider holds: send its text");
  if (json.background === true) refuse("background", "is not supported: wait for the answer, or stream it");
}

function readFormat(text: JsonValue | undefined, watched: Watch): OutputFormat | undefined {
  const format = isGiven(text) ? readObject(text, "text").format : undefined;
  if (!isGiven(format)) return undefined;
  const { type, name, schema, strict, description } = watched(readObject(format, "text.format"), "text.format");
  if (type === "text") return undefined;
  if (type === "json_object") return { type: "json" };
  if (type !== "json_schema") refuseValue("text.format.type", type);
  const about = asText(description);
  return {
    type,
    name: readName(name, "text.format.name"),
    schema: readObject(schema, "text.format.schema"),
    ...(typeof strict === "boolean" ? { strict } : {}),
    ...(about === undefined ? {} : { description: about }),
  };
}

function isGiven(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null;
}
