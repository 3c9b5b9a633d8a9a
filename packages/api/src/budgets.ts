/**
 * What one node of the budget tree may use. Absent: not limited. Money is in micro-dollars, per day and month of UTC;
 * `models` are names in which `*` stands for anything, and no other model may be used.
 */
export type BudgetLimits = {
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly concurrency?: number;
  readonly dayMicroUsd?: number;
  readonly monthMicroUsd?: number;
  readonly totalMicroUsd?: number;
  readonly models?: readonly string[];
};

/** Settled costs, in micro-dollars. */
export type BudgetSpent = {
  readonly dayMicroUsd: number;
  readonly monthMicroUsd: number;
  readonly totalMicroUsd: number;
};

/**
 * The limits of a node, e.g. of `token` `owner`, `model` `claude-opus-5` or `session` `owner/*`. An id with `*` holds for
 * every node that fits, each by itself; the most exact id decides.
 */
export type Budget = {
  readonly kind: string;
  readonly id: string;
  /** What people know the node as; `null`: its id. */
  readonly label: string | null;
  readonly limits: BudgetLimits;
  /** `null` for an id with `*`: each node that fits has spent for itself. */
  readonly spent: BudgetSpent | null;
};

export type Budgets = { readonly budgets: readonly Budget[] };
