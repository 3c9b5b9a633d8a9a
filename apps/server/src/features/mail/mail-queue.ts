import type { Log } from "../../kit/log.ts";
import type { Metrics } from "../../kit/metrics.ts";
import { MailError, type MailTransport, type OutgoingMail } from "./mail-transport.ts";

/**
 * What a mail is for: one to sign in with, or that says what happened to what lets somebody in. Each lane has room of its
 * own, which other mail cannot take.
 */
export type MailLane = "sign_in" | "security" | "other";

type Lane = { readonly waiting: OutgoingMail[]; readonly sending: Set<Promise<void>> };

/** Mails that wait in each lane; what comes when it is full is dropped, counted and logged. */
const MAX_WAITING = { sign_in: 1_000, security: 5_000, other: 1_000 } as const;
const MAX_AT_ONCE = { sign_in: 2, security: 2, other: 4 } as const;
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
  readonly #lanes: { readonly [lane in MailLane]: Lane } = {
    sign_in: newLane(),
    security: newLane(),
    other: newLane(),
  };
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
    const { waiting } = this.#lanes[lane];
    if (waiting.length >= MAX_WAITING[lane]) {
      this.#count({ outcome: "dropped" });
      this.#options.log.error("mail dropped: too many are waiting for the mail server", { lane });
      return;
    }
    waiting.push(mail);
    this.#next(lane);
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    const sending = () => Object.values(this.#lanes).flatMap((lane) => [...lane.sending]);
    for (let work = sending(); work.length > 0; work = sending()) await Promise.all(work);
  }

  #next(lane: MailLane): void {
    const { sending, waiting } = this.#lanes[lane];
    while (sending.size < MAX_AT_ONCE[lane]) {
      const mail = waiting.shift();
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

function newLane(): Lane {
  return { waiting: [], sending: new Set() };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
