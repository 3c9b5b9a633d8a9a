import type { LlmEvent, LlmFailure, LlmResponse } from "@loom/core";
import type { AnswerIdentity, ProviderStreamDecoder } from "@loom/llm";
import { COMMON_HEADERS } from "../../kit/problem-reply.ts";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import { areForeignEvents, isForeignDocument } from "./answer-signs.ts";
import { answeredBy, bytesOfAnswer, bytesOfEvent, isCounted, isNothing } from "./answered.ts";
import { mayBeOfModel } from "./beginnings.ts";
import { ClientBody } from "./client-body.ts";
import type { ClientVoice } from "./codecs.ts";
import type { Answered, Delivery, DeliveryHost } from "./delivery.ts";
import { NO_ANSWER } from "./failures.ts";
import { LeadingComments } from "./leading-comments.ts";
import { mergeDeltas } from "./merge-deltas.ts";
import type { UpstreamHeaders } from "./transport.ts";
import { isRefusal } from "./upstream-errors.ts";

export type TranslatedOptions = {
  readonly decoder: ProviderStreamDecoder;
  readonly voice: ClientVoice;
  readonly identity: AnswerIdentity;
  /** Called once with the whole answer, before its end goes to the client: as that is to get it. */
  noted(response: LlmResponse): LlmResponse;
};

/**
 * An upstream's stream as events, and the events as the client's stream. Nothing goes out before the first event, or
 * the first keep-alive, so that an upstream that fails at once can still be replaced.
 */
export class TranslatedStream implements Delivery {
  readonly #host: DeliveryHost;
  readonly #outgoing: RawOutgoing;
  readonly #options: TranslatedOptions;
  readonly #encoder: { push(events: readonly LlmEvent[]): string };
  #body: ClientBody | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #textBytes = 0;
  /** Nothing but comments has come; absent: more has. */
  #comments: LeadingComments | undefined = new LeadingComments();
  /** What came before there was an event in it; absent: there was one, or it was too much. */
  #unread: Buffer[] | undefined = [];
  #unreadBytes = 0;
  #ended = false;
  sent = false;

  constructor(host: DeliveryHost, options: TranslatedOptions) {
    this.#host = host;
    this.#outgoing = host.outgoing;
    this.#options = options;
    this.#encoder = options.voice.stream(options.identity);
  }

  onHead(): void {
    if (this.#options.voice.keepAlive === "") return;
    this.#keepAlive = setInterval(() => this.#ping(), this.#host.keepAliveMs);
  }

  onChunk(chunk: Buffer): void {
    if (this.#ended) return;
    if (this.#comments !== undefined && !this.#mayBegin(chunk, this.#comments)) {
      this.#host.failed(NO_ANSWER, { isOfModel: false });
      return;
    }
    if (this.#unread !== undefined) this.#keep(chunk, this.#unread);
    const { decoder } = this.#options;
    this.#pass(decoder.push(chunk));
    // Some keep the connection open behind an answer, and say nothing more.
    if (this.isWhole()) this.#host.expectEnd({ isSealed: false });
  }

  /** Comments may, and are no event yet; behind them it is judged as if they were not there. */
  #mayBegin(chunk: Buffer, comments: LeadingComments): boolean {
    const start = comments.startIn(chunk);
    if (start === -1) {
      this.#host.awaitEvent();
      return true;
    }
    this.#comments = undefined;
    return this.sent || mayBeOfModel(chunk.subarray(start));
  }

  onEnd(_trailers: UpstreamHeaders): void {
    if (!this.#ended) this.#pass(this.#options.decoder.end());
  }

  isWhole(): boolean {
    const { decoder } = this.#options;
    return !this.#ended && decoder.finished && decoder.counted;
  }

  broken(failure: LlmFailure): void {
    clearInterval(this.#keepAlive);
    this.#ended = true;
    this.#end(this.#encoder.push([{ type: "error", error: failure }]));
  }

  read(): Answered {
    clearInterval(this.#keepAlive);
    this.#ended = true;
    return this.#answered();
  }

  /** As far as it is known without a `completed`. */
  #answered(): Answered {
    const { decoder } = this.#options;
    return answeredBy(decoder, { isWhole: decoder.finished && decoder.counted, textBytes: this.#textBytes });
  }

  #pass(events: readonly LlmEvent[]): void {
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) return;
    if (!this.sent && first.type === "error") {
      clearInterval(this.#keepAlive);
      this.#ended = true;
      if (isRefusal(first.error)) this.#host.refused({ failure: first.error }, this.#counted());
      else this.#host.failed(first.error, { isOfModel: !this.#isForeign() });
      return;
    }
    this.#unread = undefined;
    this.#sendHead();
    for (const event of events) this.#textBytes += bytesOfEvent(event);
    switch (last.type) {
      case "completed": {
        const response = this.#options.noted(last.response);
        this.#finish([...events.slice(0, -1), { type: "completed", response }]);
        // An answer that came in one piece has no other events.
        const textBytes = Math.max(this.#textBytes, bytesOfAnswer(response));
        // Where text came and none was counted, the counts are from before it.
        const isWhole = textBytes === 0 || response.usage.outputTokens > 0;
        this.#host.finished("completed", answeredBy(response, { isWhole, textBytes }));
        return;
      }
      case "error":
        this.#finish([...events.slice(0, -1), { type: "error", error: this.#host.explained(last.error) }]);
        this.#host.finished(last.error.code === "network" ? "cut_off" : "failed", this.#failed(last.error), last.error);
        return;
      default:
        this.#keepAlive?.refresh();
        this.#write(this.#encoder.push(mergeDeltas(events)));
    }
  }

  /** What a failed answer used; `undefined` where the provider refused, and nothing came of it. */
  #failed(failure: LlmFailure): Answered | undefined {
    const answered = this.#answered();
    return isRefusal(failure) && isNothing(answered) ? undefined : answered;
  }

  /** What the provider counted for an answer that is none. */
  #counted(): Answered | undefined {
    return isCounted(this.#options.decoder.usage) ? this.#answered() : undefined;
  }

  #keep(chunk: Buffer, unread: Buffer[]): void {
    unread.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#unreadBytes > MAX_UNREAD) this.#unread = undefined;
  }

  /** Whether all that came is something else than an answer. */
  #isForeign(): boolean {
    if (this.#unread === undefined) return false;
    const unread = Buffer.concat(this.#unread);
    const text = unread.toString("utf8", Math.max(0, new LeadingComments().startIn(unread)));
    return isForeignDocument(text) || areForeignEvents(text);
  }

  #finish(events: readonly LlmEvent[]): void {
    clearInterval(this.#keepAlive);
    this.#ended = true;
    this.#end(this.#encoder.push(mergeDeltas(events)));
    this.#host.leave();
  }

  #write(text: string): void {
    if (this.#body?.writeText(text) === false) this.#host.pause();
  }

  #end(text: string): void {
    this.#body?.writeText(text);
    this.#body?.end(undefined, {});
  }

  #ping(): void {
    this.#sendHead();
    if (!this.#outgoing.writableNeedDrain) this.#body?.writeText(this.#options.voice.keepAlive);
  }

  #sendHead(): void {
    if (this.sent) return;
    this.sent = true;
    const headers = {
      ...COMMON_HEADERS,
      "content-type": this.#options.voice.streamType,
      // Proxies in between neither store nor compress it, and nginx does not hold it back.
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
      ...this.#host.headers(),
    };
    this.#body = new ClientBody(this.#outgoing, 200, Object.entries(headers).flat());
    this.#host.firstByte();
  }
}

/** What is longer counts as an answer. */
const MAX_UNREAD = 64 * 1024;
