import type { LlmEvent, LlmFailure, Usage } from "@loom/core";
import type { ProviderStreamDecoder } from "../codec.ts";
import { providerFailure } from "../http-failure.ts";
import { asObject, parseJson } from "../json-reader.ts";
import { SseDecoder, type SseEvent } from "../sse.ts";
import { Utf8Decoder } from "../utf8.ts";
import { GeminiAnswer } from "./answer.ts";
import { decodeResponse } from "./decode-response.ts";
import { errorIn, failureFromError } from "./failure.ts";
import { JsonArraySplitter } from "./json-array.ts";

const MAX_BODY_SIZE = 16 * 1024 * 1024;
/** As much of the end as an error that is no event may take. */
const TAIL_SIZE = 16 * 1024;
const NOTHING = new Uint8Array(0);
const MAX_STRAY_TRIES = 16;
const OPENING_BRACE = 0x7b;
const OPENING_BRACKET = 0x5b;
/** White space, and the bytes of a byte order mark. */
const BLANK: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);

/**
 * Streaming answers of `streamGenerateContent`: server-sent events with `alt=sse`, else one JSON array that grows. There is
 * no end marker: an answer is complete when the stream ends after a `finishReason`.
 */
export class GeminiStreamDecoder implements ProviderStreamDecoder {
  readonly #sse = new SseDecoder();
  readonly #utf8 = new Utf8Decoder();
  readonly #answer = new GeminiAnswer();
  /** The elements of a JSON array, or the text of what is no stream, but one JSON object. */
  #array: JsonArraySplitter | undefined;
  #body: string | undefined;
  /** What came since the last event, for the error that may be there without being one. */
  #tail: Uint8Array = NOTHING;
  #sawBytes = false;
  #ended = false;

  get usage(): Usage {
    return this.#answer.usage;
  }

  get model(): string {
    return this.#answer.model;
  }

  get finished(): boolean {
    return this.#answer.finished;
  }

  get counted(): boolean {
    return this.#answer.counted;
  }

  push(bytes: Uint8Array): LlmEvent[] {
    if (this.#ended) return [];
    const out: LlmEvent[] = [];
    if (!this.#sawBytes) {
      const first = bytes.find((byte) => !BLANK.has(byte));
      if (first === OPENING_BRACE) this.#body = "";
      if (first === OPENING_BRACKET) this.#array = new JsonArraySplitter();
      this.#sawBytes = first !== undefined;
      // Both have to see the start of a byte order mark that was cut.
      if (first === undefined) this.#utf8.push(bytes);
    }
    if (this.#body !== undefined) {
      this.#body += this.#utf8.push(bytes);
      if (this.#body.length > MAX_BODY_SIZE) this.#fail(providerFailure({ code: "invalid_response" }), out);
    } else if (this.#array !== undefined) this.#readArray(this.#array, this.#utf8.push(bytes), out);
    else this.#readEvents(bytes, out);
    return out;
  }

  end(): LlmEvent[] {
    if (this.#ended) return [];
    const out: LlmEvent[] = [];
    if (this.#body !== undefined) {
      const decoded = decodeResponse(this.#body);
      this.#ended = true;
      return [
        decoded.ok ? { type: "completed", response: decoded.response } : { type: "error", error: decoded.failure },
      ];
    }
    const rest = this.#sse.end();
    // The last event may lack its blank line; if its data is not whole, the stream was cut inside it.
    if (rest !== undefined && parseJson(rest.data) !== undefined) this.#read(rest, out);
    if (this.#ended) return out;
    if (this.#answer.finished) {
      this.#ended = true;
      out.push({ type: "completed", response: this.#answer.response() });
    } else this.#fail(this.#strayError() ?? this.#cutOff(), out);
    return out;
  }

  #readEvents(bytes: Uint8Array, out: LlmEvent[]): void {
    const events = this.#sse.push(bytes);
    this.#tail = events.length > 0 ? bytes.slice(-TAIL_SIZE) : lastOf(this.#tail, bytes);
    for (const event of events) {
      this.#read(event, out);
      if (this.#ended) return;
    }
    if (this.#sse.failure !== undefined) this.#fail(this.#sse.failure, out);
  }

  #readArray(array: JsonArraySplitter, text: string, out: LlmEvent[]): void {
    for (const data of array.push(text)) {
      this.#read({ event: "message", data }, out);
      if (this.#ended) return;
    }
    if (array.size > MAX_BODY_SIZE) this.#fail(providerFailure({ code: "invalid_response" }), out);
  }

  #read({ event, data }: SseEvent, out: LlmEvent[]): void {
    const json = parseJson(data);
    if (json === undefined) {
      const padding = data.trim() === "" || data.trim() === "[DONE]" || event !== "message";
      if (!padding) this.#fail(providerFailure({ code: "invalid_response", said: data, retryable: true }), out);
      return;
    }
    const chunk = asObject(json);
    if (chunk !== undefined) this.#answer.read(chunk, out);
    const failure = this.#answer.failure;
    if (failure !== undefined) this.#fail(failure, out);
  }

  /** An error that was put behind the events as it is, by what stands before the model. */
  #strayError(): LlmFailure | undefined {
    const text = new TextDecoder().decode(this.#tail);
    for (let start = text.length, tries = 0; start > 0 && tries < MAX_STRAY_TRIES; ) {
      start = text.lastIndexOf("\n", start - 1);
      const first = text[start + 1];
      if (first !== "{" && first !== "[") continue;
      tries += 1;
      const error = errorIn(text.slice(start + 1));
      if (error !== undefined) return failureFromError(error);
    }
    return undefined;
  }

  #fail(error: LlmFailure, out: LlmEvent[]): void {
    this.#ended = true;
    out.push({ type: "error", error });
  }

  #cutOff(): LlmFailure {
    if (this.#sawBytes && !this.#answer.started) return providerFailure({ code: "invalid_response", retryable: true });
    return {
      code: "network",
      message: `The provider closed the connection ${this.#answer.started ? "in the middle of" : "before"} its answer: try again.`,
      retryable: true,
    };
  }
}

/** The end of both, one after the other. Copies, because the caller may reuse its buffer. */
function lastOf(first: Uint8Array, second: Uint8Array): Uint8Array {
  const kept = second.length >= TAIL_SIZE ? NOTHING : first.subarray(-(TAIL_SIZE - second.length));
  const both = new Uint8Array(kept.length + Math.min(second.length, TAIL_SIZE));
  both.set(kept);
  both.set(second.subarray(-TAIL_SIZE), kept.length);
  return both;
}
