import type { IncomingMessage } from "node:http";
import type { LlmEvent, LlmFailure } from "@loom/core";
import type { LlmStreamDecoder } from "@loom/llm";
import { connectionError } from "./exchange-error.ts";

/** Milliseconds. They stand still while the reader is the slow one. */
export type StreamDeadlines = {
  /** From the response's header section to the first event. */
  readonly firstEventMs: number;
  /** Between two events. */
  readonly gapMs: number;
  /** Between two chunks, whatever is in them, keep-alive comments too. */
  readonly silenceMs: number;
};

export type EventBatchOptions = {
  readonly deadlines: StreamDeadlines;
  readonly signal?: AbortSignal | undefined;
  /** Makes a sentence of what the other side did, e.g. "closed the connection". */
  readonly sentence: (clause: string) => string;
};

/** Batches that wait for a slow reader before the other side is slowed down too. */
const MAX_WAITING_BATCHES = 8;

/** How long a stream may stay open after its last event. Ended in time, its connection is used again. */
const LINGER_MS = 1_000;

type Batch = readonly LlmEvent[];
type Result = IteratorResult<Batch, undefined>;

/**
 * The events of a streamed response, one batch for each read from the network that completes any. Ends after one `completed` or
 * `error` event, whatever happens: broken connection, deadline, cancellation. Destroys the response when it is left
 * early. Hand-written because Node's own stream iterator costs several times as much for each chunk.
 */
export class EventBatches implements AsyncIterableIterator<Batch, undefined> {
  readonly #response: IncomingMessage;
  readonly #decoder: LlmStreamDecoder;
  readonly #options: EventBatchOptions;
  /** Bytes of this tick. */
  readonly #received: Buffer[] = [];
  readonly #queue: Batch[] = [];
  #waiting: ((result: Result) => void) | undefined;
  #finished = false;
  #started = false;
  #paused = false;
  #progress: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(response: IncomingMessage, decoder: LlmStreamDecoder, options: EventBatchOptions) {
    this.#response = response;
    this.#decoder = decoder;
    this.#options = options;
    this.#startTimers();
    response.on("data", this.#onData);
    response.once("end", this.#onEnd);
    response.on("error", (error) => this.#fail(broken(options.sentence(connectionError(error).message))));
    response.once("close", () => this.#fail(broken(options.sentence("closed the connection"))));
    if (options.signal?.aborted === true) this.#onAbort();
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    const batch = this.#queue.shift();
    if (batch !== undefined) {
      if (this.#paused && this.#queue.length === 0) this.#resume();
      return Promise.resolve({ done: false, value: batch });
    }
    if (this.#finished) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** The reader wants no more. */
  return(): Promise<Result> {
    // After the last event there is nothing to cut off, and the connection is good for another request.
    if (!this.#finished) {
      this.#finish();
      this.#response.destroy();
    }
    this.#queue.length = 0;
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#finished) return;
    this.#received.push(bytes);
    if (this.#received.length === 1) process.nextTick(this.#decode);
  };

  /** One read from the socket gives as many chunks as the sender wrote: decoded together, they cost a tenth. */
  readonly #decode = (): void => {
    if (this.#finished || this.#received.length === 0) return;
    const [first] = this.#received;
    const bytes = this.#received.length === 1 && first !== undefined ? first : Buffer.concat(this.#received);
    this.#received.length = 0;
    this.#silence?.refresh();
    const events = this.#decoded(() => this.#decoder.push(bytes));
    if (events.length > 0) this.#deliver(events);
  };

  /** Decoders never throw; one that does must not take the process with it, because nobody stands above this stack. */
  #decoded(work: () => LlmEvent[]): LlmEvent[] {
    try {
      return work();
    } catch {
      const message = this.#options.sentence("sent something that made the decoder fail");
      return [{ type: "error", error: { code: "internal", message, retryable: false } }];
    }
  }

  readonly #onEnd = (): void => {
    this.#decode();
    if (this.#finished) return;
    const events = this.#decoded(() => this.#decoder.end());
    if (isTerminal(events.at(-1))) this.#deliver(events);
    else this.#fail(broken(this.#options.sentence("ended its answer too early")));
  };

  readonly #onAbort = (): void => {
    const message = this.#options.sentence("was asked to stop");
    this.#fail({ code: "network", message, retryable: false });
  };

  #deliver(events: Batch): void {
    const terminal = isTerminal(events.at(-1));
    if (terminal) this.#finish();
    else this.#noteProgress();
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting({ done: false, value: events });
      return;
    }
    this.#queue.push(events);
    if (!terminal && this.#queue.length >= MAX_WAITING_BATCHES) this.#pause();
  }

  #fail(error: LlmFailure): void {
    this.#decode();
    if (this.#finished) return;
    this.#deliver([{ type: "error", error }]);
    this.#response.destroy();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#stopTimers();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.#paused) this.#response.resume();
    if (this.#response.readableEnded) return;
    const linger = setTimeout(() => this.#response.destroy(), LINGER_MS);
    linger.unref();
    this.#response.once("close", () => clearTimeout(linger));
  }

  #noteProgress(): void {
    if (this.#started) {
      this.#progress?.refresh();
      return;
    }
    this.#started = true;
    clearTimeout(this.#progress);
    if (!this.#paused) this.#startProgressTimer();
  }

  #pause(): void {
    this.#paused = true;
    this.#response.pause();
    this.#stopTimers();
  }

  #resume(): void {
    this.#paused = false;
    this.#response.resume();
    if (!this.#finished) this.#startTimers();
  }

  #startTimers(): void {
    this.#startProgressTimer();
    const { silenceMs } = this.#options.deadlines;
    this.#silence = setTimeout(() => this.#timeOut("sent nothing for", silenceMs), silenceMs);
  }

  #startProgressTimer(): void {
    const { firstEventMs, gapMs } = this.#options.deadlines;
    this.#progress = this.#started
      ? setTimeout(() => this.#timeOut("stopped in the middle of its answer for", gapMs), gapMs)
      : setTimeout(() => this.#timeOut("did not begin its answer within", firstEventMs), firstEventMs);
  }

  #stopTimers(): void {
    clearTimeout(this.#progress);
    clearTimeout(this.#silence);
  }

  #timeOut(clause: string, ms: number): void {
    const message = this.#options.sentence(`${clause} ${ms / 1000} s`);
    this.#fail({ code: "timeout", message, retryable: true });
  }
}

function isTerminal(event: LlmEvent | undefined): boolean {
  return event !== undefined && (event.type === "completed" || event.type === "error");
}

function broken(message: string): LlmFailure {
  return { code: "network", message, retryable: true };
}
