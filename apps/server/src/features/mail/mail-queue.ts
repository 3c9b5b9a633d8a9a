import type { Log } from "../../kit/log.ts";
import type { Metrics } from "../../kit/metrics.ts";
import { MailError, type MailTransport, type OutgoingMail } from "./mail-transport.ts";

/** What a mail is for: one to sign in with has room of its own, which other mail cannot take, nor it theirs. */
export type MailLane = "sign_in" | "other";

/** Mails that wait in one lane; what comes when it is full is dropped, counted and logged. */
const MAX_WAITING = 1_000;
/** In one lane. */
const MAX_AT_ONCE = { sign_in: 2, other: 4 } as const;
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
  readonly #waiting: { readonly [lane in MailLane]: OutgoingMail[] } = { sign_in: [], other: [] };
  readonly #sending = { sign_in: new Set<Promise<void>>(), other: new Set<Promise<void>>() };
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
  send(mail: OutgoingMail, lane: MailLane = "other"): void {
    if (this.#waiting[lane].length >= MAX_WAITING) {
      this.#count({ outcome: "dropped" });
      this.#options.log.error("mail dropped: too many are waiting for the mail server", { lane });
      return;
    }
    this.#waiting[lane].push(mail);
    this.#next(lane);
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    const { sign_in: signIn, other } = this.#sending;
    while (signIn.size + other.size > 0) await Promise.all([...signIn, ...other]);
  }

  #next(lane: MailLane): void {
    const sending = this.#sending[lane];
    while (sending.size < MAX_AT_ONCE[lane]) {
      const mail = this.#waiting[lane].shift();
      if (mail === undefined) return;
      const work = this.#deliver(mail).finally(() => {
        sending.delete(work);
        this.#next(lane);
      });
      sending.add(work);
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
