import { codeOf, connectionError } from "@loom/api/http";
import type { LlmFailure } from "@loom/core";
import type { UpstreamDeadlines } from "../../config.ts";
import type { Deadlines, Waiter } from "./deadlines.ts";
import {
  CONNECT_TIMED_OUT,
  type Transport,
  type UpstreamControl,
  type UpstreamHandler,
  type UpstreamHeaders,
  type UpstreamRequest,
} from "./transport.ts";
import type { Upstream } from "./upstream.ts";

/** Who is told how an attempt goes: a head, chunks and an end; or, at any point, one refusal or failure instead. */
export type AttemptListener = {
  onHead(status: number, headers: UpstreamHeaders): void;
  onChunk(chunk: Buffer): void;
  onEnd(trailers: UpstreamHeaders): void;
  /** A status of 400 and more, with as much of its body as is kept. */
  onRefused(refusal: Refusal): void;
  /** `byClient`: it took nothing for too long, and the upstream is not to blame. */
  onFailed(failure: LlmFailure, options?: { readonly byClient: boolean }): void;
  /** This machine could not open a connection; nobody else is to blame, and another upstream would not do better. */
  onUnable(code: string): void;
};

export type Refusal = { readonly status: number; readonly headers: UpstreamHeaders; readonly body: Buffer };

/** Longer error bodies are cut. */
const MAX_ERROR_BYTES = 256 * 1024;
const ERROR_BODY_MS = 10_000;
/** A client that takes nothing for so long is given up. */
const CLIENT_STALL_MS = 300_000;

/** One request to one upstream, with its deadlines. Tells its listener nothing more once it was aborted. */
export class Attempt implements UpstreamHandler, Waiter {
  readonly #upstream: Upstream;
  readonly #deadlines: UpstreamDeadlines;
  readonly #clock: Deadlines;
  readonly #stream: boolean;
  readonly #listener: AttemptListener;
  #control: UpstreamControl | undefined;
  #waits = false;
  /** What is waited for is waited for until then. */
  deadline = 0;
  place = -1;
  #reason: WaitReason = "headers";
  /** Until when the first event of a stream has to be there. */
  #firstEventAt = 0;
  #phase: "connecting" | "waiting" | "head" | "body" | "refusal" | "over" = "connecting";
  #refusal: { status: number; headers: UpstreamHeaders; parts: Buffer[]; size: number } | undefined;
  #paused = false;
  /** That nothing has changed may be said of what was asked. */
  #mayBeUnchanged = false;
  /** For so long the end of the body is waited for, in milliseconds; absent: more of it has to come. */
  #endMs: number | undefined;

  constructor(
    upstream: Upstream,
    {
      deadlines,
      clock,
      stream,
    }: { readonly deadlines: UpstreamDeadlines; readonly clock: Deadlines; readonly stream: boolean },
    listener: AttemptListener,
  ) {
    this.#upstream = upstream;
    this.#deadlines = deadlines;
    this.#clock = clock;
    this.#stream = stream;
    this.#listener = listener;
  }

  /** Does nothing where it was aborted before. */
  start(transport: Transport, request: UpstreamRequest): void {
    if (this.#phase === "over") return;
    this.#mayBeUnchanged = request.method === "GET" || request.method === "HEAD";
    transport.dispatch(this.#upstream.origin, request, this, this.#deadlines.connectMs);
  }

  /** Whether the upstream may have seen the request. */
  get reached(): boolean {
    return this.#control !== undefined;
  }

  /** The client is slow: the upstream is slowed down, and its deadlines stand still. */
  pause(): void {
    if (this.#phase === "over" || this.#paused) return;
    this.#paused = true;
    this.#control?.pause();
    this.#wait(CLIENT_STALL_MS, "client");
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#control?.resume();
    if (this.#phase === "head") this.#waitForFirstEvent();
    else if (this.#phase !== "over") this.#wait(this.#endMs ?? this.#deadlines.gapMs, "gap");
  }

  abort(): void {
    if (this.#phase === "over") return;
    this.#end();
    this.#control?.abort(ABORTED);
  }

  /** What has come is no event: the first one has to be there as soon as if nothing had come. */
  awaitEvent(): void {
    if (this.#phase !== "body") return;
    this.#phase = "head";
    if (this.#paused) return;
    this.#reason = "first_event";
    this.deadline = this.#firstEventAt;
  }

  /** All has come that was to come: the end of the body is waited for, and not longer than this for anything else. */
  expectEnd(ms: number): void {
    if (this.#phase !== "body") return;
    this.#endMs = Math.min(ms, this.#deadlines.gapMs);
    if (!this.#paused) this.#wait(this.#endMs, "gap");
  }

  /** Nothing more is wanted, but the connection may end well and be used again. */
  leave(ms: number): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    if (this.#paused) this.#control?.resume();
    this.#wait(ms, "linger");
  }

  onRequestStart(control: UpstreamControl): void {
    this.#control = control;
    if (this.#phase === "over") {
      control.abort(ABORTED);
      return;
    }
    this.#phase = "waiting";
    const { headersMs, completeMs } = this.#deadlines;
    this.#wait(this.#stream ? headersMs : completeMs, "headers");
  }

  onResponseStart(control: UpstreamControl, status: number, headers: UpstreamHeaders): void {
    if (status < 200 || this.#phase === "over") return;
    if (status >= 400) {
      this.#phase = "refusal";
      this.#refusal = { status, headers, parts: [], size: 0 };
      this.#wait(ERROR_BODY_MS, "refusal");
      return;
    }
    if (status >= 300 && !(status === 304 && this.#mayBeUnchanged)) {
      const clause = status === 304 ? "answered that nothing has changed" : "sent the request elsewhere";
      this.#fail("invalid_response", `${clause} (HTTP ${status})`);
      control.abort(ABORTED);
      return;
    }
    this.#phase = "head";
    this.#waitForFirstEvent();
    this.#listener.onHead(status, headers);
  }

  onResponseData(_control: UpstreamControl, chunk: Buffer): void {
    switch (this.#phase) {
      case "body":
        this.#endMs = undefined;
        this.#waitForGap();
        this.#listener.onChunk(chunk);
        return;
      case "head":
        this.#phase = "body";
        this.#waitForGap();
        this.#listener.onChunk(chunk);
        return;
      case "refusal":
        this.#collect(chunk);
    }
  }

  onResponseEnd(_control: UpstreamControl, trailers: UpstreamHeaders): void {
    if (this.#phase === "refusal") this.#refuse();
    else if (this.#phase !== "over") {
      this.#end();
      this.#listener.onEnd(trailers);
    } else this.#stopWaiting();
  }

  onResponseError(_control: UpstreamControl, error: Error): void {
    if (this.#phase === "over") {
      this.#stopWaiting();
      return;
    }
    if (this.#phase === "refusal") {
      this.#refuse();
      return;
    }
    if (codeOf(error) === CONNECT_TIMED_OUT) {
      this.#fail(
        "timeout",
        `did not accept a connection within ${this.#deadlines.connectMs / 1000} s (connect time-out)`,
      );
      return;
    }
    if (!this.reached && OWN_LACKS.has(codeOf(error))) {
      this.#end();
      this.#listener.onUnable(codeOf(error));
      return;
    }
    this.#fail("network", connectionError(error).message);
  }

  #collect(chunk: Buffer): void {
    const refusal = this.#refusal;
    if (refusal === undefined) return;
    refusal.parts.push(chunk.subarray(0, MAX_ERROR_BYTES - refusal.size));
    refusal.size += chunk.length;
    if (refusal.size >= MAX_ERROR_BYTES) this.#refuse();
  }

  /** Also with half a body: what is there says more than nothing. */
  #refuse(): void {
    const refusal = this.#refusal;
    if (this.#phase !== "refusal" || refusal === undefined) return;
    this.leave(LINGER_MS);
    const { status, headers, parts } = refusal;
    this.#listener.onRefused({ status, headers, body: Buffer.concat(parts) });
  }

  #fail(code: LlmFailure["code"], clause: string, { byClient } = { byClient: false }): void {
    this.#end();
    this.#control?.abort(ABORTED);
    const { name, origin } = this.#upstream;
    const message = `The provider ${name} at ${origin} ${clause}: try again, or check its address on the server.`;
    this.#listener.onFailed({ code, message, retryable: code !== "invalid_response" }, { byClient });
  }

  #end(): void {
    this.#phase = "over";
    this.#stopWaiting();
  }

  #stopWaiting(): void {
    if (this.#waits) this.#clock.delete(this);
    this.#waits = false;
  }

  #waitForFirstEvent(): void {
    this.#wait(this.#deadlines.firstEventMs, "first_event");
    this.#firstEventAt = this.deadline;
  }

  /** What was on its way when it was paused says nothing of the client, who is waited for still. */
  #waitForGap(): void {
    if (!this.#paused) this.#wait(this.#deadlines.gapMs, "gap");
  }

  #wait(ms: number, reason: WaitReason): void {
    this.#reason = reason;
    if (!this.#waits) {
      this.#waits = true;
      this.#clock.add(this);
    }
    this.deadline = this.#clock.after(ms);
  }

  onDeadline(): void {
    this.#waits = false;
    const { headersMs, completeMs, firstEventMs, gapMs } = this.#deadlines;
    switch (this.#reason) {
      case "headers":
        if (this.#stream) this.#fail("timeout", `did not answer within ${headersMs / 1000} s (headers time-out)`);
        else this.#fail("timeout", `did not answer within ${completeMs / 1000} s (complete time-out)`);
        break;
      case "first_event":
        this.#fail("timeout", `did not begin its answer within ${firstEventMs / 1000} s (first event time-out)`);
        break;
      case "gap":
        this.#fail("timeout", `stopped in the middle of its answer for ${gapMs / 1000} s (gap time-out)`);
        break;
      case "client":
        this.#fail("timeout", "had an answer that nobody took", { byClient: true });
        break;
      case "refusal":
        this.#refuse();
        break;
      case "linger":
        this.#control?.abort(ABORTED);
    }
  }
}

/** No descriptor, no memory for a socket, no local port. */
const OWN_LACKS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "EADDRNOTAVAIL"]);

type WaitReason = "headers" | "first_event" | "gap" | "client" | "refusal" | "linger";

/** For the end of a body that nobody reads any more. */
export const LINGER_MS = 1_000;

/** For the mark that ends an answer which has said why it stops and what it used. */
export const SEAL_MS = 5_000;

const ABORTED = new Error("Nobody waits for this answer any more.");
