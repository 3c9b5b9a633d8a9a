import type { JsonObject, LlmRequest, OutputFormat } from "@loom/core";
import { boundedId } from "../bounded-id.ts";
import { quote } from "../quote.ts";
import { refuse } from "../request-problem.ts";
import { heldSchema } from "./held-schema.ts";
import { type ModelTraits, traitsOf } from "./model-traits.ts";
import { thinkingToWire } from "./thinking-to-wire.ts";

const MAX_USER_ID = 256;

/** Everything of a request but its model, its tools and the conversation. What it leaves out is in `carried.ts`. */
export function settingsToWire(request: LlmRequest): JsonObject {
  const traits = traitsOf(request.model);
  const { thinking, effort } = thinkingToWire(request, traits);
  const format = request.output === undefined ? undefined : formatToWire(request.output);
  return {
    ...thinking,
    ...(effort === undefined && format === undefined
      ? {}
      : {
          output_config: { ...(effort === undefined ? {} : { effort }), ...(format === undefined ? {} : { format }) },
        }),
    ...samplingToWire(takenSampling(request, traits, thinking)),
    ...stopToWire(request.stopSequences),
    ...toolChoiceToWire(request, traits),
    ...(request.userId === undefined ? {} : { metadata: { user_id: boundedId(request.userId, MAX_USER_ID) } }),
  };
}

/** What of it the provider would refuse, and does not hear of, or not as it was asked. */
export function settingsLeftOut(request: LlmRequest): string[] {
  const traits = traitsOf(request.model);
  const { thinking, isLeftOut } = thinkingToWire(request, traits);
  const taken = takenSampling(request, traits, thinking);
  const { temperature = 1, topP = 1, topK, seed } = request;
  return [
    ...(isLeftOut === true ? ["thinking"] : []),
    ...(temperature !== 1 && !(taken.temperature !== undefined && temperature < 1) ? ["temperature"] : []),
    ...(topP !== 1 && taken.topP === undefined ? ["top_p"] : []),
    ...(topK !== undefined && taken.topK === undefined ? ["top_k"] : []),
    ...(seed === undefined ? [] : ["seed"]),
  ];
}

type Sampling = Pick<LlmRequest, "temperature" | "topP" | "topK">;

/** A model that thinks takes no sampling parameters; some that do not take one of two, and then the one that says more. */
function takenSampling(
  { temperature, topP, topK }: LlmRequest,
  traits: ModelTraits,
  { thinking }: JsonObject,
): { readonly [Key in keyof Sampling]: Sampling[Key] | undefined } {
  if (!traits.sampling || thinking !== undefined) return {};
  return { temperature, topP: traits.bothSamplers || temperature === undefined ? topP : undefined, topK };
}

function formatToWire(output: OutputFormat): JsonObject {
  if (output.type === "json") {
    refuse("output", "asks for JSON without a schema, which Anthropic Messages cannot promise: give a JSON schema");
  }
  const { schema, description } = output;
  const held = heldSchema(schema);
  if (!held.ok) refuse("output", held.problem);
  const described = description === undefined || "description" in held.schema ? {} : { description };
  return { type: "json_schema", schema: { ...held.schema, ...described } };
}

function samplingToWire({ temperature, topP, topK }: ReturnType<typeof takenSampling>): JsonObject {
  return {
    ...(temperature === undefined ? {} : { temperature: Math.min(temperature, 1) }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(topK === undefined ? {} : { top_k: topK }),
  };
}

function stopToWire(sequences: LlmRequest["stopSequences"]): JsonObject {
  if (sequences === undefined || sequences.length === 0) return {};
  const blank = sequences.findIndex((sequence) => sequence.trim() === "");
  if (blank >= 0) refuse(`stopSequences.${blank}`, "is white space only, which Anthropic Messages does not stop at");
  return { stop_sequences: sequences };
}

/** The provider takes a choice only where there are tools to choose from. */
function toolChoiceToWire(
  { model, tools, providerTools = [], toolChoice, parallelToolCalls }: LlmRequest,
  { forcedTools }: ModelTraits,
): JsonObject {
  const atMostOne = parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  const forced = toolChoice?.type === "required" || toolChoice?.type === "tool";
  if (tools.length + providerTools.length === 0) {
    return forced ? refuse("toolChoice", "asks for a tool, and there is none") : {};
  }
  if (forced && !forcedTools) {
    refuse("toolChoice", `asks for a call, which ${quote(model)} cannot be made to do: let the model choose`);
  }
  switch (toolChoice?.type) {
    case undefined:
      return parallelToolCalls === false ? { tool_choice: { type: "auto", ...atMostOne } } : {};
    case "none":
      return { tool_choice: { type: "none" } };
    case "auto":
      return { tool_choice: { type: "auto", ...atMostOne } };
    case "required":
      return { tool_choice: { type: "any", ...atMostOne } };
    case "tool":
      return { tool_choice: { type: "tool", name: toolChoice.name, ...atMostOne } };
  }
}
