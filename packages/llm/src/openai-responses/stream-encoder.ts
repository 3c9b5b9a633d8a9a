import type {
  AssistantContent,
  JsonObject,
  LlmEvent,
  LlmFailure,
  LlmResponse,
  ThinkingBlock,
  ToolUseBlock,
} from "@loom/core";
import { brokenCall, isBrokenCall } from "../broken-call.ts";
import type { AnswerIdentity, LlmStreamEncoder } from "../codec.ts";
import { saidOfPart } from "../foreign-part.ts";
import { sealToClient, unsealedMark } from "../foreign-seal.ts";
import { JsonObjectEnd } from "../json-end.ts";
import { asArray, asObject, asText } from "../json-reader.ts";
import { toolInputText, toolUseFromText } from "../tool-input.ts";
import { failureToWire } from "./failure.ts";
import {
  answerId,
  callItem,
  callSealOf,
  itemId,
  messageItem,
  responseToWire,
  sealOf,
  statusOf,
  tellIssued,
  textPart,
  thoughtItem,
} from "./response-to-wire.ts";
import { toolOfClient } from "./tool-name.ts";

/** The message or the thought that is being written. */
type OpenItem = { readonly type: "message" | "reasoning"; readonly id: string; readonly index: number; text: string };
type OpenCall = {
  readonly id: string;
  readonly index: number;
  readonly name: string;
  readonly end: JsonObjectEnd;
  /** Its arguments as far as they came. */
  json: string;
  sentArguments: boolean;
};

const PART_ADDED = { message: "response.content_part.added", reasoning: "response.reasoning_summary_part.added" };
const PART_DONE = { message: "response.content_part.done", reasoning: "response.reasoning_summary_part.done" };
const TEXT = { message: "response.output_text", reasoning: "response.reasoning_summary_text" };

/**
 * Loom's events as the stream of a response: items one after the other, each added, filled and done, and one event that
 * ends it all. Clients keep items in the order in which they are done.
 *
 * Text, thoughts and the arguments of calls go out as they come. Calls may come interleaved: one is done when its
 * arguments are whole and something else begins, or at the end. A thought is done when its seal comes or something else begins, whatever is first.
 */
export class ResponsesStreamEncoder implements LlmStreamEncoder {
  readonly #identity: AnswerIdentity;
  #answer = "";
  #started = false;
  #ended = false;
  #sequence = 0;
  #open: OpenItem | undefined;
  readonly #calls = new Map<string, OpenCall>();
  /** Calls that were done before the end, as the client was told of them. */
  readonly #doneCalls = new Map<string, ToolUseBlock>();
  /** Items that are done, by their index. */
  readonly #output: JsonObject[] = [];
  #index = 0;
  #sentText = 0;
  #sentThinking = 0;
  /** Seals that went out live, until the whole answer comes to their thoughts. */
  readonly #sentSeals: string[] = [];

  constructor(identity: AnswerIdentity = {}) {
    this.#identity = identity;
  }

  push(events: readonly LlmEvent[]): string {
    let out = "";
    for (const event of events) {
      if (this.#ended) break;
      out += this.#encode(event);
    }
    return out;
  }

  #encode(event: LlmEvent): string {
    const start = this.#start(event);
    switch (event.type) {
      case "text_delta":
        this.#sentText += event.text.length;
        return start + this.#delta("message", event.text);
      case "thinking_delta":
        this.#sentThinking += event.text.length;
        return start + this.#delta("reasoning", event.text);
      case "thinking_signature":
        return start + this.#seal(sealToClient(event, "responses"));
      case "thinking_redacted": {
        const { data: redactedData, dialect } = event;
        const sealed = { redactedData, ...(dialect === undefined ? {} : { dialect }) };
        return start + this.#close() + this.#seal(sealToClient(sealed, "responses"));
      }
      case "tool_call_delta":
        return start + this.#callDelta(event.callId, event.name, event.argumentsFragment);
      case "completed":
        this.#ended = true;
        return start + this.#complete(event.response);
      case "error":
        this.#ended = true;
        return start + this.#failed(event.error);
    }
  }

  #start(first: object): string {
    if (this.#started) return "";
    this.#started = true;
    this.#answer = answerId(this.#identity, first);
    const response = responseToWire(this.#answer, this.#identity, { status: "in_progress", output: [] });
    return this.#event("response.created", { response }) + this.#event("response.in_progress", { response });
  }

  #delta(type: OpenItem["type"], text: string): string {
    if (text === "") return "";
    const opening = this.#open?.type === type ? "" : this.#openItem(type);
    const open = this.#open;
    if (open === undefined) return opening;
    const opensPart = open.text === "" ? this.#partEvent(PART_ADDED[type], open, { part: partOf(type, "") }) : "";
    open.text += text;
    return opening + opensPart + this.#textDelta(open, text);
  }

  #openItem(type: OpenItem["type"]): string {
    const closing = this.#close() + this.#wholeCallsDone();
    const index = this.#index++;
    const id = itemId(type, this.#answer, index);
    this.#open = { type, id, index, text: "" };
    const item = type === "message" ? messageItem(id, "in_progress", []) : thoughtItem(id, "", undefined);
    return closing + this.#event("response.output_item.added", { output_index: index, item });
  }

  /** A seal that no text came before is a thought of its own. */
  #seal(seal: string | undefined): string {
    if (seal === undefined) return "";
    const opening = this.#open?.type === "reasoning" ? "" : this.#openItem("reasoning");
    this.#sentSeals.push(seal);
    return opening + this.#close(seal);
  }

  /** Ends what is being written; `seal` is for a thought. */
  #close(seal?: string): string {
    const open = this.#open;
    if (open === undefined) return "";
    this.#open = undefined;
    const { type, id, text } = open;
    let out = "";
    if (text !== "") {
      out += this.#partEvent(`${TEXT[type]}.done`, open, type === "message" ? { text, logprobs: [] } : { text });
      out += this.#partEvent(PART_DONE[type], open, { part: partOf(type, text) });
    }
    const item =
      type === "message"
        ? messageItem(id, "completed", text === "" ? [] : [textPart(text)])
        : thoughtItem(id, text, seal ?? this.#mark());
    return out + this.#itemDone(open.index, item);
  }

  /** Of a thought that is done without a seal. */
  #mark(): string | undefined {
    return unsealedMark("responses", this.#identity.origin);
  }

  #callDelta(callId: string, name: string, fragment: string): string {
    // What comes for a call that is done can only be white space.
    if (this.#doneCalls.has(callId)) return "";
    let out = "";
    let call = this.#calls.get(callId);
    if (call === undefined) {
      out = this.#close() + this.#wholeCallsDone();
      call = this.#openCall(callId, name);
      out += this.#callAdded(call, { type: "tool_use", id: callId, name, input: {}, malformedInput: "" });
    }
    call.json += fragment;
    call.end.push(fragment);
    // What a tool takes as text is inside the JSON, and goes out when that is whole.
    if (fragment === "" || toolOfClient(call.name, this.#identity.clientTools).isText) return out;
    // `null` and its like mean no arguments, or go out as they are at the end.
    if (!call.end.isObject) return out;
    call.sentArguments = true;
    return out + this.#argumentsDelta(call, fragment);
  }

  #openCall(callId: string, name: string): OpenCall {
    const index = this.#index++;
    const type = toolOfClient(name, this.#identity.clientTools).isText ? "custom_tool_call" : "function_call";
    const id = itemId(type, this.#answer, index);
    const call = { id, index, name, end: new JsonObjectEnd(), json: "", sentArguments: false };
    this.#calls.set(callId, call);
    return call;
  }

  #callAdded(call: OpenCall, block: ToolUseBlock): string {
    const item = callItem(call.id, "in_progress", block, this.#identity);
    return this.#event("response.output_item.added", { output_index: call.index, item });
  }

  #argumentsDelta({ id, index }: OpenCall, delta: string): string {
    return this.#event("response.function_call_arguments.delta", { item_id: id, output_index: index, delta });
  }

  #complete(response: LlmResponse): string {
    const { content } = response.message;
    let out = "";
    for (const block of content) out += this.#rest(block);
    out += this.#close();
    const problem = this.#brokenAfterAll(content);
    if (problem !== undefined) return out + this.#failed(problem);
    for (const block of content) {
      if (block.type !== "tool_use") continue;
      out += this.#callDone(block);
      const seal = callSealOf(block);
      if (seal !== undefined) out += this.#sealItem(seal);
    }
    const { status, incomplete } = statusOf(response.stopReason);
    const ended = responseToWire(this.#answer, this.#identity, {
      status,
      output: this.#output.filter((item) => item !== undefined),
      answered: response,
      ...(incomplete === undefined ? {} : { incomplete }),
    });
    return out + this.#event(`response.${status}`, { response: ended });
  }

  /** Of a call that the client was told of as a good one, because more of its arguments came after that. */
  #brokenAfterAll(content: readonly AssistantContent[]): LlmFailure | undefined {
    for (const block of content) {
      const done = block.type === "tool_use" ? this.#doneCalls.get(block.id) : undefined;
      if (block.type === "tool_use" && done !== undefined && !isBrokenCall(done)) {
        const problem = brokenCall(block);
        if (problem !== undefined) return problem;
      }
    }
    return undefined;
  }

  /** What of a block of the whole answer has not gone out yet. */
  #rest(block: AssistantContent): string {
    switch (block.type) {
      case "text": {
        const fresh = block.text.slice(this.#sentText);
        this.#sentText -= block.text.length - fresh.length;
        return this.#delta("message", fresh);
      }
      case "thinking":
        return this.#restOfThought(block);
      case "tool_use": {
        if (this.#calls.has(block.id) || this.#doneCalls.has(block.id)) return "";
        const closing = this.#close();
        const call = this.#openCall(block.id, block.name);
        return closing + this.#callAdded(call, { ...block, input: {}, malformedInput: "" });
      }
      case "opaque":
        return block.dialect === "responses" ? this.#wholeItem(block.data) : this.#delta("message", saidOfPart(block));
    }
  }

  #restOfThought(block: ThinkingBlock): string {
    const fresh = block.text.slice(this.#sentThinking);
    this.#sentThinking -= block.text.length - fresh.length;
    const isSealed = block.signature !== undefined || block.redactedData !== undefined;
    const seal = isSealed ? sealOf(block, this.#identity.origin) : undefined;
    const out = this.#delta("reasoning", fresh);
    if (seal === undefined) return out;
    const sent = this.#sentSeals.indexOf(seal);
    if (sent >= 0) {
      this.#sentSeals.splice(sent, 1);
      return out;
    }
    if (this.#open?.type !== "reasoning" && block.text !== "") {
      this.#sealInHindsight(block.text, seal);
      return out;
    }
    const opening = this.#open?.type === "reasoning" ? "" : this.#openItem("reasoning");
    return out + opening + this.#close(seal);
  }

  /** A thought that was done before its seal was known has it in the whole response only. */
  #sealInHindsight(text: string, seal: string): void {
    const mark = this.#mark();
    const isIt = ({ type, summary, encrypted_content: sealed }: JsonObject) =>
      type === "reasoning" && sealed === mark && asText(asObject(asArray(summary)[0])?.text) === text;
    const at = this.#output.findIndex((item) => item !== undefined && isIt(item));
    const item = this.#output[at];
    if (item === undefined) return;
    const sealed = { ...item, encrypted_content: seal };
    this.#output[at] = sealed;
    tellIssued(sealed, this.#identity);
  }

  #callDone(block: ToolUseBlock): string {
    const call = this.#calls.get(block.id);
    if (call === undefined) return "";
    this.#calls.delete(block.id);
    const { id, index } = call;
    const item = callItem(id, "completed", block, this.#identity);
    let out = "";
    if (item.type === "custom_tool_call") {
      const input = String(item.input);
      const at = { item_id: id, output_index: index };
      if (input !== "") out += this.#event("response.custom_tool_call_input.delta", { ...at, delta: input });
      out += this.#event("response.custom_tool_call_input.done", { ...at, input });
    } else {
      const text = toolInputText(block);
      if (!call.sentArguments) out += this.#argumentsDelta(call, text);
      const done = { item_id: id, output_index: index, name: item.name ?? block.name, arguments: text };
      out += this.#event("response.function_call_arguments.done", done);
    }
    return out + this.#itemDone(index, item);
  }

  /** Keeps calls before what the model went on with behind them. */
  #wholeCallsDone(): string {
    let out = "";
    for (const [callId, { name, json, end }] of this.#calls) {
      if (!end.ended) continue;
      const call = toolUseFromText(callId, name, json);
      out += this.#callDone(call);
      this.#doneCalls.set(callId, call);
    }
    return out;
  }

  #sealItem(seal: string): string {
    return this.#wholeItem(thoughtItem(itemId("reasoning", this.#answer, this.#index), "", seal));
  }

  #wholeItem(item: JsonObject): string {
    const closing = this.#close();
    const index = this.#index++;
    const added = this.#event("response.output_item.added", { output_index: index, item });
    return closing + added + this.#itemDone(index, item);
  }

  #itemDone(index: number, item: JsonObject): string {
    this.#output[index] = item;
    tellIssued(item, this.#identity);
    return this.#event("response.output_item.done", { output_index: index, item });
  }

  #failed(failure: LlmFailure): string {
    const response = responseToWire(this.#answer, this.#identity, {
      status: "failed",
      output: this.#output.filter((item) => item !== undefined),
      error: failureToWire(failure),
    });
    return this.#event("response.failed", { response });
  }

  #partEvent(type: string, { id, index, type: kind }: OpenItem, fields: JsonObject): string {
    const place = kind === "message" ? { content_index: 0 } : { summary_index: 0 };
    return this.#event(type, { item_id: id, output_index: index, ...place, ...fields });
  }

  /** The one that comes by the thousand, so written out. */
  #textDelta({ type, id, index }: OpenItem, text: string): string {
    const name = `${TEXT[type]}.delta`;
    const place = type === "message" ? '"content_index":0,"logprobs":[]' : '"summary_index":0';
    const sequence = this.#sequence++;
    return `event: ${name}\ndata: {"type":"${name}","sequence_number":${sequence},"item_id":${JSON.stringify(id)},"output_index":${index},${place},"delta":${JSON.stringify(text)}}\n\n`;
  }

  #event(type: string, fields: JsonObject): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#sequence++, ...fields })}\n\n`;
  }
}

function partOf(type: OpenItem["type"], text: string): JsonObject {
  return type === "message" ? textPart(text) : { type: "summary_text", text };
}
