import type { JsonObject, LlmEvent, LlmFailure, Usage } from "@loom/core";
import type { ProviderStreamDecoder } from "../codec.ts";
import { providerFailure } from "../http-failure.ts";
import { asObject, asText, parseJsonObject } from "../json-reader.ts";
import { SseDecoder, type SseEvent } from "../sse.ts";
import { Utf8Decoder } from "../utf8.ts";
import { ResponsesAnswer } from "./answer.ts";
import { decodeResponse } from "./decode-response.ts";
import { failureFromError } from "./failure.ts";

const DONE = "[DONE]";
const MAX_BODY_SIZE = 16 * 1024 * 1024;
const OPENING_BRACE = 0x7b;
/** White space, and the bytes of a byte order mark. */
const BLANK: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);
/** How often the size of the answer is looked at, in events. */
const SIZE_CHECK_EVERY = 1_024;

/**
 * Streaming answers of the Responses API: https://platform.openai.com/docs/api-reference/responses-streaming. An answer is
 * complete at `response.completed` or `response.incomplete`. Events nobody knows are ignored.
 */
export class ResponsesStreamDecoder implements ProviderStreamDecoder {
  readonly #sse = new SseDecoder();
  readonly #utf8 = new Utf8Decoder();
  readonly #answer = new ResponsesAnswer();
  /** The text so far of what is no stream, but one JSON object. */
  #body: string | undefined;
  #sawBytes = false;
  #ended = false;
  #events = 0;

  get usage(): Usage {
    return this.#answer.usage;
  }

  get model(): string {
    return this.#answer.model;
  }

  /** It is said in the last event only, which completes the answer. */
  get finished(): boolean {
    return false;
  }

  get counted(): boolean {
    return false;
  }

  push(bytes: Uint8Array): LlmEvent[] {
    if (this.#ended) return [];
    const out: LlmEvent[] = [];
    if (!this.#sawBytes) {
      const first = bytes.find((byte) => !BLANK.has(byte));
      if (first === undefined) {
        // Both have to see the start of a byte order mark that was cut.
        this.#utf8.push(bytes);
        this.#sse.push(bytes);
        return [];
      }
      this.#sawBytes = true;
      // No line of a stream starts like this: the server answered without streaming, or with an error.
      if (first === OPENING_BRACE) this.#body = "";
    }
    if (this.#body !== undefined) {
      this.#body += this.#utf8.push(bytes);
      if (this.#body.length > MAX_BODY_SIZE) this.#fail(providerFailure({ code: "invalid_response" }), out);
      return out;
    }
    for (const event of this.#sse.push(bytes)) {
      this.#read(event, out);
      if (this.#ended) return out;
    }
    if (this.#sse.failure !== undefined) this.#fail(this.#sse.failure, out);
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
    if (rest !== undefined && (rest.data.trim() === DONE || parseJsonObject(rest.data) !== undefined)) {
      this.#read(rest, out);
    }
    if (!this.#ended) this.#fail(this.#cutOff(), out);
    return out;
  }

  #read({ event, data }: SseEvent, out: LlmEvent[]): void {
    if (data === DONE) {
      // Not by the book, but whoever says so has told all.
      if (this.#answer.hasItems) this.#complete(out);
      return;
    }
    const body = parseJsonObject(data);
    if (body === undefined) {
      if (event === "error") this.#fail(providerFailure({ code: "overloaded", said: data }), out);
      else if (event === "message" || event.startsWith("response.")) {
        this.#fail(providerFailure({ code: "invalid_response", said: data, retryable: true }), out);
      }
      return;
    }
    this.#readEvent(asText(body.type) ?? event, body, out);
    this.#events += 1;
    if (this.#events % SIZE_CHECK_EVERY === 0 && this.#answer.isTooLarge && !this.#ended) {
      this.#fail(providerFailure({ code: "invalid_response", said: "The answer is too large." }), out);
    }
  }

  #readEvent(type: string, body: JsonObject, out: LlmEvent[]): void {
    if (type.endsWith(".delta")) {
      this.#answer.readPart(body, type.slice(0, -".delta".length), false, out);
      return;
    }
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        this.#answer.begin(asObject(body.response) ?? {});
        return;
      case "response.output_item.added":
        this.#answer.readItem(body, "added", out);
        return;
      case "response.output_item.done":
        this.#answer.readItem(body, "done", out);
        return;
      case "response.completed":
      case "response.incomplete":
      case "response.done":
      case "response.failed":
      case "response.cancelled":
        this.#finish(type, asObject(body.response) ?? {}, out);
        return;
      case "error":
        this.#fail(failureFromError(body), out);
        return;
    }
    if (type.endsWith(".done")) this.#answer.readPart(body, type.slice(0, -".done".length), true, out);
    else if (type === "message" && asObject(body.error) !== undefined) this.#fail(failureFromError(body), out);
  }

  #finish(type: string, response: JsonObject, out: LlmEvent[]): void {
    const status = type === "response.done" ? {} : { status: type.slice("response.".length) };
    this.#answer.finish({ ...response, ...status }, out);
    const failure = this.#answer.failure;
    if (failure === undefined) this.#complete(out);
    else this.#fail(failure, out);
  }

  #complete(out: LlmEvent[]): void {
    this.#ended = true;
    out.push({ type: "completed", response: this.#answer.response() });
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
