import type { AssistantContent, JsonObject, JsonValue, LlmEvent } from "@loom/core";
import { asObject, asText, parseJson } from "../json-reader.ts";
import { toolUseFromText } from "../tool-input.ts";

const DIALECT = "anthropic";

/** One content block of an answer while it grows. `start` is the block as `content_block_start` gives it. */
export type AnswerBlock = {
  /** What a `content_block_delta` adds; the event for it, if it is one for eyes. Deltas of other kinds are ignored. */
  add(delta: JsonObject): LlmEvent | undefined;
  /** What `start` already held, as an event. */
  readonly opening: LlmEvent | undefined;
  /** The block as it stands; `undefined` where there is nothing to keep. */
  content(): AssistantContent | undefined;
};

/**
 * `fallbackId` names a tool call that came without an id. Blocks that Loom has no word for (tools that run at the
 * provider, their results, and whatever comes next) are kept as they are; what is no block gives `undefined`.
 */
export function openBlock(start: JsonObject, fallbackId: string): AnswerBlock | undefined {
  switch (start.type) {
    case "text":
      return textBlock(text(start.text));
    case "thinking":
      return thinkingBlock(text(start.thinking), text(start.signature));
    case "redacted_thinking":
      return redactedBlock(text(start.data));
    case "tool_use":
      return toolBlock(asText(start.id) ?? fallbackId, text(start.name), start.input);
    default:
      return asText(start.type) === undefined ? undefined : opaqueBlock(start);
  }
}

/** A block for a delta that no `content_block_start` announced: its words are not lost. */
export function openUnannounced(delta: JsonObject): AnswerBlock | undefined {
  if (delta.type === "text_delta") return textBlock("");
  return delta.type === "thinking_delta" ? thinkingBlock("", "") : undefined;
}

function textBlock(start: string): AnswerBlock {
  let whole = start;
  return {
    opening: start === "" ? undefined : { type: "text_delta", text: start },
    add(delta) {
      const more = delta.type === "text_delta" ? text(delta.text) : "";
      whole += more;
      return more === "" ? undefined : { type: "text_delta", text: more };
    },
    content: () => (whole === "" ? undefined : { type: "text", text: whole }),
  };
}

function thinkingBlock(start: string, startSignature: string): AnswerBlock {
  let whole = start;
  let signature = startSignature;
  return {
    opening: start === "" ? undefined : { type: "thinking_delta", text: start },
    add(delta) {
      // The signature comes in one piece; the last one wins, as in the provider's own client.
      if (delta.type === "signature_delta") {
        signature = text(delta.signature);
        return signature === "" ? undefined : { type: "thinking_signature", signature, dialect: DIALECT };
      }
      const more = delta.type === "thinking_delta" ? text(delta.thinking) : "";
      whole += more;
      return more === "" ? undefined : { type: "thinking_delta", text: more };
    },
    content() {
      if (signature !== "") return { type: "thinking", text: whole, signature, dialect: DIALECT };
      return whole === "" ? undefined : { type: "thinking", text: whole };
    },
  };
}

function redactedBlock(data: string): AnswerBlock {
  return {
    opening: data === "" ? undefined : { type: "thinking_redacted", data, dialect: DIALECT },
    add: () => undefined,
    content: () => (data === "" ? undefined : { type: "thinking", text: "", redactedData: data, dialect: DIALECT }),
  };
}

/**
 * A block as the provider's own client would put it together: fragments of arguments become the input, texts are joined,
 * and any other value of a delta replaces the one before.
 */
function opaqueBlock(start: JsonObject): AnswerBlock {
  const data: Record<string, JsonValue> = { ...start };
  let json = "";
  return {
    opening: undefined,
    add({ type, ...delta }) {
      if (type === "input_json_delta") json += text(delta.partial_json);
      else for (const [name, value] of Object.entries(delta)) data[name] = joined(data[name], value);
      return undefined;
    },
    content() {
      const input = json === "" ? undefined : parseJson(json);
      return { type: "opaque", dialect: DIALECT, data: input === undefined ? data : { ...data, input } };
    },
  };
}

function joined(before: JsonValue | undefined, value: JsonValue): JsonValue {
  return typeof before === "string" && typeof value === "string" ? before + value : value;
}

function toolBlock(callId: string, name: string, startInput: JsonValue | undefined): AnswerBlock {
  let json = "";
  return {
    opening: { type: "tool_call_delta", callId, name, argumentsFragment: "" },
    add(delta) {
      const more = delta.type === "input_json_delta" ? text(delta.partial_json) : "";
      json += more;
      return more === "" ? undefined : { type: "tool_call_delta", callId, name, argumentsFragment: more };
    },
    content() {
      // Some servers give the whole input at the start and no deltas.
      if (json === "") return toolUse(callId, name, startInput);
      return toolUseFromText(callId, name, json);
    },
  };
}

/** A tool call whose input came as a value and not as text. */
function toolUse(id: string, name: string, input: JsonValue | undefined): AssistantContent {
  const object = asObject(input);
  if (object !== undefined) return { type: "tool_use", id, name, input: object };
  return toolUseFromText(id, name, typeof input === "string" ? input : JSON.stringify(input ?? {}));
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
