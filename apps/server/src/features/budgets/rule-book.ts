import type { BudgetLimits } from "@loom/api";
import { fitsPattern, isPattern } from "../../kit/name-pattern.ts";

/** Limits of one node, or of every node whose id fits. */
export type BudgetRule = {
  readonly kind: string;
  readonly id: string;
  /** What people know the node as. */
  readonly label: string | undefined;
  readonly limits: BudgetLimits;
};

type RulesOfKind = { readonly exact: ReadonlyMap<string, BudgetRule>; readonly patterns: readonly BudgetRule[] };

/** All rules. One rule holds for a node: that of its own id, else the one with the longest pattern that fits. */
export class RuleBook {
  readonly rules: readonly BudgetRule[];
  readonly #kinds: ReadonlyMap<string, RulesOfKind>;
  readonly #inUse: ReadonlySet<BudgetRule>;

  constructor(rules: readonly BudgetRule[]) {
    this.rules = rules;
    this.#inUse = new Set(rules);
    this.#kinds = new Map([...Map.groupBy(rules, (rule) => rule.kind)].map(([kind, own]) => [kind, sorted(own)]));
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  /** Whether this very rule is in the book. */
  isInUse(rule: BudgetRule): boolean {
    return this.#inUse.has(rule);
  }

  ruleFor(kind: string, id: string): BudgetRule | undefined {
    const rules = this.#kinds.get(kind);
    return rules?.exact.get(id) ?? rules?.patterns.find((rule) => fitsPattern(rule.id, id));
  }

  exact(kind: string, id: string): BudgetRule | undefined {
    return this.rules.find((rule) => rule.kind === kind && rule.id === id);
  }
}

function sorted(rules: readonly BudgetRule[]): RulesOfKind {
  return {
    exact: new Map(rules.filter((rule) => !isPattern(rule.id)).map((rule) => [rule.id, rule])),
    patterns: rules.filter((rule) => isPattern(rule.id)).sort((a, b) => b.id.length - a.id.length),
  };
}
