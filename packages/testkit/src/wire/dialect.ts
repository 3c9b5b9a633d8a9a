import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject, StopReason, Usage } from "@loom/core";
import type { NormalizedRequest } from "../model/normalized-request.ts";
import type { ScriptedThinking } from "../model/reply.ts";

/** One server-sent event. */
export type SseEvent = { readonly event?: string; readonly data: string };

export type PreparedToolCall = {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly fragments: readonly string[];
};

/** A reply with every default filled in and its text cut into deltas. */
export type PreparedReply = {
  /** Number of the request, for ids. */
  readonly number: number;
  readonly thinking: ScriptedThinking | undefined;
  readonly text: string;
  readonly textDeltas: readonly string[];
  readonly toolCalls: readonly PreparedToolCall[];
  readonly interleave: boolean;
  readonly stopReason: StopReason;
  readonly usage: Usage;
};

export type ErrorDetails = {
  readonly status: number;
  readonly message?: string | undefined;
  readonly errorType?: string | undefined;
  readonly requestId: string;
};

/** One provider's wire format, the server's side of it. */
export type Dialect = {
  readonly toolCallPrefix: string;
  readonly requestIdHeader: string;
  /** Header checks besides the key; throws `RefusedRequest`. */
  checkHeaders(headers: IncomingHttpHeaders): void;
  /** Reads a request the way the provider does; throws `RefusedRequest` where it would answer 400. */
  readRequest(body: JsonObject): NormalizedRequest;
  /** The streamed answer; the last event is the final marker. */
  events(reply: PreparedReply, request: NormalizedRequest, body: JsonObject): readonly SseEvent[];
  /** The answer in one piece. */
  response(reply: PreparedReply, request: NormalizedRequest): JsonObject;
  unknownModelMessage(model: string): string;
  errorBody(details: ErrorDetails): JsonObject;
  /** An error in the middle of a stream. */
  errorEvent(details: ErrorDetails): SseEvent;
  /** What this provider, or a newer version of it, slips in between and every client must skip. */
  readonly noiseEvents: readonly SseEvent[];
};

/** The request is one the provider refuses. */
export class RefusedRequest extends Error {
  readonly status: number;
  readonly errorType: string | undefined;

  constructor(message: string, options: { readonly status?: number; readonly errorType?: string } = {}) {
    super(message);
    this.name = "RefusedRequest";
    this.status = options.status ?? 400;
    this.errorType = options.errorType;
  }
}

/** An event whose name is the `type` of its data, as Anthropic and Responses streams have them. */
export function typedEvent(type: string, fields: JsonObject): SseEvent {
  return { event: type, data: JSON.stringify({ type, ...fields }) };
}
