import type { RouteAudience, RouteTarget, RouteTiers, RouteTimeouts } from "@loom/api";
import type { UpstreamDeadlines } from "../../config.ts";
import type { BudgetNode, Dialect, RouteStep } from "../../gateway-types.ts";
import { isAlias } from "../gateway/straight-routing.ts";
import { type NamedRoute, type RouteTable, targetOf } from "./route-table.ts";
import { weightedOrder } from "./weighted-order.ts";

/** What a plan is made for. `key` decides among the targets of a tier. */
export type PlanRequest = {
  readonly model: string;
  readonly key: string;
  readonly nodes: readonly BudgetNode[];
  readonly dialect: Dialect | undefined;
};

export type PlanContext = {
  readonly table: RouteTable;
  readonly isProvider: (name: string) => boolean;
  /** What `default`, `fast` or `oracle` means that has no route. */
  readonly straight: (alias: string) => RouteStep | undefined;
};

export type Planned = { readonly route: NamedRoute; readonly steps: readonly RouteStep[] };

type Choice = { readonly tiers: RouteTiers; readonly timeouts: RouteTimeouts | undefined };

/** Steps beyond these are left out: nobody gets that far. */
const MAX_STEPS = 32;

/**
 * Every target of the route for a model, in the order in which to try them, each once; `undefined` where there is no
 * route for those who ask. Ends whatever the table holds, also with aliases in a circle.
 */
export function planSteps(request: PlanRequest, context: PlanContext): Planned | undefined {
  const route = context.table.find(request.model);
  const choice = route === undefined ? undefined : choose(route, request);
  if (route === undefined || choice === undefined) return undefined;
  const label =
    route.name === request.model || isAlias(request.model) ? `alias ${request.model}` : `route ${route.name}`;
  const steps = new Map<string, RouteStep>();
  const add = (step: RouteStep): void => {
    const id = `${step.upstream}/${step.model}`;
    if (steps.size < MAX_STEPS && !steps.has(id)) steps.set(id, step);
  };
  const followed = new Set<string>([route.name]);
  const follow = ({ tiers, timeouts }: Choice, reason: string, outer: Deadlines): void => {
    const deadlines = { ...outer, ...deadlinesOf(timeouts) };
    const more = Object.keys(deadlines).length === 0 ? {} : { deadlines };
    for (const tier of tiers) {
      const sum = tier.reduce((total, { weight = 1 }) => total + weight, 0);
      for (const each of weightedOrder(tier, weighed, request.key)) {
        const why = tier.length > 1 ? `${reason}, weight ${each.weight ?? 1} of ${sum}` : reason;
        const target = targetOf(each.target, context.isProvider);
        if (target.type === "model") {
          add({ upstream: target.upstream, model: target.model, reason: why, ...more });
          continue;
        }
        const inner = context.table.named(target.name);
        if (inner === undefined) {
          const straight = isAlias(target.name) ? context.straight(target.name) : undefined;
          if (straight !== undefined) add({ ...straight, reason: `${why} > ${target.name}`, ...more });
          continue;
        }
        const next = followed.has(inner.name) ? undefined : choose(inner, request);
        followed.add(inner.name);
        if (next !== undefined) follow(next, `${why} > ${target.name}`, deadlines);
      }
    }
  };
  follow(choice, label, {});
  return { route, steps: [...steps.values()] };
}

type Deadlines = Partial<UpstreamDeadlines>;

function weighed({ target, weight = 1 }: RouteTarget): { readonly id: string; readonly weight: number } {
  return { id: target, weight };
}

function choose({ definition }: NamedRoute, request: PlanRequest): Choice | undefined {
  const { tiers, timeouts, variants = [] } = definition;
  const variant = variants.find((each) => fits(each.for, request));
  if (variant !== undefined) return { tiers: variant.tiers, timeouts: { ...timeouts, ...variant.timeouts } };
  return tiers.length === 0 ? undefined : { tiers, timeouts };
}

function fits({ subjects, dialects }: RouteAudience, { nodes, dialect }: PlanRequest): boolean {
  if (dialects !== undefined && (dialect === undefined || !dialects.includes(dialect))) return false;
  return subjects === undefined || nodes.some(({ kind, id }) => subjects.includes(`${kind}/${id}`));
}

function deadlinesOf(timeouts: RouteTimeouts = {}): Deadlines {
  const { connect, headers, firstEvent, gap, complete } = timeouts;
  return {
    ...(connect === undefined ? {} : { connectMs: connect * 1000 }),
    ...(headers === undefined ? {} : { headersMs: headers * 1000 }),
    ...(firstEvent === undefined ? {} : { firstEventMs: firstEvent * 1000 }),
    ...(gap === undefined ? {} : { gapMs: gap * 1000 }),
    ...(complete === undefined ? {} : { completeMs: complete * 1000 }),
  };
}
