import type { JsonObject } from "@loom/core";

/**
 * How a reply goes wrong. Events are counted as they go over the wire, and as `Array.slice` counts: 2 is after the
 * second event, -1 is before the last one.
 */
export type Fault =
  /** An HTTP error instead of an answer; the body is the dialect's own unless given. */
  | {
      readonly type: "status";
      readonly status: number;
      readonly body?: string | JsonObject;
      readonly headers?: Readonly<Record<string, string>>;
      /** Said inside the dialect's own body. `{key}` stands for the API key that came with the request. */
      readonly message?: string;
    }
  /** The connection is accepted and then nothing comes: not a byte, or headers only. Ends when the client leaves. */
  | { readonly type: "silence"; readonly after: "nothing" | "headers" }
  /** Some events, then nothing more until the client leaves. */
  | { readonly type: "stall"; readonly afterEvents: number }
  /** The socket is closed without an HTTP end: between events, inside the next one, or inside its first non-ASCII character. */
  | { readonly type: "cut"; readonly afterEvents: number; readonly inside?: "event" | "character" }
  /** The connection is reset before any header. */
  | { readonly type: "reset" }
  /** Some events, then the HTTP body ends properly although the answer is not complete. */
  | { readonly type: "end"; readonly afterEvents: number }
  /** Some events, then an error in the dialect's own in-band form. */
  | {
      readonly type: "error_event";
      readonly afterEvents: number;
      readonly message?: string;
      readonly errorType?: string;
    }
  /** A 200 whose body is not the protocol. */
  | { readonly type: "garbage"; readonly contentType: string; readonly body: string | Uint8Array }
  /** The right body under the wrong name. */
  | { readonly type: "content_type"; readonly contentType: string };

/** When to come back: seconds, or a date (RFC 9110, 10.2.3). */
type RetryAfter = { readonly retryAfter?: number | Date };

type StatusOptions = RetryAfter & {
  readonly body?: string | JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
};

const HTML_PAGE = "<!doctype html>\n<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n";

/** One constructor for each way a provider was seen to fail. */
export const fault = {
  /** 401, 404, 429, 500, 529 and so on, e.g. `fault.status(429, { retryAfter: 1 })`. */
  status(status: number, options: StatusOptions = {}): Fault {
    const { retryAfter, headers, ...rest } = options;
    const wait = retryAfter === undefined ? {} : { "retry-after": retryAfterText(retryAfter) };
    return { type: "status", status, ...rest, headers: { ...wait, ...headers } };
  },
  /** A provider that quotes the whole API key in its error message, as some compatible servers do. */
  echoKey(status = 401): Fault {
    return { type: "status", status, message: "The API key {key} is not valid." };
  },
  /** Accepts and never answers. */
  neverAnswer(): Fault {
    return { type: "silence", after: "nothing" };
  },
  /** 200 and headers, then nothing. */
  headersOnly(): Fault {
    return { type: "silence", after: "headers" };
  },
  /** Silence after some events, with the connection open. */
  stallAfter(events: number): Fault {
    return { type: "stall", afterEvents: events };
  },
  /** The socket closes between two events. */
  cutAfter(events: number): Fault {
    return { type: "cut", afterEvents: events };
  },
  /** The socket closes half-way through an event. */
  cutInsideEvent(afterEvents: number): Fault {
    return { type: "cut", afterEvents, inside: "event" };
  },
  /** The socket closes inside the first non-ASCII character at or after an event; the reply must hold one. */
  cutInsideCharacter(afterEvents = 0): Fault {
    return { type: "cut", afterEvents, inside: "character" };
  },
  /** The connection is reset before any header. */
  reset(): Fault {
    return { type: "reset" };
  },
  /** The body ends properly, too early. */
  endAfter(events: number): Fault {
    return { type: "end", afterEvents: events };
  },
  /** All but the last event (`message_stop`, `[DONE]`, `response.completed`), then a proper end. */
  noFinalMarker(): Fault {
    return { type: "end", afterEvents: -1 };
  },
  /** An error in the stream, after some events. */
  errorEvent(afterEvents: number, options: { readonly message?: string; readonly errorType?: string } = {}): Fault {
    return { type: "error_event", afterEvents, ...options };
  },
  /** A web page with status 200, as captive portals and wrong base URLs give. */
  html(): Fault {
    return { type: "garbage", contentType: "text/html; charset=utf-8", body: HTML_PAGE };
  },
  /** Bytes that are no text in any encoding, declared as the stream that was asked for. */
  binary(): Fault {
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => (index * 89 + 0xfe) % 256);
    return { type: "garbage", contentType: "text/event-stream", body: bytes };
  },
  /** The right bytes with another content type. */
  contentType(contentType: string): Fault {
    return { type: "content_type", contentType };
  },
} as const;

function retryAfterText(retryAfter: number | Date): string {
  return typeof retryAfter === "number" ? String(retryAfter) : retryAfter.toUTCString();
}
