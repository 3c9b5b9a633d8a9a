import type { JsonObject, LlmRequest, OutputFormat, ToolChoice, ToolDefinition } from "@loom/core";
import { brokenCallsLeftOut } from "../broken-call.ts";
import type { EncodedRequest } from "../codec.ts";
import { askedThinkingLeftOut, thinkingLeftOut } from "../earlier-thinking.ts";
import { refuseWithoutUser } from "../first-message.ts";
import { hintsLeftOut } from "../hints.ts";
import { instructionsLeftOut } from "../later-instructions.ts";
import { ownTools } from "../own-words.ts";
import { prefillLeftOut } from "../prefill.ts";
import { refuse, refuseMoreStops, writeRequest } from "../request-problem.ts";
import { titlesLeftOut } from "../titles.ts";
import { chosenSearch } from "../web-search.ts";
import { contentsToWire, isOwnThinking } from "./encode-contents.ts";
import { traitsOf } from "./model-traits.ts";
import { parametersToWire, schemaToWire } from "./schema.ts";
import { thinkingToWire } from "./thinking-config.ts";

/** The provider has no switch for it, so the model is asked. */
const ONE_CALL = "Call at most one tool in an answer.";
/** More are refused: https://ai.google.dev/api/generate-content#generationconfig */
const MOST_STOPS = 5;

export type GeminiOptions = {
  /** Whether calls and results go with their ids. Vertex AI knows no such field, and refuses it. */
  readonly callIds: boolean;
  /** Whether the type of what lies at an address has to be said. Vertex AI does not look. */
  readonly typedAddresses: boolean;
};

/**
 * The body of `POST /v1beta/models/{model}:generateContent`: https://ai.google.dev/api/generate-content. Model and streaming
 * are in the path, and not in the body. Left out, as hints without a counterpart: `userId`, `cacheKey`, the name of an
 * output schema, and cache markers, since this provider caches by itself.
 */
export function encodeRequest(request: LlmRequest, options: GeminiOptions): EncodedRequest {
  return writeRequest(() => {
    refuseWithoutUser(request, "Gemini generateContent");
    const { model, system, messages, parallelToolCalls } = request;
    const instructions = parallelToolCalls === false && request.tools.length > 0 ? [system, ONE_CALL] : [system];
    const parts = instructions.filter((text) => text !== "").map((text) => ({ text }));
    return {
      contents: contentsToWire(messages, { ...traitsOf(model), ...options }),
      ...(parts.length === 0 ? {} : { systemInstruction: { parts } }),
      ...toolsToWire(request),
      generationConfig: configToWire(request),
    };
  }, [
    ...brokenCallsLeftOut(request.messages),
    ...instructionsLeftOut(request.messages),
    ...prefillLeftOut(request.messages),
    ...thinkingLeftOut(request.messages, isOwnThinking),
    ...askedThinkingLeftOut(request, { thinks: traitsOf(request.model).thinking.by !== "nothing" }),
    ...titlesLeftOut(request.messages, ({ type }) => type === "text"),
    ...hintsLeftOut(request, []),
  ]);
}

function toolsToWire(request: LlmRequest): JsonObject {
  const { tools, toolChoice, providerTools } = request;
  const own = ownTools(providerTools, "gemini");
  const functions = tools.length === 0 ? [] : [{ functionDeclarations: tools.map(functionToWire) }];
  const wireTools = [...functions, ...own];
  if (wireTools.length === 0) return {};
  if (chosenSearch(request) !== undefined) {
    refuse("toolChoice", "asks for a search of the web, which Gemini generateContent cannot be made to do");
  }
  const calling = callingToWire(tools, toolChoice);
  const toolConfig = {
    ...(calling === undefined ? {} : { functionCallingConfig: calling }),
    // Its own tools work beside functions only where the conversation shows what they did.
    ...(functions.length > 0 && own.length > 0 ? { includeServerSideToolInvocations: true } : {}),
  };
  return { tools: wireTools, ...(Object.keys(toolConfig).length === 0 ? {} : { toolConfig }) };
}

function functionToWire({ name, description, inputSchema }: ToolDefinition): JsonObject {
  return { name, description, parametersJsonSchema: parametersToWire(inputSchema) };
}

/** Where a call is a must, arguments are held to their schemas anyway. */
function callingToWire(tools: readonly ToolDefinition[], choice: ToolChoice | undefined): JsonObject | undefined {
  switch (choice?.type) {
    case "none":
      return { mode: "NONE" };
    case "required":
      return { mode: "ANY" };
    case "tool":
      return { mode: "ANY", allowedFunctionNames: [choice.name] };
    default:
      if (tools.some(({ strict }) => strict === true)) return { mode: "VALIDATED" };
      return choice === undefined ? undefined : { mode: "AUTO" };
  }
}

function configToWire(request: LlmRequest): JsonObject {
  const { maxTokens, temperature, topP, topK, seed, stopSequences = [], output } = request;
  refuseMoreStops(stopSequences, MOST_STOPS, "Gemini generateContent");
  const thinkingConfig = thinkingToWire(request.model, request.thinking, maxTokens);
  return {
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(topK === undefined ? {} : { topK }),
    ...(seed === undefined ? {} : { seed }),
    ...(stopSequences.length === 0 ? {} : { stopSequences }),
    ...(output === undefined ? {} : formatToWire(output)),
    ...(thinkingConfig === undefined ? {} : { thinkingConfig }),
  };
}

function formatToWire(output: OutputFormat): JsonObject {
  if (output.type === "json") return { responseMimeType: "application/json" };
  const { schema, description } = output;
  const described = description === undefined || "description" in schema ? schema : { ...schema, description };
  return { responseMimeType: "application/json", responseJsonSchema: schemaToWire(described) };
}
