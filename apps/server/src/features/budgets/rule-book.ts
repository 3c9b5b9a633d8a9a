import type { BudgetLimits } from "@loom/api";
import { fitsInAnyCase, fitsPattern, isPattern } from "../../kit/name-pattern.ts";

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

  /** One id for all spellings of it: as the rule of its own has it, if there is one. */
  idOf(kind: string, id: string): string {
    if (kind !== "model") return id;
    const plain = plainId(kind, id);
    return this.#kinds.get(kind)?.exact.get(plain)?.id ?? plain;
  }

  ruleFor(kind: string, id: string): BudgetRule | undefined {
    const rules = this.#kinds.get(kind);
    const fits = kind === "model" ? fitsInAnyCase : fitsPattern;
    return rules?.exact.get(plainId(kind, id)) ?? rules?.patterns.find((rule) => fits(rule.id, id));
  }

  exact(kind: string, id: string): BudgetRule | undefined {
    const plain = plainId(kind, id);
    return this.rules.find((rule) => rule.kind === kind && plainId(kind, rule.id) === plain);
  }
}

/** Names of models are the same in upper and lower case, as prices and owners are found; other ids are not. */
function plainId(kind: string, id: string): string {
  return kind === "model" ? id.toLowerCase() : id;
}

function sorted(rules: readonly BudgetRule[]): RulesOfKind {
  return {
    exact: new Map(rules.filter(({ id }) => !isPattern(id)).map((rule) => [plainId(rule.kind, rule.id), rule])),
    patterns: rules.filter((rule) => isPattern(rule.id)).sort((a, b) => b.id.length - a.id.length),
  };
}
