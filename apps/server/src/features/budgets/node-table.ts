import { BudgetedNode } from "./budgeted-node.ts";
import type { MoneyCounter } from "./money-counter.ts";
import { RuleBook } from "./rule-book.ts";

/** Nodes in memory. Clients choose the names of sessions and models, so those that were not used for long have to go. */
const MAX_NODES = 20_000;

/** The nodes that have a rule, made when they are first used. */
export class NodeTable {
  readonly #now: () => number;
  readonly #kinds = new Map<string, Map<string, BudgetedNode>>();
  #book = new RuleBook([]);
  #size = 0;
  #isShared = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  get book(): RuleBook {
    return this.#book;
  }

  /** Several servers share the limits; to be said before there are nodes. */
  share(): void {
    this.#isShared = true;
  }

  /** What is in use stays in use. */
  follow(book: RuleBook): void {
    this.#book = book;
    const now = this.#now();
    for (const nodes of this.#kinds.values()) {
      for (const node of nodes.values()) {
        const rule = book.ruleFor(node.kind, node.id);
        if (rule !== undefined) node.follow(rule, now);
      }
    }
  }

  /** Of those whose number is limited for several servers: what runs here has to be known to the others. */
  slotsInUse(): readonly MoneyCounter[] {
    return [...this.#kinds.values()].flatMap((nodes) =>
      [...nodes.values()].flatMap(({ slots, running, rule }) =>
        slots !== undefined && running > 0 && rule.limits.concurrency !== undefined ? [slots] : [],
      ),
    );
  }

  knows(kind: string): boolean {
    return this.#book.has(kind);
  }

  /** Nothing where no rule holds. */
  get(kind: string, named: string, now: number): BudgetedNode | undefined {
    if (!this.#book.has(kind)) return undefined;
    const id = this.#book.idOf(kind, named);
    const known = this.#kinds.get(kind)?.get(id);
    if (known !== undefined && this.#book.isInUse(known.rule)) {
      known.usedAt = now;
      return known;
    }
    const rule = this.#book.ruleFor(kind, id);
    if (rule === undefined) return undefined;
    if (known !== undefined) return known;
    return this.#add(new BudgetedNode(kind, id, rule, { now, isShared: this.#isShared }));
  }

  #add(node: BudgetedNode): BudgetedNode {
    if (this.#size >= MAX_NODES) this.#dropOldest();
    const nodes = this.#kinds.get(node.kind) ?? new Map<string, BudgetedNode>();
    this.#kinds.set(node.kind, nodes.set(node.id, node));
    this.#size += 1;
    return node;
  }

  /** A tenth at once, so that it does not have to be done for each. What a node has spent is still in the store. */
  #dropOldest(): void {
    const idle = [...this.#kinds.values()].flatMap((nodes) => [...nodes.values()].filter((node) => node.isIdle));
    idle.sort((a, b) => a.usedAt - b.usedAt);
    for (const node of idle.slice(0, MAX_NODES / 10)) {
      this.#kinds.get(node.kind)?.delete(node.id);
      this.#size -= 1;
    }
  }
}
