import { JSON_BOUNDS, type JsonBounds, type LlmEvent, type LlmFailure } from "@loom/core";
import type { LlmStreamDecoder } from "./codec.ts";
import { parsePlainJson, plainString } from "./json-reader.ts";
import { readLoomEvent } from "./loom-event-shape.ts";
import { SseDecoder, type SseEvent } from "./sse.ts";

const CUT_OFF: LlmFailure = {
  code: "network",
  message: "The server went away in mid-stream: try again.",
  retryable: true,
};

const FOREIGN: LlmFailure = {
  code: "invalid_response",
  message: "The server sent an event that this version of Loom does not understand: update both to the same version.",
  retryable: false,
};

/** Loom's own stream format: server-sent events, each with an `LlmEvent` as JSON, named by its type. */
export const loomEvents = {
  encode: encodeLoomEvents,
  /** Events of an unknown type are skipped; a known one of the wrong shape ends the stream with an error. */
  decoder: (): LlmStreamDecoder => new LoomEventDecoder(),
  /** A comment: it keeps the connection from looking dead and means nothing. */
  keepAlive: ": ping\n\n",
};

function encodeLoomEvents(events: readonly LlmEvent[]): string {
  let text = "";
  for (const event of events) {
    // Deltas come by the thousand; their envelope is written out instead of built.
    text +=
      event.type === "text_delta" || event.type === "thinking_delta"
        ? `event: ${event.type}\ndata: {"type":"${event.type}","text":${JSON.stringify(event.text)}}\n\n`
        : `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  }
  return text;
}

/** A tool's input may be as deep as JSON may be, and lies a few levels deep in its event. */
const EVENT_BOUNDS: JsonBounds = { ...JSON_BOUNDS, depth: JSON_BOUNDS.depth + 16 };

const TEXT_DELTA = '{"type":"text_delta","text":"';

/** A text delta as it is encoded above: most of a stream, at half the price. */
function readTextDelta(data: string): LlmEvent | undefined {
  const text = data.startsWith(TEXT_DELTA) ? plainString(data, TEXT_DELTA.length, "}") : undefined;
  return text === undefined ? undefined : { type: "text_delta", text };
}

class LoomEventDecoder implements LlmStreamDecoder {
  readonly #sse = new SseDecoder();
  #ended = false;

  push(bytes: Uint8Array): LlmEvent[] {
    const events: LlmEvent[] = [];
    if (this.#ended) return events;
    for (const wireEvent of this.#sse.push(bytes)) {
      this.#read(wireEvent, events);
      if (this.#ended) return events;
    }
    if (this.#sse.failure !== undefined) this.#end(this.#sse.failure, events);
    return events;
  }

  end(): LlmEvent[] {
    const events: LlmEvent[] = [];
    if (!this.#ended) this.#end(CUT_OFF, events);
    return events;
  }

  #read({ data }: SseEvent, events: LlmEvent[]): void {
    const event = readTextDelta(data) ?? readLoomEvent(parsePlainJson(data, EVENT_BOUNDS));
    if (event === "unknown") return;
    if (event === "malformed") {
      this.#end(FOREIGN, events);
      return;
    }
    events.push(event);
    if (event.type === "completed" || event.type === "error") this.#ended = true;
  }

  #end(error: LlmFailure, events: LlmEvent[]): void {
    this.#ended = true;
    events.push({ type: "error", error });
  }
}
