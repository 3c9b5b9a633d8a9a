import type { Transform } from "node:stream";
import type { LlmFailure } from "@loom/core";
import type { RawOutgoing } from "../../kit/raw-exchange.ts";
import { areForeignEvents, holdsSign, mayBeForeignDocument } from "./answer-signs.ts";
import { answeredBy, isNothing } from "./answered.ts";
import { beginsLikeEvents, beginsLikeJson, mayBeOfModel } from "./beginnings.ts";
import { ClientBody } from "./client-body.ts";
import { contentEncoding, createContentDecoder } from "./content-decoding.ts";
import { DecodedTap } from "./decoded-tap.ts";
import type { Answered, Delivery, DeliveryHost } from "./delivery.ts";
import { ErrorEventFilter } from "./error-events.ts";
import { CUT_OFF, NO_ANSWER } from "./failures.ts";
import { LeadingComments } from "./leading-comments.ts";
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
export class NativeDelivery implements Delivery {
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
  /** What has come and may not go out yet. */
  #held: Buffer[] | undefined;
  #heldBytes = 0;
  /** Nothing but comments has come of a stream; absent: more has, or it does not matter. */
  #comments: LeadingComments | undefined;
  /** These comments, as long as another may answer. */
  #lead: Buffer[] = [];
  #leadBytes = 0;
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
    if (encoding !== undefined) {
      const decoder = createContentDecoder(encoding);
      if (decoder === undefined) this.#tap = undefined;
      else this.#decode(decoder);
    } else if (this.#eventStream) this.#expectEvents();
    this.#isUnlabelled = this.#options.isAnswer && this.#options.stream && !this.#eventStream;
    if (this.#eventStream) this.#announceLater();
  }

  /** A client that waits for a slow beginning should at least know that there is one, and that it is kept alive. */
  #announceLater(): void {
    this.#commit ??= setTimeout(() => {
      this.#sendHead({ alone: true });
      this.#sendLead();
    }, this.#host.keepAliveMs);
  }

  #expectEvents(): void {
    if (this.#options.isAnswer && this.#status < 300) this.#comments = new LeadingComments();
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
    if (this.#decoded !== undefined) return;
    this.#expectEvents();
    this.#announceLater();
  }

  onChunk(chunk: Buffer): void {
    const decoded = this.#decoded;
    if (decoded !== undefined) {
      if (!decoded.push(chunk)) this.#host.pause(decoded.decoder);
    } else {
      this.#recognize(chunk);
      if (this.#comments !== undefined) {
        this.#onBeginning(chunk, this.#comments);
        return;
      }
      if (!this.sent && this.#held === undefined && !this.#mayBegin(chunk)) return;
      this.#tap?.push(chunk);
    }
    this.#pass(chunk);
  }

  #pass(chunk: Buffer): void {
    if (this.#held === undefined) this.#send(chunk);
    else this.#hold(chunk, this.#held);
  }

  /** Comments wait for what comes behind them: until then another may answer, and the first event is none of them. */
  #onBeginning(chunk: Buffer, comments: LeadingComments): void {
    const start = comments.startIn(chunk);
    if (start === -1) {
      this.#host.awaitEvent();
      this.#lead.push(chunk);
      this.#leadBytes += chunk.length;
      if (this.sent || this.#leadBytes > MAX_HELD) this.#sendLead();
      return;
    }
    this.#comments = undefined;
    if (!this.sent && !this.#mayBegin(chunk.subarray(start))) return;
    const all = this.#lead.length === 0 ? chunk : Buffer.concat([...this.#lead, chunk]);
    this.#lead = [];
    this.#tap?.push(all);
    this.#pass(all);
  }

  #sendLead(): void {
    const lead = this.#lead;
    this.#lead = [];
    for (const chunk of lead) {
      this.#tap?.push(chunk);
      this.#send(chunk);
    }
  }

  onEnd(trailers: UpstreamHeaders): void {
    this.#readAll((reading) => {
      if (this.#outgoing.destroyed) return;
      const { isAnswer } = this.#options;
      if (isAnswer && !this.sent && this.#isForeign(reading)) {
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
        (this.#eventStream || this.#isDocument) &&
        isAnswer &&
        reading !== undefined &&
        !reading.complete &&
        this.#decoded?.isCurtailed !== true;
      if (cutOff && !this.sent && !reading.failed) {
        this.#host.failed(CUT_OFF);
        return;
      }
      if (this.#held !== undefined) this.#release(this.#held);
      if (!this.sent) this.#sendHead({ alone: false });
      if (cutOff && !reading.failed) this.#endBroken(CUT_OFF);
      else this.#body?.end(this.#whole ?? this.#rest(), responseTrailers(trailers, this.#host.secrets));
      const used = answered(reading);
      if (refusal !== undefined) this.#host.finished("failed", used, refusal.failure);
      else if (failure !== undefined) this.#host.finished("failed", isNothing(used) ? undefined : used, failure);
      else this.#host.finished(cutOff ? "cut_off" : "completed", used);
    });
  }

  /** An answer in one piece, which has to be JSON in every dialect. */
  get #isDocument(): boolean {
    return this.#options.isAnswer && !this.#eventStream && this.#tap !== undefined && this.#status < 300;
  }

  /** A stream waits until it is known what it begins with, a document that comes in one piece for its end. */
  #decode(decoder: Transform): void {
    if (this.#options.isAnswer) this.#held = [];
    const tap: Pick<UsageTap, "push"> = { push: (chunk) => this.#tap?.push(chunk) };
    this.#decoded = new DecodedTap(tap, decoder, {
      onBeginning: (chunk) => {
        this.#recognize(chunk);
        const held = this.#held;
        if (held === undefined) return;
        this.#held = undefined;
        if (!this.sent && !this.#mayBegin(chunk)) return;
        // What may be an error is held already.
        if (this.#held !== undefined || this.#endsSoon(chunk)) this.#held = held;
        else this.#release(held);
      },
      onGivenUp: () => this.#host.resume(decoder),
    });
  }

  /** Whether this begins a document whose end is not far. One that is a list comes while its model writes. */
  #endsSoon(chunk: Buffer): boolean {
    const length = this.#headers["content-length"];
    if (!this.#isDocument) return false;
    return length === undefined ? !LIST_OF_ANSWERS.test(chunk.toString("latin1", 0, 128)) : Number(length) <= MAX_HELD;
  }

  /** Whether this is the beginning of something that is for the client. What may be an error is held until its end. */
  #mayBegin(chunk: Buffer): boolean {
    if (!this.#options.isAnswer || this.#tap === undefined || this.#status >= 300) return true;
    if (!(this.#eventStream ? beginsLikeEvents(chunk) : beginsLikeJson(chunk))) {
      this.#host.failed(NO_ANSWER, { isOfModel: mayBeOfModel(chunk) });
      return false;
    }
    if (this.#eventStream) {
      if (this.#isRefusedInBand(chunk)) return false;
      // What is compressed is not read again when more of it comes.
      if (this.#decoded === undefined && areForeignEvents(chunk.toString("latin1", 0, MAX_LOOKED_AT))) this.#held = [];
      return true;
    }
    const beginning = chunk.toString("latin1", 0, 128);
    if (ERROR_DOCUMENT.test(beginning) || mayBeForeignDocument(beginning)) this.#held = [];
    return true;
  }

  #hold(chunk: Buffer, held: Buffer[]): void {
    held.push(chunk);
    this.#heldBytes += chunk.length;
    const isKnown = this.#isReadable && holdsSign(chunk.toString("latin1"));
    if (isKnown || this.#heldBytes > MAX_HELD) this.#release(held);
  }

  /** Whether all that came is something else than an answer. */
  #isForeign(reading: TapReading | undefined): boolean {
    if (this.#isDocument) return reading?.foreign === true;
    const held = this.#isReadable ? this.#held : undefined;
    return held !== undefined && !holdsSign(Buffer.concat(held).toString("latin1"));
  }

  #release(held: readonly Buffer[]): void {
    this.#held = undefined;
    for (const chunk of held) this.#send(chunk);
  }

  #send(chunk: Buffer): void {
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
        return /"message_stop"\s*\}\s*$/.test(chunk.toString("latin1", Math.max(0, chunk.length - 32)));
      case "chat":
        return /(?:^|\n)data: ?\[DONE\]\s*$/.test(chunk.toString("latin1", Math.max(0, chunk.length - 32)));
      case "responses":
        // The last event has the whole answer in it, and may come in many pieces.
        return chunk.at(-1) === LF && this.#tap?.isSealed() === true;
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

  /** A stream whose first event is an error: as good as an HTTP error while nothing has been sent. */
  #isRefusedInBand(chunk: Buffer): boolean {
    if (!ERROR_FIRST.test(chunk.toString("latin1", 0, 64))) return false;
    clearTimeout(this.#commit);
    const failure = this.#options.errors.ofFirstEvent(chunk);
    return failure !== undefined && this.#host.refusedInBand(failure);
  }

  #readAll(done: (reading: TapReading | undefined) => void): void {
    clearTimeout(this.#commit);
    const read = (): void => done(this.#tap?.read());
    if (this.#decoded === undefined) read();
    else this.#decoded.end(read);
  }
}

const LF = 0x0a;
const EMPTY = Buffer.alloc(0);
const NO_TRAILERS: UpstreamHeaders = {};

/** Beyond this the client gets what came, whatever it is. */
const MAX_HELD = 256 * 1024;

/** In it stands the whole first event of any dialect, or what it begins with. */
const MAX_LOOKED_AT = 512;

/** As the dialects begin one; Gemini's may be the only item of a list. */
const ERROR_DOCUMENT = /^[\s\xef\xbb\xbf]*\[?\s*\{\s*"(?:error"|(?:type|object)"\s*:\s*"error")/;

/** With the beginning of an item: until that is there, it may be an error. */
const LIST_OF_ANSWERS = /^[\s\xef\xbb\xbf]*\[\s*\S/;

const ERROR_FIRST = /^\s*(?:event: ?error\r?\n|data: ?\{"(?:error"|type": ?"error"))/;

function answered(reading: TapReading | undefined): Answered {
  if (reading === undefined) return { usage: undefined, final: false, model: undefined, textBytes: 0 };
  return answeredBy(reading, { isWhole: reading.final, textBytes: reading.textBytes });
}
