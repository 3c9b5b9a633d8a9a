import type { Usage } from "@loom/core";
import type { Reservation } from "../../gateway-types.ts";
import type { Listed } from "../../kit/live-list.ts";
import type { BudgetedNode } from "./budgeted-node.ts";
import type { MoneyCounter } from "./money-counter.ts";
import { SharedRate } from "./shared-rates.ts";
import type { MinuteLimit } from "./token-bucket.ts";

/** What the reservations tell the one who keeps them. */
export type Keeper = {
  now(): number;
  changed(counter: MoneyCounter): void;
  closed(request: HeldRequest): void;
};

/** A request that runs, and what is held for it on every node: all of it, until it is settled or its lease is over. */
export class HeldRequest implements Reservation, Listed {
  readonly #keeper: Keeper;
  readonly #nodes: readonly BudgetedNode[];
  readonly #counters: MoneyCounter[] = [];
  /** Taken from each node's tokens per minute; 0 where there is no such limit. */
  readonly #tokens: number[] = [];
  readonly #cost: number;
  /** The same request of a client, when it was tried elsewhere. */
  readonly #before: HeldRequest | undefined;
  #state: "held" | "lapsed" | "settled" = "held";
  touchedAt: number;
  place = -1;

  /** `cost` in whole micro-dollars. */
  constructor(
    keeper: Keeper,
    nodes: readonly BudgetedNode[],
    worst: { readonly tokens: number; readonly cost: number },
    now: number,
    before: HeldRequest | undefined,
  ) {
    this.#keeper = keeper;
    this.#nodes = nodes;
    this.#cost = worst.cost;
    this.#before = before;
    this.touchedAt = now;
    for (const node of nodes) {
      this.#run(node, 1);
      const counted = before?.countedOn(node);
      if (counted === undefined) node.requests?.take(1);
      this.#tokens.push(node.tokens?.take(worst.tokens, counted) ?? 0);
      this.#changed(node.requests);
      this.#changed(node.tokens);
    }
  }

  get counters(): readonly MoneyCounter[] {
    return this.#counters;
  }

  /** The tokens that stand on the node for this request, once it is settled; `undefined` where it does not count there. */
  countedOn(node: BudgetedNode): number | undefined {
    const index = this.#nodes.indexOf(node);
    return index === -1 ? this.#before?.countedOn(node) : this.#tokens[index];
  }

  holdMoney(counters: readonly MoneyCounter[]): void {
    for (const counter of counters) {
      this.#counters.push(counter);
      if (this.#cost === 0) continue;
      counter.reserved += this.#cost;
      counter.usedAt = this.touchedAt;
      this.#keeper.changed(counter);
    }
  }

  touch(): void {
    this.touchedAt = this.#keeper.now();
  }

  settle(actual?: { readonly usage: Usage; readonly costMicroUsd?: number }): void {
    if (this.#state === "settled") return;
    this.#release();
    this.#state = "settled";
    if (actual === undefined) {
      this.#correctTokens(0);
      return;
    }
    const { inputTokens, outputTokens, cacheWriteTokens } = actual.usage;
    // As providers count their own limits: what came from a cache is free.
    this.#correctTokens(inputTokens + outputTokens + cacheWriteTokens);
    // A price that is not known afterwards either does not make the request free.
    const cost = Math.max(0, Math.round(actual.costMicroUsd ?? this.#cost));
    if (cost === 0) return;
    for (const counter of this.#counters) {
      counter.unsaved += cost;
      this.#keeper.changed(counter);
    }
  }

  /** The lease is over: nothing is held any more. If the request does end after all, its cost counts as any other. */
  lapse(): void {
    if (this.#state !== "held") return;
    this.#release();
    this.#state = "lapsed";
  }

  #release(): void {
    if (this.#state !== "held") return;
    for (const node of this.#nodes) this.#run(node, -1);
    if (this.#cost > 0) {
      for (const counter of this.#counters) {
        counter.reserved -= this.#cost;
        this.#keeper.changed(counter);
      }
    }
    this.#keeper.closed(this);
  }

  #run(node: BudgetedNode, change: 1 | -1): void {
    const slots = node.run(change, node.slots === undefined ? 0 : this.#keeper.now());
    if (slots !== undefined) this.#keeper.changed(slots);
  }

  #changed(limit: MinuteLimit | undefined): void {
    if (!(limit instanceof SharedRate)) return;
    limit.counter.usedAt = this.#keeper.now();
    this.#keeper.changed(limit.counter);
  }

  #correctTokens(actual: number): void {
    for (let index = 0; index < this.#nodes.length; index += 1) {
      const taken = this.#tokens[index] ?? 0;
      // A limit that came while the request ran does not count it.
      if (taken === 0) continue;
      const limit = this.#nodes[index]?.tokens;
      limit?.correct(taken, actual);
      this.#changed(limit);
      this.#tokens[index] = actual;
    }
  }
}
