import type { JsonObject, LlmRequest, OutputFormat, ToolChoice } from "@loom/core";
import { boundedId } from "../bounded-id.ts";
import { thinksAt } from "../openai-responses/effort.ts";
import { quote } from "../quote.ts";
import { refuse, refuseMoreStops } from "../request-problem.ts";
import { samplingToWire } from "../sampling.ts";
import { isStrictForOpenAi } from "../strict-schema.ts";
import type { OpenAiChatOptions } from "./options.ts";
import { thinkingToWire } from "./thinking-to-wire.ts";

const MAX_USER_ID = 64;

/** Everything of a request but its model, its tools and the conversation. What it leaves out is in `carried.ts`. */
export function settingsToWire(request: LlmRequest, options: OpenAiChatOptions): JsonObject {
  const { userId, cacheKey, topK, seed, output } = request;
  const { body: thinking } = thinkingToWire(request, options);
  const thinks = thinksAt(request.model, thinking.reasoning_effort);
  return {
    ...(thinks ? {} : samplingToWire(request)),
    ...(topK === undefined || options.topK !== true ? {} : { top_k: topK }),
    ...stopToWire(request, thinks, options),
    ...(seed === undefined ? {} : { seed }),
    ...thinking,
    ...(output === undefined ? {} : { response_format: formatToWire(output) }),
    ...toolChoiceToWire(request),
    ...(userId === undefined ? {} : { user: boundedId(userId, MAX_USER_ID) }),
    ...(cacheKey === undefined || !options.cacheKey ? {} : { prompt_cache_key: boundedId(cacheKey, MAX_USER_ID) }),
  };
}

/** An answer that goes on where it was to stop is another one, so that nothing of it is left out. */
function stopToWire(
  { model, stopSequences = [] }: LlmRequest,
  thinks: boolean,
  { mostStops }: OpenAiChatOptions,
): JsonObject {
  if (stopSequences.length === 0) return {};
  if (thinks) {
    refuse("stopSequences", `cannot be asked of ${quote(model)} while it thinks: leave it out, or switch thinking off`);
  }
  refuseMoreStops(stopSequences, mostStops, "OpenAI Chat Completions");
  return { stop: stopSequences };
}

function formatToWire(output: OutputFormat): JsonObject {
  if (output.type === "json") return { type: "json_object" };
  const { type, strict, ...rest } = output;
  const name = rest.name.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64);
  const held = strict === undefined ? {} : { strict: strict && isStrictForOpenAi(rest.schema) };
  return { type, json_schema: { ...rest, name, ...held } };
}

/** The provider takes a choice only where there are tools to choose from. */
function toolChoiceToWire({ tools, providerTools = [], toolChoice, parallelToolCalls }: LlmRequest): JsonObject {
  if (tools.length + providerTools.length === 0) {
    const forced = toolChoice?.type === "required" || toolChoice?.type === "tool";
    return forced ? refuse("toolChoice", "asks for a tool, and there is none") : {};
  }
  return {
    ...(toolChoice === undefined ? {} : { tool_choice: choiceToWire(toolChoice) }),
    ...(parallelToolCalls === undefined ? {} : { parallel_tool_calls: parallelToolCalls }),
  };
}

function choiceToWire(choice: ToolChoice): string | JsonObject {
  return choice.type === "tool" ? { type: "function", function: { name: choice.name } } : choice.type;
}
