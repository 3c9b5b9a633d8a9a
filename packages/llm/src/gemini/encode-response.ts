import type { JsonObject, LlmResponse } from "@loom/core";
import type { AnswerIdentity } from "../codec.ts";
import { derivedId } from "../derived-id.ts";
import { chunkToWire, modelOf, partsToWire } from "./answer-to-wire.ts";
import { finishReasonToWire } from "./finish-reason.ts";
import { usageToWire } from "./usage.ts";

/** An answer in one piece. */
export function encodeResponse(response: LlmResponse, identity: AnswerIdentity = {}): JsonObject {
  const { message, stopReason, usage, model } = response;
  const candidate = {
    parts: partsToWire(message.content, identity.origin),
    finishReason: finishReasonToWire(stopReason),
  };
  return chunkToWire(answerId(identity, response), modelOf(model, identity), candidate, usageToWire(usage));
}

/** `first` is what is known of the answer when its id is needed. */
export function answerId({ id }: AnswerIdentity, first: object): string {
  return id ?? derivedId(JSON.stringify(first));
}
