import type { JsonObject, LlmEvent, LlmFailure, StopReason, Usage } from "@loom/core";
import type { ProviderStreamDecoder } from "../codec.ts";
import { providerFailure } from "../http-failure.ts";
import { asCount, asObject, asText, parseJsonObject, plainString } from "../json-reader.ts";
import { SseDecoder, type SseEvent } from "../sse.ts";
import { Utf8Decoder } from "../utf8.ts";
import { mayBeWhole } from "../whole-counts.ts";
import { type AnswerBlock, openBlock, openUnannounced } from "./answer-block.ts";
import { failureFromBody, failureFromForeignBody } from "./failure.ts";
import { stopReasonFromWire } from "./stop-reason.ts";
import { UsageReader } from "./usage.ts";

/** The events that matter. Their data has to be JSON; what else comes (`ping`, later inventions) may be anything. */
const KNOWN_EVENTS: ReadonlySet<string> = new Set([
  "message",
  "message_start",
  "content_block_start",
  "content_block_delta",
  "content_block_stop",
  "message_delta",
  "message_stop",
  "error",
]);

const DELTA = '{"type":"content_block_delta","index":';
const TEXT = ',"delta":{"type":"text_delta","text":"';
const ZERO = 48;

const MAX_HEAD_SIZE = 4_096;
const LIKE_A_STREAM = /^\s*(:|event:|data:)/;

/** Streaming answers of the Messages API: https://platform.claude.com/docs/en/build-with-claude/streaming */
export class AnthropicStreamDecoder implements ProviderStreamDecoder {
  readonly #sse = new SseDecoder();
  readonly #usage = new UsageReader();
  /** In the order they came; the same index again is a new block, since some servers count wrongly. */
  readonly #blocks: { readonly index: number; readonly block: AnswerBlock }[] = [];
  /** The newest block of each index; `undefined` for one that is ignored. */
  readonly #byIndex = new Map<number, AnswerBlock | undefined>();
  #messageId = "";
  #model = "";
  #stopReason: StopReason | undefined;
  #countedAtStop = false;
  /** The first bytes, until they turn out to be a stream: a server that answers otherwise says there what is wrong. */
  #head: Uint8Array[] = [];
  #headSize = 0;
  #started = false;
  #ended = false;

  get usage(): Usage {
    return this.#usage.usage;
  }

  get model(): string {
    return this.#model;
  }

  get finished(): boolean {
    return this.#stopReason !== undefined;
  }

  get counted(): boolean {
    return this.#countedAtStop && mayBeWhole(this.usage, { wrote: this.#blocks.length > 0 });
  }

  push(bytes: Uint8Array): LlmEvent[] {
    if (this.#ended) return [];
    if (!this.#started) this.#keepHead(bytes);
    const events: LlmEvent[] = [];
    for (const wireEvent of this.#sse.push(bytes)) {
      const event = this.#read(wireEvent);
      if (event !== undefined) events.push(event);
      if (this.#ended) return events;
    }
    if (this.#sse.failure !== undefined) events.push(this.#fail(this.#sse.failure));
    return events;
  }

  end(): LlmEvent[] {
    if (this.#ended) return [];
    const events: LlmEvent[] = [];
    const rest = this.#sse.end();
    // The last event may lack its blank line; if its data is not whole, the stream was cut inside it.
    if (rest !== undefined && parseJsonObject(rest.data) !== undefined) {
      const event = this.#read(rest);
      if (event !== undefined) events.push(event);
    }
    if (this.#ended) return events;
    events.push(this.#stopReason === undefined ? this.#fail(this.#cutOff()) : this.#complete(this.#stopReason));
    return events;
  }

  #read({ event, data }: SseEvent): LlmEvent | undefined {
    const delta = readTextDelta(data);
    if (delta !== undefined) return this.#addDelta(delta);
    if (!KNOWN_EVENTS.has(event) || data === "[DONE]") return undefined;
    const body = parseJsonObject(data);
    if (body === undefined) return this.#fail(providerFailure({ code: "invalid_response", retryable: true }));
    switch (asText(body.type) ?? event) {
      case "content_block_delta":
        return this.#addDelta(body);
      case "content_block_start":
        return this.#startBlock(body);
      case "message_start":
        this.#startMessage(asObject(body.message) ?? {});
        return undefined;
      case "message_delta":
        this.#changeMessage(body);
        return undefined;
      case "message_stop":
        return this.#complete(this.#stopReason ?? "unknown");
      case "error":
        return this.#fail(failureFromBody(body));
      default:
        return undefined;
    }
  }

  #startMessage(message: JsonObject): void {
    this.#started = true;
    this.#messageId = asText(message.id) ?? "";
    this.#model = asText(message.model) ?? "";
    this.#usage.read(asObject(message.usage));
  }

  #startBlock(body: JsonObject): LlmEvent | undefined {
    const index = asCount(body.index) ?? this.#blocks.length;
    const fallbackId = `${this.#messageId || "toolu"}_${this.#blocks.length}`;
    const block = openBlock(asObject(body.content_block) ?? {}, fallbackId);
    this.#keep(index, block);
    return block?.opening;
  }

  #addDelta(body: JsonObject): LlmEvent | undefined {
    const delta = asObject(body.delta);
    if (delta === undefined) return undefined;
    const index = asCount(body.index) ?? 0;
    let block = this.#byIndex.get(index);
    if (block === undefined && !this.#byIndex.has(index)) {
      block = openUnannounced(delta);
      if (block !== undefined) this.#keep(index, block);
    }
    return block?.add(delta);
  }

  #changeMessage(body: JsonObject): void {
    this.#started = true;
    const reason = asText(asObject(body.delta)?.stop_reason);
    if (reason !== undefined) this.#stopReason = stopReasonFromWire(reason);
    const usage = asObject(body.usage);
    this.#usage.read(usage);
    this.#countedAtStop ||= usage !== undefined && this.#stopReason !== undefined;
  }

  #keep(index: number, block: AnswerBlock | undefined): void {
    this.#started = true;
    this.#byIndex.set(index, block);
    if (block !== undefined) this.#blocks.push({ index, block });
  }

  #complete(stopReason: StopReason): LlmEvent {
    this.#ended = true;
    const content = this.#blocks
      .toSorted((a, b) => a.index - b.index)
      .map(({ block }) => block.content())
      .filter((block) => block !== undefined);
    const usage = this.#usage.usage;
    return {
      type: "completed",
      response: { message: { role: "assistant", content }, stopReason, usage, model: this.#model },
    };
  }

  #fail(error: LlmFailure): LlmEvent {
    this.#ended = true;
    return { type: "error", error };
  }

  #keepHead(bytes: Uint8Array): void {
    const kept = bytes.slice(0, MAX_HEAD_SIZE - this.#headSize);
    this.#headSize += kept.length;
    if (kept.length > 0) this.#head.push(kept);
  }

  #cutOff(): LlmFailure {
    const utf8 = new Utf8Decoder();
    const head = this.#head.map((bytes) => utf8.push(bytes)).join("");
    if (!this.#started && head !== "" && !LIKE_A_STREAM.test(head)) return failureFromForeignBody(head);
    const where = this.#started ? "in the middle of" : "before";
    return {
      code: "network",
      message: `The provider closed the connection ${where} its answer: try again.`,
      retryable: true,
    };
  }
}

/** A text delta as the provider writes it: most of a stream, at half the price. Any other event is left to the parser. */
function readTextDelta(data: string): JsonObject | undefined {
  if (!data.startsWith(DELTA) || !data.startsWith(TEXT, DELTA.length + 1)) return undefined;
  const index = data.charCodeAt(DELTA.length) - ZERO;
  const text = plainString(data, DELTA.length + 1 + TEXT.length, "}}");
  return text === undefined || index < 0 || index > 9 ? undefined : { index, delta: { type: "text_delta", text } };
}
