import type { JsonObject, LlmResponse } from "@loom/core";
import type { AnswerIdentity } from "../codec.ts";
import { derivedId } from "../derived-id.ts";
import { answerBlockToWire } from "./block-to-wire.ts";
import { stopReasonToWire } from "./stop-reason.ts";
import { usageToWire } from "./usage.ts";

/** An answer in one piece, as the provider itself would give it. */
export function encodeResponse(response: LlmResponse, identity: AnswerIdentity = {}): JsonObject {
  const { message, model, stopReason, usage } = response;
  return {
    id: messageId(identity, response),
    type: "message",
    role: "assistant",
    model: model === "" ? (identity.model ?? "") : model,
    content: message.content
      .map((block) => answerBlockToWire(block, identity.origin))
      .filter((block) => block !== undefined),
    stop_reason: stopReasonToWire(stopReason),
    stop_sequence: null,
    usage: usageToWire(usage),
  };
}

/** `first` is what is known of the answer when its id is needed. */
export function messageId({ id }: AnswerIdentity, first: object): string {
  return `msg_${id ?? derivedId(JSON.stringify(first))}`;
}
