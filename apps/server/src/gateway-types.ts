import type { JsonObject, LlmFailure, Usage } from "@loom/core";
import type { UpstreamDeadlines } from "./config.ts";

/** A wire format that clients and providers speak. `loom` is Loom's own. */
export type Dialect = "anthropic" | "chat" | "responses" | "gemini" | "loom";

/**
 * One node of the tree that limits hang on, e.g. `{ kind: "token", id: "owner" }`; also user, team and organization.
 * A request is charged to every node of its subject's path and to the model it uses.
 */
export type BudgetNode = { readonly kind: string; readonly id: string };

/** What a request will cost at most, known before it leaves. */
export type WorstCase = {
  /** Estimate from the size of the prompt: bytes / 4, rounded up. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Absent = price unknown. */
  readonly costMicroUsd?: number;
  /** Nobody can say how much will be used before it is done, so there is no worst cost. */
  readonly isUnbounded?: true;
};

/** What is held for a request that runs. Settled exactly once; after its lease it lapses by itself. */
export type Reservation = {
  /** `actual` absent: nothing was used (the provider was never reached, or refused). Later calls do nothing. */
  settle(actual?: { readonly usage: Usage; readonly costMicroUsd?: number }): void;
  /** The request still runs: its lease of 15 minutes begins anew. Cheap; once a minute is plenty. */
  touch(): void;
};

export type Admission =
  | { readonly ok: true; readonly reservation: Reservation; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly ok: false;
      /**
       * `rate`: 429 with Retry-After; `money`: 402; `model`: 403, this token may not use the model; `unavailable`: 503,
       * nobody knows now what is left.
       */
      readonly reason: "rate" | "money" | "model" | "unavailable";
      readonly message: string;
      readonly retryAfterMs?: number;
      readonly headers: Readonly<Record<string, string>>;
    };

export type Budgets = {
  /**
   * At once and in memory, but where the money has to be fetched from the database first: at a node's first request, and
   * when little is left. Never rejects. `after`: of the attempt before, which is settled, where the same request of a
   * client is tried elsewhere; it counts once in the limits per minute, with the tokens of its last attempt.
   */
  reserve(request: {
    readonly nodes: readonly BudgetNode[];
    /** Empty where nobody knows which; `undefined` where no model is asked, but which there are. */
    readonly model: string | undefined;
    readonly session?: string | undefined;
    readonly worst: WorstCase;
    /** The field of the request by which the provider may take another model, if there is one. */
    readonly choice?: string | undefined;
    readonly after?: Reservation | undefined;
  }): Admission | Promise<Admission>;
};

/** A provider's credential for one request. The secret is used for the headers of that request and nowhere else. */
export type CredentialLease = {
  /** For the ledger and alerts; never the secret. */
  readonly credentialId: string;
  headers(): Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;
  /** Tells the pool how it went, once. */
  report(outcome: CredentialOutcome): void;
};

export type CredentialOutcome =
  | { readonly type: "ok" }
  | { readonly type: "cancelled" }
  /** A 429 that says the quota is used up cools the credential down; 401/403 disables it; others count against it. */
  | { readonly type: "failed"; readonly failure: LlmFailure; readonly quotaExhausted: boolean };

export type Credentials = {
  /** `affinity`: what should stay on one credential (a session, a prompt prefix), so that prompt caches hit. */
  lease(
    upstream: string,
    options: { readonly affinity?: string | undefined; readonly exclude?: readonly string[] | undefined },
  ): CredentialLease | undefined;
  /** Whether any credential of the upstream could be leased now, and how many are in which state. */
  health(upstream: string): {
    readonly available: number;
    readonly coolingDown: number;
    readonly disabled: number;
    /** Of those that cool down: whose quota is used up. */
    readonly usedUp?: number;
    /** Until the first of them has cooled down, in milliseconds. */
    readonly retryAfterMs?: number;
  };
};

/** One way to try: which upstream, which model there. */
export type RouteStep = {
  readonly upstream: string;
  /** The model as the upstream names it. */
  readonly model: string;
  /** For the response header and the ledger: `alias fast`, `route claude-*, weight 30 of 100`... */
  readonly reason: string;
  /** In place of the server's own; milliseconds. */
  readonly deadlines?: Partial<UpstreamDeadlines>;
  /** Tokens of input and output together, where it is known. */
  readonly contextWindow?: number;
};

export type RoutePlan =
  | { readonly ok: true; readonly steps: readonly RouteStep[] }
  | { readonly ok: false; readonly failure: LlmFailure };

export type RouteRequest = {
  /** Where the path names one (`/proxy/anthropic/...`): nobody else is asked. */
  readonly upstream?: string | undefined;
  /** An alias, a provider's model, or `upstream/model`. */
  readonly model: string;
  /** What should stay on one target, because its prompt cache is there. */
  readonly affinity?: string | undefined;
  readonly nodes?: readonly BudgetNode[];
  readonly dialect?: Dialect;
};

/** How a step went, as far as it says something of the upstream's health. */
export type StepOutcome =
  /** The first byte of an answer has come; `ok` or `failed` follows. */
  | { readonly type: "alive" }
  | { readonly type: "ok" }
  /** `reached`: the upstream may have seen the request. */
  | { readonly type: "failed"; readonly failure: LlmFailure; readonly reached: boolean }
  /** The client has gone, or a limit of ours stood in the way. */
  | { readonly type: "cancelled" };

export type Routing = {
  plan(request: RouteRequest): RoutePlan;
  /**
   * Whether the step may be tried now; `lastChance`: there is nobody else, so it may. An outcome has to follow where it
   * may: it could be the one request that an open breaker lets through.
   */
  enter(step: RouteStep, options: { readonly lastChance: boolean }): boolean;
  /** Feeds the circuit breakers. */
  report(step: RouteStep, outcome: StepOutcome): void;
  /** Names besides those of models that clients may ask for. */
  aliases(): readonly string[];
};

/**
 * One row per request, however it ended, and one for each of its attempts that reached an upstream, came to nothing and
 * had another in its place. Times in Unix milliseconds.
 */
export type LedgerEntry = {
  /** Of an attempt: that of its request, a dot, and which attempt it was. */
  readonly id: string;
  readonly at: number;
  readonly subject: string;
  readonly nodes: readonly BudgetNode[];
  readonly session?: string;
  /** Product token of the client's User-Agent, at most 60 characters. */
  readonly client: string;
  readonly dialect: Dialect;
  readonly upstream: string;
  readonly credentialId?: string;
  readonly requestedModel: string;
  readonly model: string;
  readonly route: string;
  readonly attempts: number;
  readonly usage: Usage;
  /** Counted from what was seen because the provider's own count never came. */
  readonly estimated: boolean;
  readonly costMicroUsd?: number;
  readonly priceVersion?: string;
  readonly latencyMs: number;
  readonly firstByteMs?: number;
  readonly status: number;
  /** `replaced`: an attempt. It used and cost something, and is no request. */
  readonly outcome: "completed" | "failed" | "cancelled" | "cut_off" | "refused" | "replaced";
  readonly errorCode?: string;
  readonly details?: JsonObject;
};

export type Ledger = {
  /** Never waits and never throws: the entry goes to a bounded journal and from there to the database in batches. */
  record(entry: LedgerEntry): void;
  /** False: what has been recorded waits for a disk or a database, and no more requests are to be let in (503). */
  healthy(): boolean;
};

/** Somebody who is told of the rows of the ledger, each at least once, also if this process or another dies meanwhile. */
export type LedgerFollower = {
  /** These are in the database. */
  see(entries: readonly LedgerEntry[]): void;
  /**
   * Passes on what it has seen, `all` of it or what is due. Gives whether all that it has passed on outlives this process;
   * where that is refused, it does not wait for it. Never rejects.
   */
  tell(options: { readonly all: boolean }): Promise<boolean>;
  /** Whether it has seen what would not outlive this process: until then, the rows stay in the journal. */
  readonly isBehind: boolean;
  /** Whether so much waits to be passed on that it should see no more. */
  readonly isFull: boolean;
};

/** What is known of a request that leaves for a provider: enough to account for it, should this process die. */
export type OpenedRequest = Pick<
  LedgerEntry,
  | "id"
  | "at"
  | "subject"
  | "nodes"
  | "session"
  | "client"
  | "dialect"
  | "upstream"
  | "credentialId"
  | "requestedModel"
  | "model"
  | "route"
  | "attempts"
> & {
  readonly worst: WorstCase;
  /** An attempt that was replaced. */
  readonly isReplaced?: true;
};

/** Where a request is that left for a provider and is not over. */
export type OpenRequest = {
  /** `costMicroUsd`: what the budgets are charged. */
  close(costMicroUsd: number): void;
  /** The attempt that it left for came to nothing, and has a row of this id; another attempt may follow. */
  replaced(attemptId: string, costMicroUsd: number): void;
};

/** Every request that leaves for a provider, written down before it does: a process that is killed forgets none. */
export type RequestTrace = {
  /**
   * Calls `send` once the request is written down, or cannot be: at the end of this turn of the event loop, when all that
   * left in it are written together. `before`: what the same request was opened as when it was tried elsewhere.
   */
  open(request: OpenedRequest, send: () => void, before?: OpenRequest): OpenRequest;
};
