import type { JsonValue, LlmEvent, LlmFailure, Usage } from "@loom/core";
import type { ProviderStreamDecoder } from "../codec.ts";
import { providerFailure } from "../http-failure.ts";
import { asObject, parseJson } from "../json-reader.ts";
import { SseDecoder, type SseEvent } from "../sse.ts";
import { Utf8Decoder } from "../utf8.ts";
import { ChatAnswer } from "./answer.ts";
import { failureFromBody } from "./failure.ts";
import { PlainDeltas } from "./plain-delta.ts";

const DONE = "[DONE]";
const MAX_BODY_SIZE = 16 * 1024 * 1024;
const OPENING_BRACE = 0x7b;
/** White space, and the bytes of a byte order mark. */
const BLANK: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);

/**
 * Streaming answers of Chat Completions: https://platform.openai.com/docs/api-reference/chat-streaming, and of the servers
 * that imitate it. An answer is complete at `[DONE]`, or at the end of a stream that gave a `finish_reason`.
 */
export class OpenAiStreamDecoder implements ProviderStreamDecoder {
  readonly #sse = new SseDecoder({ runAt: (...at) => this.#plainDeltas.runAt(...at) });
  readonly #utf8 = new Utf8Decoder();
  readonly #answer = new ChatAnswer();
  readonly #plainDeltas = new PlainDeltas();
  /** The text so far of what is no stream, but one JSON object. */
  #body: string | undefined;
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
      this.#readBody(this.#body, out);
      return out;
    }
    const rest = this.#sse.end();
    // The last event may lack its blank line; if its data is not whole, the stream was cut inside it.
    if (rest !== undefined && (rest.data.trim() === DONE || parseJson(rest.data) !== undefined)) this.#read(rest, out);
    if (this.#ended) return out;
    if (this.#answer.finished) this.#complete(out);
    else this.#fail(this.#cutOff(), out);
    return out;
  }

  #read({ event, data, isRun }: SseEvent, out: LlmEvent[]): void {
    if (event === "error") {
      this.#fail(failureFromEvent(data), out);
      return;
    }
    const text = isRun ? data : this.#plainDeltas.textOf(data);
    if (text === undefined) this.#readData(event, data, out);
    else this.#answer.addText(text, out);
    const failure = this.#answer.failure;
    if (failure !== undefined && !this.#ended) this.#fail(failure, out);
  }

  #readData(event: string, data: string, out: LlmEvent[]): void {
    const body = parseJson(data);
    if (body === undefined) this.#readMarker(event, data.trim(), out);
    else this.#readChunk(body, out);
    this.#plainDeltas.learn(data, asObject(body) ?? {});
  }

  #readBody(text: string, out: LlmEvent[]): void {
    const body = parseJson(text);
    if (body !== undefined) this.#readChunk(body, out);
    if (this.#answer.failure !== undefined) this.#fail(this.#answer.failure, out);
    else if (this.#answer.started) this.#complete(out);
    else this.#fail(this.#noAnswer(), out);
  }

  #readChunk(body: JsonValue, out: LlmEvent[]): void {
    const chunk = asObject(body);
    if (chunk !== undefined) this.#answer.read(chunk, out);
  }

  /** What is no JSON: the end marker, the padding of a named event nobody knows, or garbage. */
  #readMarker(event: string, data: string, out: LlmEvent[]): void {
    if (data === DONE) {
      if (this.#answer.started) this.#complete(out);
      else this.#fail(this.#noAnswer(), out);
    } else if (event === "message" && data !== "") {
      this.#fail(providerFailure({ code: "invalid_response", said: data, retryable: true }), out);
    }
  }

  #complete(out: LlmEvent[]): void {
    this.#ended = true;
    const response = this.#answer.end(out);
    out.push({ type: "completed", response });
  }

  #fail(error: LlmFailure, out: LlmEvent[]): void {
    this.#ended = true;
    out.push({ type: "error", error });
  }

  #cutOff(): LlmFailure {
    if (this.#sawBytes && !this.#answer.started) return this.#noAnswer();
    return {
      code: "network",
      message: `The provider closed the connection ${this.#answer.started ? "in the middle of" : "before"} its answer: try again.`,
      retryable: true,
    };
  }

  #noAnswer(): LlmFailure {
    return providerFailure({ code: "invalid_response", retryable: true });
  }
}

/** `event: error`, with an error body or plain words. */
function failureFromEvent(data: string): LlmFailure {
  const body = asObject(parseJson(data));
  return body === undefined ? providerFailure({ code: "overloaded", said: data }) : failureFromBody(body);
}
