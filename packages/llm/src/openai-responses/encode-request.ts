import type { JsonObject, LlmRequest, OutputFormat, ToolChoice, ToolDefinition } from "@loom/core";
import { boundedId } from "../bounded-id.ts";
import { brokenCallsLeftOut } from "../broken-call.ts";
import type { EncodedRequest } from "../codec.ts";
import { askedThinkingLeftOut, thinkingLeftOut } from "../earlier-thinking.ts";
import { hintsLeftOut } from "../hints.ts";
import { ownTools } from "../own-words.ts";
import { prefillLeftOut } from "../prefill.ts";
import { refuse, writeRequest } from "../request-problem.ts";
import { samplingLeftOut, samplingToWire } from "../sampling.ts";
import { isStrictForOpenAi, strictnessLeftOut } from "../strict-schema.ts";
import { titlesLeftOut } from "../titles.ts";
import { chosenSearch, WEB_SEARCH } from "../web-search.ts";
import { canThink, reasoningToWire, thinksAt } from "./effort.ts";
import { inputToWire, isOwnThinking, MAX_ID_LENGTH } from "./encode-input.ts";

/** Less is refused. */
const MIN_OUTPUT_TOKENS = 16;

/**
 * The body of `POST /v1/responses`: https://platform.openai.com/docs/api-reference/responses/create
 *
 * Nothing is stored at the provider, so thoughts come and go encrypted. Left out, as hints without a counterpart: `topK`,
 * `seed`, and cache markers, since this provider caches by itself. Stop sequences are refused, and so are temperature and
 * `topP` by models that think: those are left out there.
 */
export function encodeRequest(request: LlmRequest, { stream }: { readonly stream: boolean }): EncodedRequest {
  return writeRequest(
    (leaveOut) => {
      const { model, system, tools, toolChoice, output, maxTokens, userId, cacheKey } = request;
      if ((request.stopSequences ?? []).length > 0) refuse("stopSequences", "cannot be asked of OpenAI Responses");
      const hasOnlySystem = request.messages.length === 0 && system !== "";
      const reasoning = reasoningToWire(model, request.thinking);
      const sampling = thinksAt(model, reasoning?.effort) ? {} : samplingToWire(request);
      leaveOut(...samplingLeftOut(request, sampling));
      const wireTools = [...tools.map(toolToWire), ...ownTools(request.providerTools, "responses")];
      return {
        model,
        ...(system === "" || hasOnlySystem ? {} : { instructions: system }),
        // There has to be some.
        input: hasOnlySystem
          ? [{ type: "message", role: "developer", content: system }]
          : inputToWire(request.messages),
        ...(wireTools.length === 0 ? {} : { tools: wireTools }),
        ...(toolChoice === undefined ? {} : { tool_choice: choiceToWire(toolChoice, request) }),
        ...(request.parallelToolCalls === undefined ? {} : { parallel_tool_calls: request.parallelToolCalls }),
        ...(reasoning === undefined ? {} : { reasoning }),
        ...(output === undefined ? {} : { text: { format: formatToWire(output) } }),
        ...(maxTokens === undefined ? {} : { max_output_tokens: Math.max(maxTokens, MIN_OUTPUT_TOKENS) }),
        ...sampling,
        ...(userId === undefined ? {} : { safety_identifier: boundedId(userId, MAX_ID_LENGTH) }),
        ...(cacheKey === undefined ? {} : { prompt_cache_key: boundedId(cacheKey, MAX_ID_LENGTH) }),
        store: false,
        ...(canThink(model) ? { include: ["reasoning.encrypted_content"] } : {}),
        ...(stream ? { stream } : {}),
      };
    },
    [
      ...brokenCallsLeftOut(request.messages),
      ...prefillLeftOut(request.messages),
      ...thinkingLeftOut(request.messages, isOwnThinking),
      ...askedThinkingLeftOut(request, { thinks: canThink(request.model) }),
      ...strictnessLeftOut(request, isStrictForOpenAi),
      ...titlesLeftOut(request.messages, ({ type }) => type === "text" || type === "base64"),
      ...hintsLeftOut(request, ["user", "prompt_cache_key"]),
    ],
  );
}

/** Strictness is always said: this API holds to the schema, and changes it, where it is not told otherwise. */
function toolToWire({ name, description, inputSchema, strict = false }: ToolDefinition): JsonObject {
  return {
    type: "function",
    name,
    description,
    parameters: inputSchema,
    strict: strict && isStrictForOpenAi(inputSchema),
  };
}

function choiceToWire(choice: ToolChoice, request: LlmRequest): JsonObject | string {
  const search = chosenSearch(request);
  if (search !== undefined) {
    const type = search.dialect === "responses" ? search.definition.type : undefined;
    return { type: type ?? WEB_SEARCH };
  }
  return choice.type === "tool" ? { type: "function", name: choice.name } : choice.type;
}

function formatToWire(output: OutputFormat): JsonObject {
  if (output.type === "json") return { type: "json_object" };
  const { type, name, schema, strict, description } = output;
  return {
    type,
    name,
    schema,
    ...(strict === undefined ? {} : { strict: strict && isStrictForOpenAi(schema) }),
    ...(description === undefined ? {} : { description }),
  };
}
