import { areForeignEvents, holdsSign, mayBeForeignDocument } from "./answer-signs.ts";
import { beginsLikeEvents, beginsLikeJson, mayBeOfModel } from "./beginnings.ts";
import type { Delivery, DeliveryHost } from "./delivery.ts";
import { NO_ANSWER } from "./failures.ts";
import { LeadingComments } from "./leading-comments.ts";
import type { UpstreamErrors } from "./upstream-errors.ts";
import type { TapReading } from "./usage-tap/tap-reading.ts";

/** What an answer of a model comes as. */
export type AnswerForm = "events" | "document";

export type GatedAnswer = {
  /** Absent: it is no answer of a model, or one that cannot be read, and goes out as it comes. */
  readonly form: AnswerForm | undefined;
  /** Only what was decoded says what it is. */
  readonly isCompressed: boolean;
  /** Of the whole body in bytes, where its head says so. */
  readonly length: number | undefined;
};

/** Where an answer goes through the gate. */
export type GateExit = Pick<Delivery, "sent"> & {
  /** This is of the answer, though it may have to wait. Not told of what is compressed. */
  onAdmitted(chunk: Buffer): void;
  send(chunk: Buffer): void;
};

/**
 * What of an upstream's bytes may go out already. As long as nothing has, somebody else may answer: so nothing does before it
 * begins like an answer, and what may be an error, or nothing of a model's, waits for its end.
 */
export class AnswerGate {
  readonly #host: Pick<DeliveryHost, "failed" | "refusedInBand" | "awaitEvent">;
  readonly #errors: UpstreamErrors;
  readonly #exit: GateExit;
  readonly #answer: GatedAnswer;
  #form: AnswerForm | undefined;
  /** What has come and may not go out yet. */
  #held: Buffer[] | undefined;
  #heldBytes = 0;
  /** Nothing but comments has come of a stream; absent: more has, or it does not matter. */
  #comments: LeadingComments | undefined;
  /** These comments, as long as another may answer. */
  #lead: Buffer[] = [];
  #leadBytes = 0;

  constructor(
    host: Pick<DeliveryHost, "failed" | "refusedInBand" | "awaitEvent">,
    errors: UpstreamErrors,
    exit: GateExit,
    answer: GatedAnswer,
  ) {
    this.#host = host;
    this.#errors = errors;
    this.#exit = exit;
    this.#answer = answer;
    this.#form = answer.form;
    // A stream waits until it is known what it begins with, a document that comes in one piece for its end.
    if (answer.isCompressed && answer.form !== undefined) this.#held = [];
    if (answer.form === "events") this.areEvents();
  }

  /** The answer is in events, as is known by its head or by its first bytes. */
  areEvents(): void {
    if (this.#form === undefined) return;
    this.#form = "events";
    if (!this.#answer.isCompressed) this.#comments = new LeadingComments();
  }

  /** The next bytes of an answer that is not compressed. */
  push(chunk: Buffer): void {
    if (this.#comments !== undefined) {
      this.#onBeginning(chunk, this.#comments);
      return;
    }
    if (!this.#exit.sent && this.#held === undefined && !this.#mayBegin(chunk)) return;
    this.#admit(chunk);
  }

  /** What a compressed answer begins with. */
  onDecodedBeginning(chunk: Buffer): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    if (!this.#exit.sent && !this.#mayBegin(chunk)) return;
    // What may be an error is held already.
    if (this.#held !== undefined || this.#endsSoon(chunk)) this.#held = held;
    else this.#release(held);
  }

  /** The next bytes of an answer as they are for the client. */
  pass(chunk: Buffer): void {
    if (this.#held === undefined) this.#exit.send(chunk);
    else this.#hold(chunk, this.#held);
  }

  /** Nobody else is to answer any more: what is said before the first event goes out. */
  sendComments(): void {
    const lead = this.#lead;
    this.#lead = [];
    for (const chunk of lead) {
      this.#exit.onAdmitted(chunk);
      this.#exit.send(chunk);
    }
  }

  /** Whether all that came, to its end, is something else than an answer. */
  isForeign(reading: TapReading | undefined): boolean {
    if (this.#form === "document") return reading?.foreign === true;
    const held = this.#isReadable ? this.#held : undefined;
    return held !== undefined && !holdsSign(Buffer.concat(held).toString("latin1"));
  }

  /** Sends what is held. */
  open(): void {
    if (this.#held !== undefined) this.#release(this.#held);
  }

  /** Whether these are events that are looked at as they go out. */
  get #isReadable(): boolean {
    return this.#form === "events" && !this.#answer.isCompressed;
  }

  #admit(chunk: Buffer): void {
    this.#exit.onAdmitted(chunk);
    this.pass(chunk);
  }

  /** Comments wait for what comes behind them: until then another may answer, and the first event is none of them. */
  #onBeginning(chunk: Buffer, comments: LeadingComments): void {
    const start = comments.startIn(chunk);
    if (start === -1) {
      this.#host.awaitEvent();
      this.#lead.push(chunk);
      this.#leadBytes += chunk.length;
      if (this.#exit.sent || this.#leadBytes > MAX_HELD) this.sendComments();
      return;
    }
    this.#comments = undefined;
    if (!this.#exit.sent && !this.#mayBegin(chunk.subarray(start))) return;
    const all = this.#lead.length === 0 ? chunk : Buffer.concat([...this.#lead, chunk]);
    this.#lead = [];
    this.#admit(all);
  }

  /** Whether this is the beginning of something that is for the client. What may be an error is held until its end. */
  #mayBegin(chunk: Buffer): boolean {
    if (this.#form === undefined) return true;
    const isEvents = this.#form === "events";
    if (!(isEvents ? beginsLikeEvents(chunk) : beginsLikeJson(chunk))) {
      this.#host.failed(NO_ANSWER, { isOfModel: mayBeOfModel(chunk) });
      return false;
    }
    if (isEvents) {
      if (this.#isRefusedInBand(chunk)) return false;
      // What is compressed is not read again when more of it comes.
      if (this.#isReadable && areForeignEvents(chunk.toString("latin1", 0, MAX_LOOKED_AT))) this.#held = [];
      return true;
    }
    const beginning = chunk.toString("latin1", 0, 128);
    if (ERROR_DOCUMENT.test(beginning) || mayBeForeignDocument(beginning)) this.#held = [];
    return true;
  }

  /** A stream whose first event is an error: as good as an HTTP error while nothing has been sent. */
  #isRefusedInBand(chunk: Buffer): boolean {
    if (!ERROR_FIRST.test(chunk.toString("latin1", 0, 64))) return false;
    const failure = this.#errors.ofFirstEvent(chunk);
    return failure !== undefined && this.#host.refusedInBand(failure);
  }

  /** Whether this begins a document whose end is not far. One that is a list comes while its model writes. */
  #endsSoon(chunk: Buffer): boolean {
    const { length } = this.#answer;
    if (this.#form !== "document") return false;
    return length === undefined ? !LIST_OF_ANSWERS.test(chunk.toString("latin1", 0, 128)) : length <= MAX_HELD;
  }

  #hold(chunk: Buffer, held: Buffer[]): void {
    held.push(chunk);
    this.#heldBytes += chunk.length;
    const isKnown = this.#isReadable && holdsSign(chunk.toString("latin1"));
    if (isKnown || this.#heldBytes > MAX_HELD) this.#release(held);
  }

  #release(held: readonly Buffer[]): void {
    this.#held = undefined;
    for (const chunk of held) this.#exit.send(chunk);
  }
}

/** Beyond this the client gets what came, whatever it is. */
const MAX_HELD = 256 * 1024;

/** In it stands the whole first event of any dialect, or what it begins with. */
const MAX_LOOKED_AT = 512;

/** As the dialects begin one; Gemini's may be the only item of a list. */
const ERROR_DOCUMENT = /^[\s\xef\xbb\xbf]*\[?\s*\{\s*"(?:error"|(?:type|object)"\s*:\s*"error")/;

/** With the beginning of an item: until that is there, it may be an error. */
const LIST_OF_ANSWERS = /^[\s\xef\xbb\xbf]*\[\s*\S/;

const ERROR_FIRST = /^\s*(?:event: ?error[\r\n]|data: ?\{"(?:error"|type": ?"error"))/;
