import type { ServerResponse } from "node:http";
import type { LlmEvent } from "@loom/core";
import { loomEvents } from "@loom/llm";
import { COMMON_HEADERS } from "../../kit/problem-reply.ts";
import { mergeDeltas } from "./merge-deltas.ts";
import { problemFor } from "./problem-for.ts";

export type EventStreamOptions = {
  readonly requestId: string;
  /** After so much silence of the provider a comment goes to the client, and again after as much. */
  readonly keepAliveMs: number;
  /** A client that takes nothing for so long is given up. */
  readonly stallMs: number;
};

/** Proxies in between neither store nor compress the stream, and nginx does not hold it back. */
const STREAM_HEADERS = {
  ...COMMON_HEADERS,
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
};

type Batches = AsyncIterator<readonly LlmEvent[], undefined>;

/**
 * Writes events to a client. Nothing goes out before the first event, or the first keep-alive, so that a provider that
 * fails at once still becomes an HTTP problem. The provider is read no faster than the client reads.
 * @throws ProblemError while nothing has been sent.
 */
export async function sendEvents(
  outgoing: ServerResponse,
  batches: Batches,
  options: EventStreamOptions,
): Promise<void> {
  let keepAlive: NodeJS.Timeout | undefined;
  try {
    let next = batches.next();
    const early = await within(next, options.keepAliveMs);
    const first = early?.value?.[0];
    if (first?.type === "error") throw problemFor(first.error);
    outgoing.writeHead(200, { ...STREAM_HEADERS, "x-request-id": options.requestId });
    if (early === undefined) outgoing.write(loomEvents.keepAlive);
    keepAlive = setInterval(() => {
      if (!outgoing.writableNeedDrain) outgoing.write(loomEvents.keepAlive);
    }, options.keepAliveMs);
    for (;;) {
      const result = await next;
      if (result.done === true || outgoing.destroyed) break;
      const events = mergeDeltas(result.value);
      const text = loomEvents.encode(events);
      // The end goes out with the last event: who has read that one may close the connection.
      if (isLast(events.at(-1))) {
        outgoing.end(text);
        break;
      }
      keepAlive.refresh();
      if (!outgoing.write(text) && !(await drained(outgoing, options.stallMs))) break;
      next = batches.next();
    }
    if (!outgoing.writableEnded) outgoing.end();
  } finally {
    clearInterval(keepAlive);
    await batches.return?.();
  }
}

function isLast(event: LlmEvent | undefined): boolean {
  return event?.type === "completed" || event?.type === "error";
}

/** Gives `undefined` where `work` takes longer; it goes on. */
function within<Result>(work: Promise<Result>, ms: number): Promise<Result | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Whether the client took what was waiting for it; if it does not for too long, its connection is cut. */
function drained(outgoing: ServerResponse, stallMs: number): Promise<boolean> {
  if (outgoing.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (result: boolean): void => {
      clearTimeout(timer);
      outgoing.off("drain", onDrain);
      // "drain" never comes on a connection that is gone.
      outgoing.off("close", onClose);
      resolve(result);
    };
    const onDrain = (): void => settle(true);
    const onClose = (): void => settle(false);
    const timer = setTimeout(() => outgoing.destroy(), stallMs);
    outgoing.once("drain", onDrain);
    outgoing.once("close", onClose);
  });
}
