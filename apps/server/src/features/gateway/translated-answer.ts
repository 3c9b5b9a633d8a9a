import type { LlmFailure, LlmResponse } from "@loom/core";
import type { AnswerIdentity, LlmCodec } from "@loom/llm";
import { isForeignDocument } from "./answer-signs.ts";
import { answeredBy, bytesOfAnswer } from "./answered.ts";
import { mayBeOfModel } from "./beginnings.ts";
import type { ClientVoice } from "./codecs.ts";
import type { Answered, Delivery, DeliveryHost } from "./delivery.ts";
import { NO_ANSWER } from "./failures.ts";
import { sendJson } from "./reply.ts";
import type { WireDialect } from "./target.ts";
import { isRefusal, type UpstreamErrors } from "./upstream-errors.ts";
import { createUsageTap } from "./usage-tap/usage-tap.ts";

export type TranslatedAnswerOptions = {
  /** The provider's. */
  readonly dialect: WireDialect;
  readonly codec: LlmCodec;
  readonly errors: UpstreamErrors;
  readonly voice: ClientVoice;
  readonly identity: AnswerIdentity;
  /** Called once with the whole answer, before its end goes to the client: as that is to get it. */
  noted(response: LlmResponse): LlmResponse;
};

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** An upstream's answer in one piece, in the client's words. */
export class TranslatedAnswer implements Delivery {
  readonly #host: DeliveryHost;
  readonly #options: TranslatedAnswerOptions;
  readonly #parts: Buffer[] = [];
  #length = 0;
  /** What the provider counted for an answer that is not delivered. */
  #counted: Answered | undefined;
  sent = false;

  constructor(host: DeliveryHost, options: TranslatedAnswerOptions) {
    this.#host = host;
    this.#options = options;
  }

  onHead(): void {}

  onChunk(chunk: Buffer): void {
    if (this.#length === 0 && !mayBeOfModel(chunk)) {
      this.#host.failed(NO_ANSWER, { isOfModel: false });
      return;
    }
    this.#length += chunk.length;
    if (this.#length <= MAX_ANSWER_BYTES) this.#parts.push(chunk);
    else if (this.#length - chunk.length <= MAX_ANSWER_BYTES) this.#host.failed(TOO_LARGE);
  }

  onEnd(): void {
    const { codec, errors, voice, identity, noted } = this.#options;
    const bytes = Buffer.concat(this.#parts);
    const text = bytes.toString("utf8");
    const decoded = codec.decodeResponse(text);
    if (!decoded.ok) {
      const refusal = isRefusal(decoded.failure) ? errors.ofAnswer(text) : undefined;
      this.#counted = this.#countedIn(bytes);
      if (refusal === undefined) this.#host.failed(decoded.failure, { isOfModel: !isForeignDocument(text) });
      else this.#host.refused(refusal, this.#counted);
      return;
    }
    const problem = voice.problem(decoded.response);
    if (problem !== undefined) {
      const { response } = decoded;
      this.#counted = answeredBy(response, { isWhole: true, textBytes: bytesOfAnswer(response) });
      this.#host.failed(problem, { isOfModel: true });
      return;
    }
    const response = noted(decoded.response);
    this.sent = true;
    this.#host.firstByte();
    sendJson(this.#host.outgoing, voice.whole(response, identity), this.#host.headers());
    const textBytes = bytesOfAnswer(response);
    this.#host.finished("completed", answeredBy(response, { isWhole: true, textBytes }));
  }

  isWhole(): boolean {
    return this.sent;
  }

  /** The answer goes out in one piece or not at all. */
  broken(): void {}

  read(): Answered {
    return this.#counted ?? { usage: undefined, final: false, model: undefined, textBytes: this.#length };
  }

  /** What stands in a document that is no answer; `undefined` where nothing was counted. */
  #countedIn(bytes: Buffer): Answered | undefined {
    const tap = createUsageTap(this.#options.dialect, { eventStream: false });
    tap.push(bytes);
    const reading = tap.read();
    const answered = answeredBy(reading, { isWhole: reading.final, textBytes: reading.textBytes });
    return answered.usage === undefined ? undefined : answered;
  }
}

const TOO_LARGE: LlmFailure = {
  code: "invalid_response",
  message: `The provider's answer is larger than ${MAX_ANSWER_BYTES} bytes: ask for less, or stream it.`,
  retryable: false,
};
