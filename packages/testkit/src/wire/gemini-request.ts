import type { AssistantContent, JsonObject, JsonValue, Message, ToolDefinition, UserContent } from "@loom/core";
import { asList, asObject, asText } from "../json-fields.ts";
import { type NormalizedRequest, normalizeRequest } from "../model/normalized-request.ts";
import { RefusedRequest } from "./dialect.ts";

const FUNCTION_NAME = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/;

/**
 * Reads `models/{model}:generateContent` as strictly as the provider does. `model` and `stream` stand in the path there;
 * whoever calls puts them into the body.
 */
export function readGeminiRequest(body: JsonObject): NormalizedRequest {
  const model = asText(body.model) ?? refuse("Model is not specified.");
  const contents = asList(body.contents) ?? [];
  if (contents.length === 0) refuse("* GenerateContentRequest.contents: contents is not specified");
  const config = asObject(body.generationConfig) ?? {};
  return normalizeRequest({
    dialect: "gemini",
    model,
    stream: body.stream === true,
    system: partsOf(asObject(body.systemInstruction ?? body.system_instruction) ?? {})
      .map((part) => asText(part.text) ?? "")
      .join("\n"),
    messages: readContents(contents.map((content) => asObject(content) ?? refuse("Invalid value at 'contents'."))),
    tools: (asList(body.tools) ?? []).flatMap(readTools),
    maxTokens: typeof config.maxOutputTokens === "number" ? config.maxOutputTokens : undefined,
  });
}

function refuse(message: string): never {
  throw new RefusedRequest(message);
}

function partsOf(content: JsonObject): readonly JsonObject[] {
  return (asList(content.parts) ?? []).map((part) => asObject(part) ?? refuse("Invalid value at 'parts'."));
}

function readTools(value: JsonValue): readonly ToolDefinition[] {
  const tool = asObject(value) ?? {};
  return (asList(tool.functionDeclarations ?? tool.function_declarations) ?? []).map((entry) => {
    const { name, description, parameters, parametersJsonSchema } = asObject(entry) ?? {};
    const text = asText(name) ?? "";
    if (!FUNCTION_NAME.test(text))
      refuse("* GenerateContentRequest.tools.function_declarations.name: Invalid function name.");
    const inputSchema = asObject(parametersJsonSchema) ?? asObject(parameters) ?? { type: "object", properties: {} };
    return { name: text, description: asText(description) ?? "", inputSchema };
  });
}

/** Calls have no ids here: an answer belongs to the call of its name that has waited longest. */
function readContents(contents: readonly JsonObject[]): readonly Message[] {
  const messages: Message[] = [];
  let open: { readonly id: string; readonly name: string }[] = [];
  let calls = 0;
  for (const content of contents) {
    const role = content.role ?? "user";
    const parts = partsOf(content);
    if (parts.length === 0) refuse("* GenerateContentRequest.contents.parts: must not be empty.");
    if (role === "model") {
      const assistant = parts.map((part) => readModelPart(part, () => `call_${++calls}`));
      open = assistant.flatMap((block) => (block.type === "tool_use" ? [{ id: block.id, name: block.name }] : []));
      messages.push({ role: "assistant", content: assistant });
      continue;
    }
    if (role !== "user" && role !== "function") refuse("Please use a valid role: user, model.");
    const answers = parts.filter((part) => part.functionResponse !== undefined).length;
    if (answers !== open.length) {
      refuse(
        "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
      );
    }
    messages.push({ role: "user", content: parts.map((part) => readUserPart(part, open)) });
    open = [];
  }
  return messages;
}

function readModelPart(part: JsonObject, nextId: () => string): AssistantContent {
  const call = asObject(part.functionCall);
  const signature = asText(part.thoughtSignature);
  if (call !== undefined) {
    const name = asText(call.name) ?? refuse("functionCall.name is missing.");
    return { type: "tool_use", id: nextId(), name, input: asObject(call.args) ?? {}, ...(signature && { signature }) };
  }
  const text = asText(part.text) ?? refuse("Invalid part of a model's content.");
  return part.thought === true ? { type: "thinking", text, ...(signature && { signature }) } : { type: "text", text };
}

function readUserPart(part: JsonObject, open: { readonly id: string; readonly name: string }[]): UserContent {
  const response = asObject(part.functionResponse);
  if (response !== undefined) {
    const index = open.findIndex(({ name }) => name === response.name);
    const [call] = index === -1 ? [] : open.splice(index, 1);
    if (call === undefined)
      return refuse(`No function call of the name ${String(response.name)} waits for a response.`);
    const { output, result, error } = asObject(response.response) ?? {};
    const value = output ?? result ?? error ?? response.response;
    const text = asText(value) ?? JSON.stringify(value ?? {});
    return {
      type: "tool_result",
      toolCallId: call.id,
      content: [{ type: "text", text }],
      isError: error !== undefined,
    };
  }
  const inline = asObject(part.inlineData ?? part.inline_data);
  const [mediaType, data] = [asText(inline?.mimeType ?? inline?.mime_type), asText(inline?.data)];
  if (mediaType !== undefined && data !== undefined) return { type: "image", mediaType, data };
  return { type: "text", text: asText(part.text) ?? refuse("Invalid part of a user's content.") };
}
