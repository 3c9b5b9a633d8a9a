import type {
  AssistantContent,
  JsonObject,
  LlmEvent,
  LlmResponse,
  ThinkingBlock,
  ToolUseBlock,
  Usage,
} from "@loom/core";
import { NO_USAGE } from "@loom/core";
import type { AnswerIdentity, LlmStreamEncoder } from "../codec.ts";
import { toolInputText } from "../tool-input.ts";
import { assistantBlockToWire } from "./block-to-wire.ts";
import { messageId } from "./encode-response.ts";
import { failureToWire } from "./failure.ts";
import { stopReasonToWire } from "./stop-reason.ts";
import { usageToWire } from "./usage.ts";

/** The block that is being written. `sent` says whether anything of a tool's arguments went out. */
type OpenBlock =
  | { readonly type: "text" | "thinking" }
  | { readonly type: "tool_use"; readonly callId: string; sent: boolean };

const PING = wireEvent({ type: "ping" });

/**
 * Loom's events as the provider's stream: blocks one after the other, each opened, filled and closed.
 *
 * Text, thinking and the first tool call go out as they come. Once a tool call is open, everything else waits for
 * `completed`, which has it all: other calls may come interleaved, and a closed block cannot be opened again. What a
 * client hears meanwhile is a `ping`. A signature is known at the end only, so thinking that is followed by live text goes
 * out without one.
 */
export class AnthropicStreamEncoder implements LlmStreamEncoder {
  readonly #identity: AnswerIdentity;
  #started = false;
  #ended = false;
  #open: OpenBlock | undefined;
  #index = -1;
  #sentText = 0;
  #sentThinking = 0;

  constructor(identity: AnswerIdentity = {}) {
    this.#identity = identity;
  }

  push(events: readonly LlmEvent[]): string {
    let out = "";
    for (const event of events) {
      if (this.#ended) break;
      out += this.#encode(event);
    }
    return out === "" && events.length > 0 && this.#open?.type === "tool_use" ? PING : out;
  }

  #encode(event: LlmEvent): string {
    switch (event.type) {
      case "text_delta":
        if (event.text === "" || this.#open?.type === "tool_use") return "";
        this.#sentText += event.text.length;
        return this.#start(event) + this.#switchTo("text") + this.#delta("text_delta", "text", event.text);
      case "thinking_delta":
        if (event.text === "" || this.#open?.type === "tool_use") return "";
        this.#sentThinking += event.text.length;
        return this.#start(event) + this.#switchTo("thinking") + this.#delta("thinking_delta", "thinking", event.text);
      case "tool_call_delta":
        return this.#start(event) + this.#toolDelta(event.callId, event.name, event.argumentsFragment);
      case "thinking_signature":
        return "";
      case "completed":
        return this.#complete(event.response);
      case "error":
        this.#ended = true;
        return wireEvent(failureToWire(event.error));
    }
  }

  #start(first: object, model = this.#identity.model ?? "", usage: Usage = NO_USAGE): string {
    if (this.#started) return "";
    this.#started = true;
    const message: JsonObject = {
      id: messageId(this.#identity, first),
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: usageToWire(usage),
    };
    return wireEvent({ type: "message_start", message });
  }

  #toolDelta(callId: string, name: string, fragment: string): string {
    let out = "";
    if (this.#open?.type !== "tool_use") out = this.#openTool({ type: "tool_use", id: callId, name, input: {} });
    const open = this.#open;
    if (open?.type !== "tool_use" || open.callId !== callId || fragment === "") return out;
    open.sent = true;
    return out + this.#delta("input_json_delta", "partial_json", fragment);
  }

  #complete(response: LlmResponse): string {
    this.#ended = true;
    const { content } = response.message;
    const model = response.model === "" ? this.#identity.model : response.model;
    let out = this.#start(response, model, response.usage);
    const open = this.#open;
    const openCall = open?.type === "tool_use" ? content.find((block) => isCall(block, open.callId)) : undefined;
    if (open?.type === "tool_use" && openCall?.type === "tool_use" && !open.sent) out += this.#toolInput(openCall);
    if (open?.type === "tool_use") out += this.#close();
    for (const block of content) if (block !== openCall) out += this.#rest(block);
    const delta = { stop_reason: stopReasonToWire(response.stopReason), stop_sequence: null };
    out += this.#close();
    out += wireEvent({ type: "message_delta", delta, usage: usageToWire(response.usage) });
    return out + wireEvent({ type: "message_stop" });
  }

  /** What of a block of the whole answer has not gone out yet. */
  #rest(block: AssistantContent): string {
    switch (block.type) {
      case "text": {
        const fresh = block.text.slice(this.#sentText);
        const goesOn = this.#sentText > 0;
        this.#sentText -= block.text.length - fresh.length;
        if (fresh === "") return "";
        return (goesOn ? this.#switchTo("text") : this.#openBlock("text")) + this.#delta("text_delta", "text", fresh);
      }
      case "thinking":
        return block.redactedData === undefined ? this.#restOfThinking(block) : this.#wholeBlock(block);
      case "tool_use":
        return this.#openTool(block) + this.#toolInput(block);
      case "opaque":
        return "";
    }
  }

  #restOfThinking(block: ThinkingBlock): string {
    const fresh = block.text.slice(this.#sentThinking);
    const goesOn = block.text !== "" && this.#sentThinking > 0;
    this.#sentThinking -= block.text.length - fresh.length;
    if (goesOn && fresh === "" && this.#open?.type !== "thinking") return "";
    let out = goesOn ? this.#switchTo("thinking") : this.#openBlock("thinking");
    if (fresh !== "") out += this.#delta("thinking_delta", "thinking", fresh);
    if (block.signature !== undefined) out += this.#delta("signature_delta", "signature", block.signature);
    return out + this.#close();
  }

  #switchTo(type: "text" | "thinking"): string {
    return this.#open?.type === type ? "" : this.#openBlock(type);
  }

  #openBlock(type: "text" | "thinking"): string {
    return this.#openWith({ type }, type === "text" ? EMPTY_TEXT : EMPTY_THINKING);
  }

  #openTool(call: ToolUseBlock): string {
    return this.#openWith(
      { type: "tool_use", callId: call.id, sent: false },
      assistantBlockToWire({ ...call, input: {} }),
    );
  }

  #wholeBlock(block: ThinkingBlock): string {
    return this.#openWith({ type: "thinking" }, assistantBlockToWire(block)) + this.#close();
  }

  #toolInput(call: ToolUseBlock): string {
    return this.#delta("input_json_delta", "partial_json", toolInputText(call));
  }

  #openWith(open: OpenBlock, contentBlock: JsonObject): string {
    const closing = this.#close();
    this.#open = open;
    this.#index += 1;
    return closing + wireEvent({ type: "content_block_start", index: this.#index, content_block: contentBlock });
  }

  #close(): string {
    if (this.#open === undefined) return "";
    this.#open = undefined;
    return wireEvent({ type: "content_block_stop", index: this.#index });
  }

  /** The one that comes by the thousand, so written out. */
  #delta(type: string, field: string, value: string): string {
    const delta = `{"type":"${type}","${field}":${JSON.stringify(value)}}`;
    return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.#index},"delta":${delta}}\n\n`;
  }
}

const EMPTY_TEXT: JsonObject = { type: "text", text: "" };
const EMPTY_THINKING: JsonObject = { type: "thinking", thinking: "", signature: "" };

function isCall(block: AssistantContent, callId: string): boolean {
  return block.type === "tool_use" && block.id === callId;
}

function wireEvent(data: JsonObject): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}
