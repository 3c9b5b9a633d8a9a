import type { Log } from "../../kit/log.ts";
import type { Metrics } from "../../kit/metrics.ts";
import { MailError, type MailTransport, type OutgoingMail } from "./mail-transport.ts";

/** Mails that wait; what comes when it is full is dropped, counted and logged. */
const MAX_WAITING = 1_000;
const MAX_AT_ONCE = 4;
/** Before the second and the third attempt, milliseconds. */
const PAUSES_MS = [2_000, 20_000] as const;

export type MailQueueOptions = {
  readonly transport: MailTransport;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly wait?: (ms: number) => Promise<void>;
};

/**
 * Sends in the background: whoever asks for a mail does not learn from the time it takes whether there was one. Kept in
 * memory only, because mails hold links that sign somebody in; what a crash forgets can be asked for again.
 */
export class MailQueue {
  readonly #options: MailQueueOptions;
  readonly #waiting: OutgoingMail[] = [];
  readonly #sending = new Set<Promise<void>>();
  readonly #count: (labels: { readonly outcome: string }) => void;

  constructor(options: MailQueueOptions) {
    this.#options = options;
    this.#count = options.metrics.counter({
      name: "loom_mails_total",
      help: "Mails by what became of them: sent, failed, dropped",
      labels: ["outcome"],
    });
  }

  /** Never throws and never waits. */
  send(mail: OutgoingMail): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#count({ outcome: "dropped" });
      this.#options.log.error("mail dropped: too many are waiting for the mail server");
      return;
    }
    this.#waiting.push(mail);
    this.#next();
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending);
  }

  #next(): void {
    while (this.#sending.size < MAX_AT_ONCE) {
      const mail = this.#waiting.shift();
      if (mail === undefined) return;
      const work = this.#deliver(mail).finally(() => {
        this.#sending.delete(work);
        this.#next();
      });
      this.#sending.add(work);
    }
  }

  async #deliver(mail: OutgoingMail): Promise<void> {
    const { transport, log, wait = sleep } = this.#options;
    for (const pause of [...PAUSES_MS, undefined]) {
      try {
        await transport(mail);
        this.#count({ outcome: "sent" });
        return;
      } catch (error) {
        if (pause === undefined || (error instanceof MailError && !error.retryable)) {
          this.#count({ outcome: "failed" });
          log.error("mail not sent", { error: error instanceof MailError ? error.message : String(error) });
          return;
        }
        await wait(pause);
      }
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
