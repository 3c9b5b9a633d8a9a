import type { Transform } from "node:stream";
import type { LlmFailure } from "@loom/core";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import { type AnswerForm, AnswerGate, type GateExit } from "./answer-gate.ts";
import { answeredBy, isNothing } from "./answered.ts";
import { beginsLikeEvents, beginsLikeJson } from "./beginnings.ts";
import { ClientBody } from "./client-body.ts";
import { contentEncoding, createContentDecoder } from "./content-decoding.ts";
import { DecodedTap } from "./decoded-tap.ts";
import type { Answered, Delivery, DeliveryHost } from "./delivery.ts";
import { ErrorEventFilter } from "./error-events.ts";
import { CUT_OFF, NO_ANSWER } from "./failures.ts";
import { isLineEnd } from "./line-ends.ts";
import { responseHeaders, responseTrailers } from "./response-headers.ts";
import type { WireDialect } from "./target.ts";
import type { UpstreamHeaders } from "./transport.ts";
import type { UpstreamErrors } from "./upstream-errors.ts";
import { UsageChunkFilter } from "./usage-chunk-filter.ts";
import type { TapKind } from "./usage-tap/tap-marks.ts";
import type { TapReading, UsageTap } from "./usage-tap/tap-reading.ts";
import { createUsageTap } from "./usage-tap/usage-tap.ts";
import { streamError } from "./wire-errors.ts";

export type NativeOptions = {
  readonly dialect: WireDialect;
  readonly errors: UpstreamErrors;
  /** In whose words it says what it used. */
  readonly counts: TapKind;
  /** The stream holds token counts that the client did not ask for. */
  readonly hideUsage: boolean;
  /** Whether an answer of a model is expected, which has to come to its own end. */
  readonly isAnswer: boolean;
  /** Whether the client asked for the answer in events. */
  readonly stream: boolean;
  /** How many answers were asked for at once. */
  readonly answers: number;
};

/** The upstream's own bytes, as they come. The head waits for the first of them: until then another may answer. */
export class NativeDelivery implements Delivery, GateExit {
  readonly #host: DeliveryHost;
  readonly #outgoing: RawOutgoing;
  readonly #options: NativeOptions;
  #status = 0;
  #headers: UpstreamHeaders = {};
  #eventStream = false;
  #tap: UsageTap | undefined;
  #decoded: DecodedTap | undefined;
  #filter: UsageChunkFilter | undefined;
  #errors: ErrorEventFilter | undefined;
  #commit: NodeJS.Timeout | undefined;
  #body: ClientBody | undefined;
  /** The whole body of an answer, which goes out with the head. */
  #whole: Buffer | undefined;
  /** Absent as long as there is no head. */
  #gate: AnswerGate | undefined;
  /** Events were asked for, and the head says nothing of them. */
  #isUnlabelled = false;
  sent = false;

  constructor(host: DeliveryHost, options: NativeOptions) {
    this.#host = host;
    this.#outgoing = host.outgoing;
    this.#options = options;
  }

  onHead(status: number, headers: UpstreamHeaders): void {
    this.#status = status;
    this.#headers = headers;
    const type = headers["content-type"];
    this.#eventStream = typeof type === "string" && type.startsWith("text/event-stream");
    this.#tap = createUsageTap(this.#options.counts, { eventStream: this.#eventStream });
    const encoding = contentEncoding(headers["content-encoding"]);
    const decoder = encoding === undefined ? undefined : createContentDecoder(encoding);
    if (encoding !== undefined && decoder === undefined) this.#tap = undefined;
    const length = headers["content-length"];
    const gate = new AnswerGate(this.#host, this.#options.errors, this, {
      form: this.#form,
      isCompressed: decoder !== undefined,
      length: length === undefined ? undefined : Number(length),
    });
    this.#gate = gate;
    if (decoder !== undefined) this.#decode(decoder, gate);
    else if (encoding === undefined && this.#eventStream) this.#expectEvents();
    this.#isUnlabelled = this.#options.isAnswer && this.#options.stream && !this.#eventStream;
    if (this.#eventStream) this.#announceLater();
  }

  /** A client that waits for a slow beginning should at least know that there is one, and that it is kept alive. */
  #announceLater(): void {
    this.#commit ??= setTimeout(() => {
      this.#sendHead({ alone: true });
      this.#gate?.sendComments();
    }, this.#host.keepAliveMs);
  }

  #expectEvents(): void {
    this.#errors = new ErrorEventFilter((text) => this.#host.redact(text));
    if (this.#options.hideUsage) this.#filter = new UsageChunkFilter();
  }

  /** Some answer in events, as they were asked to, under the type of something else or under none. */
  #recognize(chunk: Buffer): void {
    if (!this.#isUnlabelled || this.#tap === undefined) return;
    this.#isUnlabelled = false;
    // What is blank may go on like JSON.
    if (beginsLikeJson(chunk) || !beginsLikeEvents(chunk)) return;
    this.#eventStream = true;
    this.#tap = createUsageTap(this.#options.counts, { eventStream: true });
    this.#gate?.areEvents();
    if (this.#decoded !== undefined) return;
    this.#expectEvents();
    this.#announceLater();
  }

  onChunk(chunk: Buffer): void {
    const decoded = this.#decoded;
    if (decoded === undefined) {
      this.#recognize(chunk);
      this.#gate?.push(chunk);
      return;
    }
    if (!decoded.push(chunk)) this.#host.pause(decoded.decoder);
    this.#gate?.pass(chunk);
  }

  onEnd(trailers: UpstreamHeaders): void {
    this.#readAll((reading) => {
      if (this.#outgoing.destroyed) return;
      const { isAnswer } = this.#options;
      if (isAnswer && !this.sent && this.#gate?.isForeign(reading) === true) {
        this.#host.failed(NO_ANSWER, { isOfModel: false });
        return;
      }
      const refusal =
        isAnswer && reading?.error !== undefined ? this.#options.errors.ofAnswer(reading.error) : undefined;
      if (refusal !== undefined && !this.sent) {
        const used = answered(reading);
        this.#host.refused(refusal, used.usage === undefined ? undefined : used);
        return;
      }
      const failure = isAnswer ? this.#failureIn(reading) : undefined;
      const cutOff =
        (this.#eventStream || this.#form === "document") &&
        isAnswer &&
        reading !== undefined &&
        !reading.complete &&
        this.#decoded?.isCurtailed !== true;
      if (cutOff && !this.sent && !reading.failed) {
        this.#host.failed(CUT_OFF);
        return;
      }
      this.#gate?.open();
      if (!this.sent) this.#sendHead({ alone: false });
      if (cutOff && !reading.failed) this.#endBroken(CUT_OFF);
      else this.#body?.end(this.#whole ?? this.#rest(), responseTrailers(trailers, this.#host.secrets));
      const used = answered(reading);
      if (refusal !== undefined) this.#host.finished("failed", used, refusal.failure);
      else if (failure !== undefined) this.#host.finished("failed", isNothing(used) ? undefined : used, failure);
      else this.#host.finished(cutOff ? "cut_off" : "completed", used);
    });
  }

  /** As what an answer is judged: an answer in one piece has to be JSON in every dialect. */
  get #form(): AnswerForm | undefined {
    if (!this.#options.isAnswer || this.#tap === undefined || this.#status >= 300) return undefined;
    return this.#eventStream ? "events" : "document";
  }

  #decode(decoder: Transform, gate: AnswerGate): void {
    const tap: Pick<UsageTap, "push"> = { push: (chunk) => this.#tap?.push(chunk) };
    this.#decoded = new DecodedTap(tap, decoder, {
      onBeginning: (chunk) => {
        this.#recognize(chunk);
        gate.onDecodedBeginning(chunk);
      },
      onGivenUp: () => this.#host.resume(decoder),
    });
  }

  onAdmitted(chunk: Buffer): void {
    this.#tap?.push(chunk);
  }

  send(chunk: Buffer): void {
    if (!this.sent) {
      // Its end comes with it.
      if (!this.#eventStream && this.#headers["content-length"] === String(chunk.length)) {
        this.#whole = chunk;
        return;
      }
      this.#sendHead({ alone: false });
    }
    const clean = this.#errors === undefined ? chunk : this.#errors.push(chunk);
    const out = this.#filter === undefined ? clean : this.#filter.push(clean);
    if (this.#body?.write(out) === false) this.#host.pause();
    // What is paused waits for it as soon as it goes on.
    if (!this.#isReadable) return;
    if (this.#isLast(chunk)) this.#host.expectEnd({ isSealed: true });
    // Some keep the connection open behind an answer, and give no mark.
    else if (this.#isFinished) this.#host.expectEnd({ isSealed: false });
  }

  isWhole(): boolean {
    if (!this.sent || !this.#isReadable) return false;
    return this.#tap?.isSealed() === true || this.#isFinished || this.#failureIn(this.#tap?.read()) !== undefined;
  }

  /** That it failed, as the provider's own last word of a stream says. */
  #failureIn(reading: TapReading | undefined): LlmFailure | undefined {
    return reading?.lastEvents === undefined ? undefined : this.#options.errors.ofLastEvents(reading.lastEvents);
  }

  /** An answer in events that the client gets as they are looked at. */
  get #isReadable(): boolean {
    return this.#eventStream && this.#options.isAnswer && this.#decoded === undefined;
  }

  /** Of several answers, one has its reason before the others have. */
  get #isFinished(): boolean {
    return this.#options.answers === 1 && this.#tap?.isFinished() === true;
  }

  /** Whether this is the mark that nothing comes behind. No text can look like it, since a line cannot end within one, nor a quote. */
  #isLast(chunk: Buffer): boolean {
    switch (this.#options.dialect) {
      case "anthropic":
        return /"message_stop"(?:\s|data:)*\}\s*$/.test(chunk.toString("latin1", Math.max(0, chunk.length - 32)));
      case "chat":
        return /(?:^|[\r\n])data: ?\[DONE\]\s*$/.test(chunk.toString("latin1", Math.max(0, chunk.length - 32)));
      case "responses":
        // The last event has the whole answer in it, and may come in many pieces.
        return isLineEnd(chunk.at(-1)) && this.#tap?.isSealed() === true;
      case "gemini":
        return false;
    }
  }

  broken(failure: LlmFailure): void {
    this.#endBroken(failure);
  }

  read(): Answered | undefined {
    clearTimeout(this.#commit);
    this.#decoded?.stop();
    return this.#status === 0 ? undefined : answered(this.#tap?.read());
  }

  /** In the dialect's own way where there is one; an answer in one piece can only be seen to be cut. */
  #endBroken(failure: LlmFailure): void {
    clearTimeout(this.#commit);
    const encoded = contentEncoding(this.#headers["content-encoding"]) !== undefined;
    if (!this.#eventStream || encoded || !this.#options.isAnswer || this.#headers["content-length"] !== undefined) {
      this.#outgoing.destroy();
      return;
    }
    this.#body?.write(this.#rest());
    this.#body?.end(Buffer.from(streamError(this.#options.dialect, failure), "utf8"), NO_TRAILERS);
  }

  /** What a filter still holds of the stream. */
  #rest(): Buffer {
    const held = this.#errors?.end() ?? EMPTY;
    return this.#filter === undefined ? held : Buffer.concat([this.#filter.push(held), this.#filter.end()]);
  }

  #sendHead({ alone }: { readonly alone: boolean }): void {
    clearTimeout(this.#commit);
    if (this.sent) return;
    this.sent = true;
    const { secrets } = this.#host;
    const eventStream = this.#eventStream;
    const changed = this.#errors !== undefined;
    const headers = responseHeaders(this.#headers, this.#host.headers(), { eventStream, changed, secrets });
    this.#body = new ClientBody(this.#outgoing, this.#status, headers);
    if (alone) this.#outgoing.flushHeaders();
    this.#host.firstByte();
  }

  #readAll(done: (reading: TapReading | undefined) => void): void {
    clearTimeout(this.#commit);
    const read = (): void => done(this.#tap?.read());
    if (this.#decoded === undefined) read();
    else this.#decoded.end(read);
  }
}

const EMPTY = Buffer.alloc(0);
const NO_TRAILERS: UpstreamHeaders = {};

function answered(reading: TapReading | undefined): Answered {
  if (reading === undefined) return { usage: undefined, final: false, model: undefined, textBytes: 0 };
  return answeredBy(reading, { isWhole: reading.final, textBytes: reading.textBytes });
}
