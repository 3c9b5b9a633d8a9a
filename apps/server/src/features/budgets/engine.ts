import type { Admission, BudgetNode, Budgets, Reservation } from "../../gateway-types.ts";
import type { Clock } from "../../kit/clock.ts";
import { LiveList } from "../../kit/live-list.ts";
import type { BudgetedNode } from "./budgeted-node.ts";
import { HeldRequest, type Keeper } from "./held-request.ts";
import type { MoneyCounter } from "./money-counter.ts";
import { NodeTable } from "./node-table.ts";
import { createCalendar, moneyLimit, type Periods, spanOf } from "./periods.ts";
import { rateHeaders } from "./rate-headers.ts";
import { type Lack, type Refusal, verdictOf } from "./refusal.ts";
import type { RuleBook } from "./rule-book.ts";
import { isRate, rateLimit } from "./shared-rates.ts";
import type { CounterKey } from "./store.ts";

/** Longest id of a session or model, which clients choose. */
const MAX_ID = 200;
const NO_HEADERS = {};

export type EngineOptions = {
  readonly clock: Clock;
  /** Milliseconds after which a request that nobody has touched holds nothing any more. */
  readonly leaseMs: number;
  readonly allowUnpriced: boolean;
  /** A counter has changed while none was waiting to be saved. */
  readonly onDirty: () => void;
};

export type BudgetRequest = Parameters<Budgets["reserve"]>[0];

/** Admits requests: in memory, at once, on all nodes or on none. Knows nothing of where its counters are kept. */
export class BudgetEngine {
  readonly #options: EngineOptions;
  readonly #calendar = createCalendar();
  readonly #open = new LiveList<HeldRequest>();
  readonly #keeper: Keeper;
  #dirty: MoneyCounter[] = [];
  #ready = false;
  readonly nodes: NodeTable;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.nodes = new NodeTable(options.clock.monotonic);
    this.#keeper = {
      now: options.clock.monotonic,
      closed: (request) => void this.#open.delete(request),
      changed: (counter) => {
        if (counter.isDirty) return;
        counter.isDirty = true;
        if (this.#dirty.push(counter) === 1) options.onDirty();
      },
    };
  }

  /** Before it has rules, nobody is let through. */
  follow(book: RuleBook): void {
    this.nodes.follow(book);
    this.#ready = true;
    this.putBack(this.nodes.slotsInUse());
  }

  get isReady(): boolean {
    return this.#ready;
  }

  periods(): Periods {
    return this.#calendar(this.#options.clock.wall());
  }

  /** Admits, refuses, or says what has to be fetched first; nothing is held then. */
  reserve(request: BudgetRequest): Admission | { readonly lacks: readonly Lack[] } {
    if (!this.#ready) return { ok: false, ...STARTING, headers: NO_HEADERS };
    const { worst, model, choice, after } = request;
    const { clock, allowUnpriced } = this.#options;
    const now = clock.monotonic();
    const nodes = this.#nodesOf(request, now);
    if (nodes.length === 0) return after === undefined ? UNLIMITED : { ...UNLIMITED, reservation: after };
    const before = after instanceof HeldRequest ? after : undefined;
    const wall = clock.wall();
    const periods = this.#calendar(wall);
    const question = { model, choice, worst, periods, now, wall, allowUnpriced, before };
    let lacks: Lack[] | undefined;
    for (const node of nodes) {
      const verdict = verdictOf(node, question);
      if (verdict.refusal !== undefined) return refused(verdict.refusal, nodes, now, wall);
      if (verdict.lacks.length > 0) lacks = [...(lacks ?? []), ...verdict.lacks];
    }
    if (lacks !== undefined) return { lacks };
    const tokens = worst.inputTokens + worst.outputTokens;
    const held = new HeldRequest(
      this.#keeper,
      nodes,
      { tokens, cost: Math.ceil(worst.costMicroUsd ?? 0) },
      now,
      before,
    );
    for (const node of nodes) held.holdMoney(node.counters(periods));
    this.#open.add(held);
    return new Admitted(held, nodes, clock);
  }

  /** Ends the reservations whose lease is over; says how many. */
  lapse(): number {
    const oldest = this.#options.clock.monotonic() - this.#options.leaseMs;
    let count = 0;
    for (const request of this.#open.all()) {
      if (request.touchedAt > oldest) continue;
      request.lapse();
      count += 1;
    }
    return count;
  }

  /** The server ends: whatever still runs is cut off, and settles or does not. */
  releaseAll(): void {
    for (const request of this.#open.all()) request.lapse();
  }

  /** The counters that have changed since the last call. */
  takeDirty(): readonly MoneyCounter[] {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const counter of dirty) counter.isDirty = false;
    return dirty;
  }

  /** The limit that holds for a counter now. */
  limitOf({ kind, id, period }: MoneyCounter): number | undefined {
    const rule = this.nodes.book.ruleFor(kind, id);
    if (isRate(period)) return rule && rateLimit(rule.limits, period);
    return rule && moneyLimit(rule.limits, spanOf(period));
  }

  /** These have to be saved still, or again. */
  putBack(counters: readonly MoneyCounter[]): void {
    for (const counter of counters) this.#keeper.changed(counter);
  }

  /** The counters that a request of a moment in the past counts in, by the rules of today. */
  countersAt(request: Pick<BudgetRequest, "nodes" | "model" | "session">, wall: number): readonly CounterKey[] {
    const periods = createCalendar()(wall);
    return this.#nodesOf(request, this.#options.clock.monotonic()).flatMap(({ kind, id, spans }) =>
      spans.map((span) => ({ kind, id, period: periods[span] })),
    );
  }

  #nodesOf(
    { nodes, model, session }: Pick<BudgetRequest, "nodes" | "model" | "session">,
    now: number,
  ): readonly BudgetedNode[] {
    const found: BudgetedNode[] = [];
    const add = (kind: string, id: string): void => {
      const node = this.nodes.get(kind, id, now);
      if (node !== undefined) found.push(node);
    };
    for (const { kind, id } of nodes) add(kind, id);
    if (model !== undefined && this.nodes.knows("model")) add("model", model.slice(0, MAX_ID));
    if (session !== undefined && this.nodes.knows("session")) add("session", sessionId(nodes, session));
    return found;
  }
}

/** The client chooses the name, so it means a session of this subject and of nobody else. */
function sessionId(nodes: readonly BudgetNode[], session: string): string {
  return `${nodes[0]?.id ?? ""}/${session.slice(0, MAX_ID)}`;
}

const STARTING = {
  reason: "rate",
  message: "The Loom server has not read its limits yet: try again in a second.",
  retryAfterMs: 1_000,
} as const;

const UNLIMITED = {
  ok: true,
  reservation: { settle: () => {}, touch: () => {} },
  headers: NO_HEADERS,
} as const satisfies Admission;

function refused(refusal: Refusal, nodes: readonly BudgetedNode[], now: number, wall: number): Admission {
  const wait = refusal.retryAfterMs;
  const retryAfter = wait === undefined ? {} : { "retry-after": String(Math.ceil(wait / 1000)) };
  return { ok: false, ...refusal, headers: { ...retryAfter, ...rateHeaders(nodes, now, wall) } };
}

/** Its headers are made when they are asked for: most requests have no limit per minute, or a provider's own headers. */
class Admitted {
  readonly ok = true;
  readonly reservation: Reservation;
  readonly #nodes: readonly BudgetedNode[];
  readonly #clock: Clock;

  constructor(reservation: Reservation, nodes: readonly BudgetedNode[], clock: Clock) {
    this.reservation = reservation;
    this.#nodes = nodes;
    this.#clock = clock;
  }

  get headers(): Readonly<Record<string, string>> {
    for (const { requests, tokens } of this.#nodes) {
      if (requests !== undefined || tokens !== undefined) {
        return rateHeaders(this.#nodes, this.#clock.monotonic(), this.#clock.wall());
      }
    }
    return NO_HEADERS;
  }
}
