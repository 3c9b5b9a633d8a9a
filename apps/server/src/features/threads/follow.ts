import type { ServerResponse } from "node:http";
import type { Call } from "../../kit/call.ts";
import { eventIdOf, type GoingOn } from "./follow-place.ts";
import { eventsOf, type Listener, type LiveHub, type News } from "./live-hub.ts";
import type { ThreadAccess } from "./thread-row.ts";

export type FollowOptions = {
  readonly id: string;
  readonly from: GoingOn;
  readonly hub: LiveHub;
  /** Whether the client may have what was appended to the thread when it was like this. */
  readonly mayRead: (access: ThreadAccess) => boolean;
  /** Records behind a version, some of them at a time; `undefined` where the thread was replaced or may not be read any more. */
  readonly read: (after: number) => Promise<readonly string[] | undefined>;
  /** Milliseconds of silence after which a comment is sent. */
  readonly heartbeatMs: number;
  /** Milliseconds after which the client has to come back, and show again who it is. */
  readonly lifeMs: number;
  /** Milliseconds for which a client may take nothing of what is written. */
  readonly patienceMs: number;
};

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
};

/** Records that wait for one listener in memory, in UTF-16 units. What is more is read from the store again. */
const MAX_WAITING_UNITS = 256 * 1024;

/**
 * Sends a thread's records from a version on, as they come, until the client is gone. Each is one event whose id is the
 * place behind it (HTML, 9.2); `replaced` comes first where a client has to begin again. What is written faster than a
 * client reads does not pile up: it is read from the store when there is room, and a client that takes nothing for long is
 * let go; it can come back with Last-Event-ID.
 */
export function follow(call: FollowedCall, options: FollowOptions): Promise<void> {
  return new Follower(call, options).run();
}

/** What is needed of a call. */
type FollowedCall = Pick<Call, "id" | "signal"> & { readonly outgoing: ServerResponse };

class Follower implements Listener {
  readonly #call: FollowedCall;
  readonly #options: FollowOptions;
  #version: number;
  /** What came right behind `#version` and was not sent yet. */
  #waiting: News[] = [];
  #waitingUnits = 0;
  #mayHaveMore = true;
  #wake: (() => void) | undefined;

  constructor(call: FollowedCall, options: FollowOptions) {
    this.#call = call;
    this.#options = options;
    this.#version = options.from.version;
  }

  /** The client has not taken yet what was written. */
  get #isFull(): boolean {
    return this.#call.outgoing.writableNeedDrain;
  }

  onNews(news: News | undefined): void {
    const end = this.#waiting.reduce((sum, { records }) => sum + records.length, this.#version);
    // Of a thread that another server has replaced: its versions count something else.
    const isForeign = news?.from.generation !== this.#options.from.generation;
    const isInOrder = news !== undefined && !isForeign && !this.#mayHaveMore && news.from.version === end;
    // Whom the records themselves or another server have shut out: the store is asked, which ends it.
    const isNext = isInOrder && this.#options.mayRead(news.access);
    // Most of what comes finds everything sent: it goes out at once.
    if (isNext && this.#wake !== undefined && !this.#isFull) {
      this.#put(news.records.length, news.events);
      if (!this.#isFull) return;
    } else if (isNext && this.#waitingUnits < MAX_WAITING_UNITS) {
      this.#waiting.push(news);
      this.#waitingUnits += news.events.length;
    } else if (news === undefined || isForeign || news.from.version + news.records.length > end)
      this.#mayHaveMore = true;
    this.#wake?.();
  }

  async run(): Promise<void> {
    const { outgoing, signal, id: requestId } = this.#call;
    const { hub, id } = this.#options;
    const leave = hub.add(id, this);
    const endsAt = performance.now() + this.#options.lifeMs;
    const stop = (): void => this.#wake?.();
    signal.addEventListener("abort", stop);
    try {
      outgoing.writeHead(200, { ...HEADERS, "x-request-id": requestId });
      outgoing.flushHeaders();
      this.#write(this.#beginning);
      while (!signal.aborted && (await this.#sendSome()) && performance.now() < endsAt) await this.#something();
    } finally {
      leave();
      signal.removeEventListener("abort", stop);
      if (!outgoing.destroyed) outgoing.end();
    }
  }

  /** Tells the client its place, so that it comes back to it even where nothing else was sent. */
  get #beginning(): string {
    const { from } = this.#options;
    const id = `id: ${eventIdOf(from)}\n`;
    // Without data, an id is kept by the client and is no event.
    return from.isReplaced ? `event: replaced\n${id}data: {}\n\n` : `${id}\n`;
  }

  /** Sends what there is. False: it is over. */
  async #sendSome(): Promise<boolean> {
    for (;;) {
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#waitingUnits = 0;
      // Where something else has happened meanwhile, they come from the store, if they may be read still.
      if (!this.#mayHaveMore) for (const { records, events } of waiting) this.#put(records.length, events);
      if (!(await this.#taken())) return false;
      if (this.#waiting.length > 0) continue;
      if (!this.#mayHaveMore) return true;
      // First: what comes while we read makes us read again.
      this.#mayHaveMore = false;
      const more = await this.#options.read(this.#version);
      if (more === undefined) return false;
      if (more.length === 0) continue;
      this.#waiting = [];
      this.#waitingUnits = 0;
      this.#mayHaveMore = true;
      const { generation } = this.#options.from;
      this.#put(more.length, eventsOf({ generation, version: this.#version }, more));
      if (!(await this.#taken())) return false;
    }
  }

  #put(records: number, events: string): void {
    this.#version += records;
    this.#write(events);
  }

  #write(text: string): void {
    const { outgoing } = this.#call;
    if (!outgoing.destroyed) outgoing.write(text);
  }

  /** When the client has taken what was written. False: it is gone, or takes nothing. */
  async #taken(): Promise<boolean> {
    const { outgoing, signal } = this.#call;
    if (signal.aborted || outgoing.destroyed) return false;
    if (!this.#isFull || (await this.#drained())) return true;
    if (!outgoing.destroyed) {
      outgoing.end(": you read too slowly; come back with Last-Event-ID\n\n");
      setTimeout(() => outgoing.destroy(), this.#options.patienceMs).unref();
    }
    return false;
  }

  #drained(): Promise<boolean> {
    const { outgoing, signal } = this.#call;
    return new Promise((resolve) => {
      const done = (isDrained: boolean): void => {
        clearTimeout(timer);
        outgoing.off("drain", onDrain).off("close", onEnd);
        signal.removeEventListener("abort", onEnd);
        resolve(isDrained);
      };
      const onDrain = (): void => done(true);
      const onEnd = (): void => done(false);
      const timer = setTimeout(onEnd, this.#options.patienceMs);
      outgoing.once("drain", onDrain).once("close", onEnd);
      signal.addEventListener("abort", onEnd);
    });
  }

  /** Until there is something to do; keeps the connection alive meanwhile. */
  async #something(): Promise<void> {
    const isQuiet = (): boolean => !this.#mayHaveMore && this.#waiting.length === 0 && !this.#isFull;
    while (isQuiet() && !this.#call.signal.aborted) {
      const isAwake = await this.#sleep();
      if (isAwake) continue;
      this.#write(": ping\n\n");
      // Also for those to whom nothing happens: it is asked again whether they may read it.
      this.#mayHaveMore = true;
    }
  }

  #sleep(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(false), this.#options.heartbeatMs);
      const done = (isAwake: boolean): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(isAwake);
      };
      this.#wake = () => done(true);
    });
  }
}
