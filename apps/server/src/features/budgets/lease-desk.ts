import type { Admission } from "../../gateway-types.ts";
import { DatabaseUnavailable } from "../../kit/database-error.ts";
import type { BudgetEngine, BudgetRequest } from "./engine.ts";
import type { Lack } from "./refusal.ts";

/** Others may take what was fetched for one. */
const MAX_TRIES = 5;
/** Requests that wait for the store at once; it is away or slow, and those that come after have to try again. */
const MAX_WAITING = 2_000;

type Waiting = {
  readonly request: BudgetRequest;
  lacks: readonly Lack[];
  tries: number;
  readonly answer: (admission: Admission) => void;
};

export type LeaseDeskOptions = {
  readonly engine: BudgetEngine;
  /** Fetches money for these. Runs before or after any other exchange with the store, not meanwhile. */
  readonly lease: (lacks: readonly Lack[]) => Promise<void>;
};

/** Where requests wait whose money is not in this process: those that come meanwhile are asked for together. */
export class LeaseDesk {
  readonly #options: LeaseDeskOptions;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(options: LeaseDeskOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  wait(request: BudgetRequest, lacks: readonly Lack[]): Promise<Admission> {
    if (this.#waiting.length >= MAX_WAITING) return Promise.resolve(AWAY);
    return new Promise((answer) => {
      this.#waiting.push({ request, lacks, tries: 0, answer });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const failure = await this.#options.lease(batch.flatMap(({ lacks }) => lacks)).then(
        () => undefined,
        (error: unknown) => refusalFor(error),
      );
      for (const each of batch) this.#answer(each, failure);
    }
    this.#isRunning = false;
  }

  #answer(waiting: Waiting, failure: Admission | undefined): void {
    const admission = this.#options.engine.reserve(waiting.request);
    if (!("lacks" in admission)) {
      waiting.answer(admission);
      return;
    }
    waiting.tries += 1;
    waiting.lacks = admission.lacks;
    if (failure !== undefined || waiting.tries >= MAX_TRIES) waiting.answer(failure ?? BUSY);
    else this.#waiting.push(waiting);
  }
}

const AWAY = {
  ok: false,
  reason: "unavailable",
  message: "The Loom server cannot reach its database, so it cannot tell what is left of a budget: try again.",
  retryAfterMs: 1_000,
  headers: { "retry-after": "1" },
} as const satisfies Admission;

/** Says what is the matter with the database, where that is known, and not where it is. */
function refusalFor(error: unknown): Admission {
  if (!(error instanceof DatabaseUnavailable)) return AWAY;
  return { ...AWAY, message: `${error.tells} Until then nobody can tell what is left of a budget.` };
}

const BUSY: Admission = {
  ok: false,
  reason: "rate",
  message: "Too many requests want the rest of a budget at once: try again in a second.",
  retryAfterMs: 1_000,
  headers: { "retry-after": "1" },
};
