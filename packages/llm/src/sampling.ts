import type { JsonObject, LlmRequest } from "@loom/core";

type Sampling = Pick<LlmRequest, "temperature" | "topP" | "topK" | "seed">;

/** The two numbers that say how to choose among words in all dialects, as OpenAI spells them. */
export function samplingToWire({ temperature, topP }: Sampling): JsonObject {
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
  };
}

/** Of the numbers that a request has, those that its body has not, as `leftOut` names them. */
export function samplingLeftOut({ temperature, topP, topK, seed }: Sampling, body: JsonObject): string[] {
  const asked = { temperature, top_p: topP, top_k: topK, seed };
  return Object.entries(asked).flatMap(([name, value]) => (value === undefined || name in body ? [] : [name]));
}
