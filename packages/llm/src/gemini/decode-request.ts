import type {
  JsonObject,
  JsonValue,
  LlmRequest,
  OutputFormat,
  ProviderTool,
  ToolChoice,
  ToolDefinition,
} from "@loom/core";
import type { DecodedRequest } from "../codec.ts";
import type { DroppedField } from "../dropped-fields.ts";
import { asNumber, asObject, asText } from "../json-reader.ts";
import { refuse, refuseValue } from "../request-problem.ts";
import {
  readArray,
  readName,
  readObject,
  readPositive,
  readRequest,
  readSampling,
  readString,
  type Watch,
} from "../request-reader.ts";
import { readContents, readSystem } from "./decode-contents.ts";
import { isCarriedType } from "./media-parts.ts";
import { readSchema } from "./schema.ts";
import { readThinking } from "./thinking-config.ts";
import { field, snakeCase } from "./wire-field.ts";

const FORBIDDEN_CONFIG = ["speechConfig", "routingConfig", "modelSelectionConfig", "imageConfig", "translationConfig"];

/**
 * The body of a client's `POST /v1beta/models/{model}:generateContent`, or `:streamGenerateContent`. Model and streaming are
 * in the path, so both are missing here: the model is empty where the body does not repeat it. Left out, since no other
 * provider can be told: `safetySettings`, penalties, log probabilities, `mediaResolution`, `labels`.
 */
export function decodeRequest(body: string): DecodedRequest {
  return readRequest(
    body,
    (json, watched) => {
      if (field(json, "cachedContent") !== undefined) {
        refuse("cachedContent", "names a prompt that only its provider holds: send its contents");
      }
      const messages = readContents(json.contents);
      if (messages.length === 0) refuse("contents", "must not be empty");
      if (messages[0]?.role !== "user") refuse("contents", "must begin with the role user");
      const config = watched(readObject(field(json, "generationConfig") ?? {}, "generationConfig"), "generationConfig");
      const { tools, toolChoice, providerTools } = readTools(json, watched);
      const thinking = readThinking(field(config, "thinkingConfig"), watched);
      const output = readFormat(config);
      const stopSequences = readStop(field(config, "stopSequences"));
      const bound = field(config, "maxOutputTokens");
      const request: LlmRequest = {
        model: (asText(json.model) ?? "").replace(/^models\//, ""),
        system: readSystem(field(json, "systemInstruction")),
        messages,
        tools,
        ...(bound === undefined ? {} : { maxTokens: readPositive(bound, "generationConfig.maxOutputTokens") }),
        ...readSampling({
          temperature: config.temperature ?? null,
          top_p: field(config, "topP") ?? null,
          top_k: field(config, "topK") ?? null,
          seed: config.seed ?? null,
        }),
        ...(stopSequences === undefined ? {} : { stopSequences }),
        ...(toolChoice === undefined ? {} : { toolChoice }),
        ...(providerTools.length === 0 ? {} : { providerTools }),
        ...(thinking === undefined ? {} : { thinking }),
        ...(output === undefined ? {} : { output }),
      };
      return { request, stream: false };
    },
    DROPPED,
  );
}

/** Sound and video stay as they are, with all that is said of them. */
function isNoOpaque(part: JsonObject): boolean {
  const media = asObject(field(part, "inlineData")) ?? asObject(field(part, "fileData"));
  return media === undefined || isCarriedType(asText(field(media, "mimeType")) ?? "");
}
/** Documents keep their names, as titles. */
const isImage = (media: JsonObject) => (asText(field(media, "mimeType")) ?? "").startsWith("image/");
/** To wait for a function is what everybody does. */
const isUsualBehavior = (value: JsonValue) => value === "UNSPECIFIED" || value === "BLOCKING";
const isUnspecified = (value: JsonValue) => /_UNSPECIFIED"/.test(JSON.stringify(value));

const DROPPED: readonly DroppedField[] = [
  { path: ["contents", "parts", "mediaResolution"], neutral: isUnspecified, of: isNoOpaque },
  { path: ["contents", "parts", "videoMetadata"], of: isNoOpaque },
  { path: ["contents", "parts", "inlineData", "displayName"], of: isImage },
  { path: ["contents", "parts", "fileData", "displayName"], of: isImage },
  { path: ["contents", "parts", "functionResponse", "scheduling"], neutral: isUnspecified },
  { path: ["contents", "parts", "functionResponse", "willContinue"] },
  { path: ["tools", "functionDeclarations", "behavior"], neutral: isUsualBehavior },
  { path: ["tools", "functionDeclarations", "response"] },
  { path: ["tools", "functionDeclarations", "responseJsonSchema"] },
].map((dropped) => ({ ...dropped, alias: dropped.path.map(snakeCase) }));

type Tools = { tools: ToolDefinition[]; providerTools: ProviderTool[]; toolChoice?: ToolChoice };

/** Functions, and the provider's own tools, which are passed on one by one. */
function readTools(json: JsonObject, watched: Watch): Tools {
  const tools: ToolDefinition[] = [];
  const providerTools: ProviderTool[] = [];
  for (const [index, value] of readArray(json.tools ?? [], "tools").entries()) {
    for (const [key, definition] of Object.entries(readObject(value, `tools.${index}`))) {
      if (key !== "functionDeclarations" && key !== "function_declarations") {
        providerTools.push({ dialect: "gemini", definition: { [key]: definition } });
        continue;
      }
      for (const [at, item] of readArray(definition, `tools.${index}.functionDeclarations`).entries()) {
        tools.push(readFunction(item, `tools.${index}.functionDeclarations.${at}`));
      }
    }
  }
  const config = watched(readObject(field(json, "toolConfig") ?? {}, "toolConfig"), "toolConfig");
  // That what the provider's tools did is shown goes without saying wherever they are.
  field(config, "includeServerSideToolInvocations");
  const path = "toolConfig.functionCallingConfig";
  return chosen(watched(readObject(field(config, "functionCallingConfig") ?? {}, path), path), tools, providerTools);
}

function readFunction(value: JsonValue, path: string): ToolDefinition {
  const declaration = readObject(value, path);
  return {
    name: readName(declaration.name, `${path}.name`),
    description: asText(declaration.description) ?? "",
    inputSchema: readSchema(declaration, "parameters", "parametersJsonSchema") ?? { type: "object", properties: {} },
  };
}

/**
 * ANY with names leaves only these to choose from, which is what the others lose their place for. VALIDATED is AUTO that
 * holds the arguments to their schemas.
 */
function chosen(config: JsonObject, tools: ToolDefinition[], providerTools: ProviderTool[]): Tools {
  const path = "toolConfig.functionCallingConfig.allowedFunctionNames";
  const names = readArray(field(config, "allowedFunctionNames") ?? [], path).map((name, at) =>
    readName(name, `${path}.${at}`),
  );
  const allowed = names.length === 0 ? tools : tools.filter(({ name }) => names.includes(name));
  if (names.length > 0 && allowed.length === 0) refuse(path, "name no function of this request");
  const [only] = names;
  switch (config.mode) {
    case undefined:
    case "MODE_UNSPECIFIED":
      return { tools, providerTools };
    case "AUTO":
      return { tools, providerTools, toolChoice: { type: "auto" } };
    case "NONE":
      return { tools, providerTools, toolChoice: { type: "none" } };
    case "ANY":
      if (names.length === 1 && only !== undefined)
        return { tools, providerTools, toolChoice: { type: "tool", name: only } };
      return { tools: allowed, providerTools, toolChoice: { type: "required" } };
    case "VALIDATED":
      return { tools: allowed.map((tool) => ({ ...tool, strict: true })), providerTools, toolChoice: { type: "auto" } };
    default:
      return refuseValue("toolConfig.functionCallingConfig.mode", config.mode);
  }
}

function readFormat(config: JsonObject): OutputFormat | undefined {
  const candidates = field(config, "candidateCount");
  if (candidates !== undefined && asNumber(candidates) !== 1) refuse("generationConfig.candidateCount", "must be 1");
  const modalities = readArray(field(config, "responseModalities") ?? [], "generationConfig.responseModalities");
  for (const modality of modalities) {
    if (modality !== "TEXT") refuseValue("generationConfig.responseModalities", modality);
  }
  for (const name of FORBIDDEN_CONFIG) {
    if (field(config, name) !== undefined)
      refuse(`generationConfig.${name}`, "is not supported for a model of another provider");
  }
  const mimeType = field(config, "responseMimeType") ?? "text/plain";
  if (mimeType === "text/plain") return undefined;
  if (mimeType !== "application/json") refuseValue("generationConfig.responseMimeType", mimeType);
  const schema = readSchema(config, "responseSchema", "responseJsonSchema");
  return schema === undefined ? { type: "json" } : { type: "json_schema", name: "answer", schema, strict: true };
}

function readStop(value: JsonValue | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  const path = "generationConfig.stopSequences";
  return readArray(value, path).map((text, index) => readString(text, `${path}.${index}`));
}
