import type { ThreadId } from "@loom/core";
import type { ServerThreads } from "./server-threads.ts";
import type { Settings } from "./settings.ts";

/** What other machines do is asked for so often while a session is open. */
const LOOK_MS = 5 * 60_000;
/** Another process is at it; when to see whether it is done. */
const BUSY_MS = 5_000;
/** How long the end of a session waits for what is not on the server yet: the next session goes on with it. */
const LAST_ROUND_MS = 2_000;

/**
 * Syncs beside a session: after each turn, from time to time, and once more at its end. Nothing waits for it but the
 * end, and that not long. What goes wrong is in `loom sync status`; only what the person has to know is told here.
 */
export class SessionSync {
  readonly #settings: Settings;
  readonly #tell: (notice: string) => void;
  readonly #stop = new AbortController();
  #threads: ServerThreads | undefined;
  #running: Promise<void> | undefined;
  /** A turn ended while a round was under way. */
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #problem: string | undefined;

  constructor(settings: Settings, tell: (notice: string) => void) {
    this.#settings = settings;
    this.#tell = tell;
  }

  /** Begins a round, or sees to it that another one follows. */
  kick(first?: ThreadId): void {
    this.#again = this.#running !== undefined;
    this.#running ??= this.#rounds(first).finally(() => {
      this.#running = undefined;
    });
  }

  /** To be called when the session has given its thread free. */
  async close(first?: ThreadId): Promise<void> {
    clearTimeout(this.#timer);
    const patience = AbortSignal.timeout(LAST_ROUND_MS);
    const ended = new Promise<void>((resolve) => patience.addEventListener("abort", () => resolve()));
    // What is under way may be waiting for a server that is not there.
    const last = (async () => {
      await this.#running;
      await this.#round(patience, first);
    })().catch((error: unknown) => patience.aborted || this.#failed(error));
    await Promise.race([last, ended]);
    this.#stop.abort();
    this.#threads?.close();
  }

  async #rounds(first: ThreadId | undefined): Promise<void> {
    clearTimeout(this.#timer);
    let waitMs: number;
    do {
      this.#again = false;
      waitMs = await this.#round(this.#stop.signal, first).catch((error: unknown) => this.#failed(error));
    } while (this.#again && !this.#stop.signal.aborted);
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => this.kick(), waitMs);
    this.#timer.unref();
  }

  /** A failure that is not the server's: of this machine's disk, or of ours. */
  #failed(error: unknown): number {
    const problem = error instanceof Error ? error.message : String(error);
    if (!this.#stop.signal.aborted && problem !== this.#problem) this.#tell(`Threads are not synced: ${problem}.`);
    this.#problem = problem;
    return LOOK_MS;
  }

  /** Gives how long to wait for the next one, in milliseconds. */
  async #round(signal: AbortSignal, first: ThreadId | undefined): Promise<number> {
    const { openServerThreads } = await import("./server-threads.ts");
    this.#threads ??= openServerThreads(this.#settings);
    const { sync } = this.#threads;
    const outcome = await sync.run({ signal, ...(first === undefined ? {} : { first }) });
    for (const notice of sync.takeNotices()) this.#tell(notice);
    switch (outcome.type) {
      case "busy":
        return BUSY_MS;
      case "waiting":
      case "failed":
        return Math.min(LOOK_MS, Math.max(0, outcome.failure.nextTryAt - Date.now()));
      default:
        return LOOK_MS;
    }
  }
}
