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
import { brokenCallIn } from "../broken-call.ts";
import type { AnswerIdentity, LlmStreamEncoder } from "../codec.ts";
import { sealToClient, unsealedMark } from "../foreign-seal.ts";
import { JsonObjectEnd } from "../json-end.ts";
import { toolInputText } from "../tool-input.ts";
import { answerBlockToWire, thinkingToWire } from "./block-to-wire.ts";
import { messageId } from "./encode-response.ts";
import { failureToWire } from "./failure.ts";
import { stopReasonToWire } from "./stop-reason.ts";
import { usageToWire } from "./usage.ts";
import { WaitingDeltas } from "./waiting-deltas.ts";

/** The block that is being written. `sent` says whether anything of a tool's arguments went out, `end` when all did. */
type OpenBlock =
  | { readonly type: "text" }
  | { readonly type: "thinking"; sealed: boolean }
  | { readonly type: "tool_use"; readonly callId: string; readonly end: JsonObjectEnd; sent: boolean };

const PING = wireEvent({ type: "ping" });

/**
 * Loom's events as the provider's stream: blocks one after the other, each opened, filled and closed.
 *
 * Everything goes out as it comes, with one exception: while the arguments of a tool call are not whole, other calls and
 * texts wait for their end, since blocks cannot be interleaved and a closed one cannot be opened again. What a client
 * hears meanwhile is a `ping`. `completed` has the whole answer, and whatever of it did not go out yet follows then.
 */
export class AnthropicStreamEncoder implements LlmStreamEncoder {
  readonly #identity: AnswerIdentity;
  readonly #waiting = new WaitingDeltas();
  /** Calls whose blocks were opened. */
  readonly #calls = new Set<string>();
  /** Seals that went out live, until the whole answer comes to their thoughts. */
  readonly #seals: string[] = [];
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
    if (event.type === "completed") return this.#complete(event.response);
    if (event.type === "error") {
      this.#ended = true;
      return wireEvent(failureToWire(event.error));
    }
    const open = this.#open;
    const isOfOpenCall = open?.type === "tool_use" && event.type === "tool_call_delta" && event.callId === open.callId;
    if (open?.type === "tool_use" && !isOfOpenCall && !open.end.ended) {
      this.#waiting.add(event);
      return "";
    }
    switch (event.type) {
      case "text_delta":
        if (event.text === "") return "";
        this.#sentText += event.text.length;
        return this.#start(event) + this.#switchTo("text") + this.#delta("text_delta", "text", event.text);
      case "thinking_delta":
        if (event.text === "") return "";
        this.#sentThinking += event.text.length;
        return this.#start(event) + this.#switchTo("thinking") + this.#delta("thinking_delta", "thinking", event.text);
      case "thinking_signature": {
        const { signature, dialect = "anthropic" } = event;
        const seal = sealToClient({ signature, dialect }, "anthropic") ?? "";
        if (seal !== "") this.#seals.push(seal);
        return this.#start(event) + this.#seal(seal);
      }
      case "thinking_redacted": {
        const { data, dialect = "anthropic" } = event;
        const wire = thinkingToWire({ type: "thinking", text: "", redactedData: data, dialect });
        const seal = sealIn(wire);
        this.#seals.push(seal);
        if (wire.type !== "thinking") return this.#start(event) + this.#wholeBlock(wire);
        return this.#start(event) + this.#close() + this.#seal(seal);
      }
      case "tool_call_delta":
        return this.#start(event) + this.#toolDelta(event.callId, event.name, event.argumentsFragment);
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
    if (this.#open?.type !== "tool_use" || this.#open.callId !== callId) {
      // What comes for a closed block can only be white space.
      if (this.#calls.has(callId)) return "";
      out = this.#openTool(callId, name);
    }
    const open = this.#open;
    if (open?.type !== "tool_use" || fragment === "") return out;
    const wasWhole = open.end.ended;
    open.end.push(fragment);
    // `null` and its like are no arguments, or an error: only the whole answer tells.
    if (open.end.isObject) {
      open.sent = true;
      out += this.#delta("input_json_delta", "partial_json", fragment);
    }
    if (open.end.ended && !wasWhole) for (const delta of this.#waiting.take()) out += this.#encode(delta);
    return out;
  }

  #complete(response: LlmResponse): string {
    this.#ended = true;
    const problem = brokenCallIn(response);
    if (problem !== undefined) return wireEvent(failureToWire(problem));
    const { content } = response.message;
    const model = response.model === "" ? this.#identity.model : response.model;
    let out = this.#start(response, model, response.usage);
    const open = this.#open;
    if (open?.type === "tool_use") {
      const whole = content.find((block) => block.type === "tool_use" && block.id === open.callId);
      if (whole?.type === "tool_use" && !open.sent) out += this.#toolInput(whole);
      out += this.#close();
    }
    for (const block of content) out += this.#rest(block);
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
        return this.#restOfThinking(block);
      case "tool_use":
        return this.#calls.has(block.id) ? "" : this.#openTool(block.id, block.name) + this.#toolInput(block);
      case "opaque": {
        const whole = answerBlockToWire(block, this.#identity.origin);
        if (whole === undefined) return "";
        const { type, text } = whole;
        if (type !== "text" || typeof text !== "string") return this.#wholeBlock(whole);
        return this.#openBlock("text") + this.#delta("text_delta", "text", text) + this.#close();
      }
    }
  }

  #restOfThinking(block: ThinkingBlock): string {
    const wire = thinkingToWire(block, this.#identity.origin);
    if (wire.type !== "thinking") return this.#wasSealed(sealIn(wire)) ? "" : this.#wholeBlock(wire);
    const fresh = block.text.slice(this.#sentThinking);
    const goesOn = block.text !== "" && this.#sentThinking > 0;
    this.#sentThinking -= block.text.length - fresh.length;
    const signature = sealIn(wire);
    const wasSealed = this.#wasSealed(signature);
    if (wasSealed && fresh === "") return "";
    const seal = wasSealed ? "" : signature;
    // It went out without a seal, and a block after it: too late.
    if (goesOn && fresh === "" && this.#open?.type !== "thinking") return "";
    let out = goesOn ? this.#switchTo("thinking") : this.#openBlock("thinking");
    if (fresh !== "") out += this.#delta("thinking_delta", "thinking", fresh);
    return out + (seal === "" ? this.#close() : this.#seal(seal));
  }

  /** Whether this seal went out live; each time that it did counts once. */
  #wasSealed(seal: string): boolean {
    const at = this.#seals.indexOf(seal);
    if (at >= 0) this.#seals.splice(at, 1);
    return at >= 0;
  }

  /** Seals the thinking that is open, or thinking that is not shown, and closes it. */
  #seal(signature: string): string {
    if (signature === "") return "";
    const opening = this.#switchTo("thinking");
    if (this.#open?.type === "thinking") this.#open.sealed = true;
    return opening + this.#delta("signature_delta", "signature", signature) + this.#close();
  }

  #switchTo(type: "text" | "thinking"): string {
    return this.#open?.type === type ? "" : this.#openBlock(type);
  }

  #openBlock(type: "text" | "thinking"): string {
    if (type === "text") return this.#openWith({ type }, EMPTY_TEXT);
    return this.#openWith({ type, sealed: false }, EMPTY_THINKING);
  }

  #openTool(callId: string, name: string): string {
    this.#calls.add(callId);
    const open: OpenBlock = { type: "tool_use", callId, end: new JsonObjectEnd(), sent: false };
    return this.#openWith(open, { type: "tool_use", id: callId, name, input: {} });
  }

  #wholeBlock(block: JsonObject): string {
    return this.#openWith({ type: "text" }, block) + this.#close();
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
    const open = this.#open;
    if (open === undefined) return "";
    this.#open = undefined;
    // No seal came, and none will: whose thought it is has to be known all the same.
    const mark =
      open.type === "thinking" && !open.sealed ? unsealedMark("anthropic", this.#identity.origin) : undefined;
    const seal = mark === undefined ? "" : this.#delta("signature_delta", "signature", mark);
    return seal + wireEvent({ type: "content_block_stop", index: this.#index });
  }

  /** The one that comes by the thousand, so written out. */
  #delta(type: string, field: string, value: string): string {
    const delta = `{"type":"${type}","${field}":${JSON.stringify(value)}}`;
    return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.#index},"delta":${delta}}\n\n`;
  }
}

const EMPTY_TEXT: JsonObject = { type: "text", text: "" };
const EMPTY_THINKING: JsonObject = { type: "thinking", thinking: "", signature: "" };

/** What seals a thought: its signature, or all of it where it is ciphertext. */
function sealIn({ signature, data }: JsonObject): string {
  return typeof signature === "string" ? signature : typeof data === "string" ? data : "";
}

function wireEvent(data: JsonObject): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}
