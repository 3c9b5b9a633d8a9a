import { NO_USAGE, type Usage } from "@loom/core";
import type {
  BudgetNode,
  Dialect,
  Ledger,
  LedgerEntry,
  OpenRequest,
  RequestTrace,
  Reservation,
  RouteStep,
  WorstCase,
} from "../../gateway-types.ts";
import type { Price, Prices } from "../ledger/prices.ts";
import type { Answered } from "./delivery.ts";
import { BYTES_PER_TOKEN, mostOutput, promptTokens } from "./output-bound.ts";
import type { Picture } from "./pictures/picture-data.ts";
import type { Upstreams } from "./upstreams.ts";

export type AccountHolder = {
  readonly requestId: string;
  readonly subject: string;
  readonly nodes: readonly BudgetNode[];
  readonly session: string | undefined;
  readonly client: string;
  readonly dialect: Dialect;
  readonly requestedModel: string;
  readonly promptBytes: number;
  /** Those in the prompt, looked for when asked. */
  pictures(): readonly Picture[];
  /** What the client allowed for each answer; absent: no bound. */
  readonly maxOutputTokens: number | undefined;
  /** How many answers it asked for. */
  readonly answers: number;
};

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** What is written down before a request leaves for an upstream. */
export type Leaving = {
  readonly step: RouteStep;
  readonly credentialId: string;
  readonly attempts: number;
  readonly worst: WorstCase;
};

type Books = {
  readonly ledger: Ledger | undefined;
  readonly prices: Prices;
  readonly upstreams: Upstreams;
  readonly trace: RequestTrace | undefined;
  /** Takes what is secret out of a text. */
  readonly redact: (text: string) => string;
};

/** Of what clients and providers call things, what is kept; in UTF-16 units. */
const MAX_NAME = 256;

/** Unix milliseconds, and seconds of the process. */
export type Beginning = { readonly at: number; readonly uptime: number };

export type Outcome = LedgerEntry["outcome"];

type End = {
  readonly outcome: Outcome;
  readonly status: number;
  readonly errorCode?: string | undefined;
  readonly step?: RouteStep | undefined;
  readonly credentialId?: string | undefined;
  readonly attempts: number;
  /** Absent: no upstream has done anything. */
  readonly answered?: Answered | undefined;
};

/** What is told to the budgets and the ledger about one request; once, however it ends. */
export class Account {
  readonly #holder: AccountHolder;
  readonly #books: Books;
  readonly #at: number;
  /** In seconds of the process; `performance.now()` would load a module for the same. */
  readonly #startedAt: number;
  #firstByteMs: number | undefined;
  #reservation: Reservation | undefined;
  #open: OpenRequest | undefined;
  #worstMicroUsd = 0;
  /** When the last attempt left, in seconds of the process. */
  #leftAt: number | undefined;
  #closed = false;

  /** `since`: when it began, if not now. */
  constructor(holder: AccountHolder, books: Books, since?: Beginning) {
    this.#books = books;
    // Kept as the client said it, and nobody knows what he put there.
    this.#holder = { ...holder, requestedModel: this.#kept(holder.requestedModel) };
    this.#at = since?.at ?? Date.now();
    this.#startedAt = since?.uptime ?? process.uptime();
  }

  hold(reservation: Reservation): void {
    // The client has gone while it was waited for.
    if (this.#closed) reservation.settle();
    else this.#reservation = reservation;
  }

  /** What was held for an attempt that came to nothing. */
  release(): void {
    this.#reservation?.settle();
    this.#reservation = undefined;
  }

  /** Calls `send` once it is written down that the request leaves, so that no crash forgets it. */
  leave({ step, credentialId, attempts, worst }: Leaving, send: () => void): void {
    const { trace } = this.#books;
    this.#leftAt = process.uptime();
    this.#worstMicroUsd = worst.costMicroUsd ?? 0;
    if (trace === undefined) {
      send();
      return;
    }
    const { requestId: id, subject, nodes, session, client, dialect, requestedModel } = this.#holder;
    const { upstream } = step;
    const [model, route] = [this.#kept(step.model), this.#kept(step.reason)];
    const at = this.#at;
    const asker = { id, at, subject, nodes, client, dialect, requestedModel };
    const request = { ...asker, upstream, model, route, credentialId, attempts, worst };
    this.#open = trace.open(session === undefined ? request : { ...request, session }, send, this.#open);
  }

  touch(): void {
    this.#reservation?.touch();
  }

  firstByte(): void {
    this.#firstByteMs ??= this.#elapsedMs(this.#startedAt);
  }

  close(end: End): void {
    if (this.#closed) return;
    this.#closed = true;
    const { entry, costMicroUsd } = this.#settled(end);
    this.#open?.close(costMicroUsd);
    entry.latencyMs = this.#elapsedMs(this.#startedAt);
    if (this.#firstByteMs !== undefined) entry.firstByteMs = this.#firstByteMs;
    this.#books.ledger?.record(entry);
  }

  /** The last attempt reached its upstream and came to nothing, and another may follow: it is charged by itself. */
  replaced(end: Omit<End, "outcome" | "status">): void {
    if (this.#closed) return;
    const { entry, costMicroUsd } = this.#settled({ ...end, outcome: "replaced", status: 0 });
    this.#reservation = undefined;
    entry.id = `${entry.id}.${end.attempts}`;
    this.#open?.replaced(entry.id, costMicroUsd);
    entry.latencyMs = this.#elapsedMs(this.#leftAt ?? this.#startedAt);
    this.#books.ledger?.record(entry);
  }

  /** Charges the budgets. Gives the row, and what they were charged. */
  #settled(end: End): { readonly entry: Writable<LedgerEntry>; readonly costMicroUsd: number } {
    const { answered, step } = end;
    const { prices } = this.#books;
    const usage = answered === undefined ? NO_USAGE : this.#usageOf(answered, step);
    const upstream = step?.upstream ?? "";
    const model = answered?.model ?? step?.model ?? "";
    const price =
      answered === undefined
        ? undefined
        : priceOf(prices, { upstream, answered: model, asked: step?.model ?? "", usage });
    const cost = price?.costMicroUsd;
    this.#reservation?.settle(
      answered === undefined ? undefined : cost === undefined ? { usage } : { usage, costMicroUsd: cost },
    );
    const costMicroUsd = answered === undefined ? 0 : Math.max(0, Math.round(cost ?? this.#worstMicroUsd));
    const { requestId, subject, nodes, session, client, dialect, requestedModel } = this.#holder;
    const entry: Writable<LedgerEntry> = {
      id: requestId,
      at: this.#at,
      subject,
      nodes,
      client,
      dialect,
      upstream,
      requestedModel,
      model: this.#kept(model),
      route: this.#kept(step?.reason ?? ""),
      attempts: end.attempts,
      usage,
      estimated: answered !== undefined && !answered.final,
      latencyMs: 0,
      status: end.status,
      outcome: end.outcome,
    };
    // One after the other: to spread what may be absent over a literal costs more than all the rest of it.
    if (session !== undefined) entry.session = session;
    if (end.credentialId !== undefined) entry.credentialId = end.credentialId;
    if (usage.webSearches !== undefined) entry.details = { webSearches: usage.webSearches };
    if (cost !== undefined) entry.costMicroUsd = cost;
    if (price !== undefined) entry.priceVersion = price.version;
    if (end.errorCode !== undefined) entry.errorCode = end.errorCode;
    return { entry, costMicroUsd };
  }

  /** Whole before it is cut: of a secret no half is left. */
  #kept(name: string): string {
    return this.#books.redact(name).slice(0, MAX_NAME);
  }

  #elapsedMs(since: number): number {
    return (process.uptime() - since) * 1000;
  }

  /** What the provider counted; where it did not come to that, what went in and what was seen of what came out. */
  #usageOf({ usage, final, textBytes }: Answered, step: RouteStep | undefined): Usage {
    if (usage !== undefined && final) return usage;
    const { upstream = "", model = "" } = step ?? {};
    const { prices, upstreams } = this.#books;
    const window = prices.contextWindow(upstream, model);
    const reader = { upstream: upstreams.get(upstream), model };
    const seen = usage ?? { ...NO_USAGE, inputTokens: promptTokens(this.#holder, window, reader) };
    // Whatever came in place of an answer: no model writes more than it may, and no estimate is more than was held for it.
    const most = mostOutput(this.#holder, model, window);
    const written = Math.min(Math.ceil(textBytes / BYTES_PER_TOKEN), most);
    return { ...seen, outputTokens: Math.max(seen.outputTokens, written) };
  }
}

/** By the model that answered, which is the more exact name, or else by the one that was asked for. */
export function priceOf(
  prices: Prices,
  {
    upstream,
    answered,
    asked,
    usage,
  }: { readonly upstream: string; readonly answered: string; readonly asked: string; readonly usage: Usage },
): Price | undefined {
  return prices.price(upstream, answered, usage) ?? prices.price(upstream, asked, usage);
}
