import type { AssistantMessage, JsonObject, LlmResponse, ToolUseBlock } from "@loom/core";
import type { AnswerIdentity } from "../codec.ts";
import { derivedId } from "../derived-id.ts";
import { saidOfPart } from "../foreign-part.ts";
import { toolInputText } from "../tool-input.ts";
import { finishReasonToWire } from "./finish-reason.ts";
import { usageToWire } from "./usage.ts";

/** An answer in one piece, `chat.completion`. Thinking goes out as `reasoning_content`, which OpenAI's own SDK ignores. */
export function encodeResponse(response: LlmResponse, identity: AnswerIdentity = {}): JsonObject {
  const { text, thinking, calls } = partsOf(response.message);
  const message: JsonObject = {
    role: "assistant",
    content: text === "" ? null : text,
    refusal: null,
    ...(thinking === "" ? {} : { reasoning_content: thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(callToWire) }),
  };
  return {
    ...envelope(identity, response, response.model),
    object: "chat.completion",
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReasonToWire(response.stopReason) }],
    usage: usageToWire(response.usage),
  };
}

function callToWire(call: ToolUseBlock): JsonObject {
  return { id: call.id, type: "function", function: { name: call.name, arguments: toolInputText(call) } };
}

/** What every chunk and every answer has. `first` is what is known of the answer when its id is needed. */
export function envelope({ id, model = "", createdMs = 0 }: AnswerIdentity, first: object, answered = ""): JsonObject {
  return {
    id: `chatcmpl-${id ?? derivedId(JSON.stringify(first))}`,
    created: Math.floor(createdMs / 1000),
    model: answered || model,
  };
}

/** The message as this dialect has it: one text, one thought and calls. Of what only another knows it is told in the text. */
export function partsOf({ content }: AssistantMessage): { text: string; thinking: string; calls: ToolUseBlock[] } {
  let text = "";
  let thinking = "";
  const calls: ToolUseBlock[] = [];
  for (const block of content) {
    if (block.type === "text") text += block.text;
    else if (block.type === "thinking") thinking += block.text;
    else if (block.type === "tool_use") calls.push(block);
    else text += saidOfPart(block);
  }
  return { text, thinking, calls };
}
