import type { BreakerState, ExplainedStep, RouteDefinition, RouteExplanation, RouteInfo, RouteList } from "@loom/api";
import { ConfigError } from "@loom/config";
import type { LlmFailure } from "@loom/core";
import { type Catalogue, loadCatalogue } from "@loom/llm";
import type { RouteRequest, RouteStep, Routing } from "../../gateway-types.ts";
import type { Log } from "../../kit/log.ts";
import { isPattern } from "../../kit/name-pattern.ts";
import type { BreakerBoard } from "./breaker-board.ts";
import { planSteps } from "./planner.ts";
import { type RouteFile, readRouteFile, stampOf } from "./route-file.ts";
import {
  faultsOf,
  type NamedRoute,
  newFaults,
  type RouteFault,
  RouteTable,
  targetOf,
  targetsOf,
} from "./route-table.ts";
import type { RouteStore, StoredRoute } from "./store.ts";

export type RoutingService = Routing & {
  /** Reads the routes. Before that there are none. @throws ConfigError, DatabaseError */
  load(): Promise<void>;
  /** Follows the file and what other processes have changed. */
  refresh(): Promise<void>;
  list(): Promise<RouteList>;
  /** Holds when this resolves. `version`: of the route that it takes the place of. @throws RouteError */
  put(name: string, definition: RouteDefinition, options?: { readonly version?: number }): Promise<RouteInfo>;
  /** Gives what was there. @throws RouteError */
  remove(name: string, options?: { readonly version?: number }): Promise<RouteInfo>;
  explain(request: RouteRequest): RouteExplanation;
  breakerOf(upstream: string): BreakerState;
};

/** `message` is a sentence for whoever asked. */
export class RouteError extends Error {
  override readonly name = "RouteError";
  readonly reason: "invalid" | "unknown" | "version";

  constructor(reason: RouteError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

export type RoutingOptions = {
  readonly store: RouteStore;
  readonly straight: Routing;
  readonly board: BreakerBoard;
  readonly log: Log;
  /** TOML; `undefined`: no file. */
  readonly file: string | undefined;
  /** Those that targets may name, and those of them that are set up. */
  readonly providers: ReadonlySet<string>;
  readonly isSetUp: (provider: string) => boolean;
  /** False: the routes are another process's, whose providers may be others. What hangs on them is then no reason to refuse. */
  readonly knowsProviders: boolean;
  /** Where a request has nothing that it should stay with. */
  readonly randomKey?: () => string;
};

type Step = RouteStep & { readonly opensInMs: number; readonly state: BreakerState; readonly setUp: boolean };
type Survey = { readonly route: string | undefined; readonly steps: readonly Step[]; readonly failure?: LlmFailure };

export function createRoutingService(options: RoutingOptions): RoutingService {
  const { store, straight, board, log, file: path, providers, isSetUp, knowsProviders, randomKey = chance } = options;
  let table = new RouteTable([]);
  let stored: readonly StoredRoute[] = [];
  let ofFile: RouteFile = { routes: [], problem: ({ message }) => message };
  let [revision, stamp, fileProblem, storeProblem] = [-1, undefined, undefined, undefined] as [
    number,
    string | undefined,
    string | undefined,
    string | undefined,
  ];
  let catalogue: Catalogue | undefined;
  /** What the log has been told of, by the names of routes. */
  let told: ReadonlyMap<string, string> = new Map();
  let toldOf = table;

  const isProvider = (name: string): boolean => providers.has(name);
  const context = {
    get table() {
      return table;
    },
    isProvider,
    straight(alias: string) {
      const plan = straight.plan({ model: alias });
      return plan.ok ? plan.steps[0] : undefined;
    },
  };

  function overlay(own: readonly NamedRoute[], below: readonly NamedRoute[]): NamedRoute[] {
    const names = new Set(own.map(({ name }) => name));
    return [...own, ...below.filter(({ name }) => !names.has(name))];
  }

  function problemsNow(): Map<string, string> {
    const found = new Map<string, string>();
    const add = (name: string, message: string): void => {
      if (!found.has(name)) found.set(name, `The route ${name} ${message}.`);
    };
    for (const { name, message } of faultsOf(table.routes, providers)) add(name, message);
    if (!knowsProviders) return found;
    for (const { name, definition } of table.routes) {
      for (const text of targetsOf(definition)) {
        const target = targetOf(text, isProvider);
        if (target.type === "alias" || isSetUp(target.upstream)) continue;
        add(name, `has the target ${text}, but the provider ${target.upstream} is not set up`);
      }
    }
    return found;
  }

  /** Says it once of each. The routes stay in force: a provider may come back, and further targets may answer. */
  function warnOfProblems(): void {
    if (table === toldOf) return;
    toldOf = table;
    const before = told;
    told = problemsNow();
    for (const [route, problem] of told) {
      if (before.get(route) !== problem) log.warn("a route has a target that leads nowhere", { route, problem });
    }
  }

  /** The first reason against what would be `after`; what was wrong before is none. */
  function objection(before: readonly NamedRoute[], after: readonly NamedRoute[]): RouteFault | undefined {
    return newFaults(before, after, providers).find(({ provider }) => knowsProviders || provider === undefined);
  }

  async function followStore(): Promise<void> {
    const news = await store.read(revision);
    if (news === undefined) return;
    stored = news.routes;
    revision = news.revision;
    // What the file had against them may be gone.
    if (fileProblem !== undefined) stamp = undefined;
    table = new RouteTable(overlay(stored, ofFile.routes));
  }

  /** @throws ConfigError */
  async function followFile(): Promise<void> {
    if (path === undefined) return;
    const now = (await stampOf(path)) ?? "";
    if (now === stamp) return;
    stamp = now;
    const read = await readRouteFile(path);
    // By itself as well: the routes that hide some of it may go.
    const fault = objection([], read.routes) ?? objection(overlay(stored, ofFile.routes), overlay(stored, read.routes));
    if (fault !== undefined) throw new ConfigError(read.problem(fault));
    ofFile = read;
    table = new RouteTable(overlay(stored, ofFile.routes));
    if (fileProblem !== undefined) log.info("the routes file is in order again", { file: path });
    fileProblem = undefined;
  }

  function survey(request: RouteRequest): Survey {
    const { upstream, model, affinity, nodes = [], dialect } = request;
    const planned = table.isEmpty
      ? undefined
      : planSteps({ model, key: affinity ?? randomKey(), nodes, dialect }, context);
    const steps = planned?.steps.filter((step) => upstream === undefined || step.upstream === upstream) ?? [];
    if (planned !== undefined && steps.length > 0) {
      return { route: planned.route.name, steps: steps.map((step) => seen(step, steps.length > 1)) };
    }
    if (planned?.steps.length === 0 && upstream === undefined) {
      return { route: planned.route.name, steps: [], failure: leadsNowhere(planned.route) };
    }
    const plan = straight.plan(request);
    if (!plan.ok) return { route: undefined, steps: [], failure: plan.failure };
    return { route: undefined, steps: plan.steps.map((step) => seen(step, false)) };
  }

  function seen(step: RouteStep, sized: boolean): Step {
    const contextWindow = sized ? catalogue?.findModel(step.upstream, step.model)?.contextWindow : undefined;
    const more = contextWindow === undefined ? {} : { contextWindow };
    return { ...step, ...more, ...board.view(step), setUp: isSetUp(step.upstream) };
  }

  /** Those whose breaker lets something through; where none does, the one that will do so next. */
  function usable({ steps }: Survey): readonly Step[] {
    const setUp = steps.filter((step) => step.setUp);
    const open = setUp.filter((step) => step.opensInMs === 0);
    if (open.length > 0 || setUp.length === 0) return open;
    return [setUp.reduce((soonest, step) => (step.opensInMs < soonest.opensInMs ? step : soonest))];
  }

  async function change(
    name: string,
    definition: RouteDefinition | undefined,
    version: number | undefined,
  ): Promise<StoredRoute | undefined> {
    let replaced: StoredRoute | undefined;
    await followFile().catch((error: unknown) => keepFile(error));
    await store.change({
      name,
      definition,
      check(before, after) {
        replaced = before.find((route) => route.name === name);
        if (version !== undefined && version !== (replaced?.version ?? 0)) throw otherVersion(name, replaced);
        if (definition === undefined && replaced === undefined) throw noRoute(name, ofFile.routes);
        const fault = objection(overlay(before, ofFile.routes), overlay(after, ofFile.routes));
        if (fault === undefined) return;
        const without = definition === undefined ? `Without the route ${name}, the` : "The";
        throw new RouteError("invalid", `${without} route ${fault.name} ${fault.message}.`);
      },
    });
    await followStore();
    return replaced;
  }

  function keepFile(error: unknown): void {
    if (!(error instanceof ConfigError)) throw error;
    fileProblem = error.message;
    log.error("the routes file is not in order: what it said before holds", { file: path, problem: error.message });
  }

  return {
    plan(request) {
      if (table.isEmpty) return straight.plan(request);
      const found = survey(request);
      if (found.failure !== undefined) return { ok: false, failure: found.failure };
      const steps = usable(found);
      const [first] = steps;
      if (first === undefined) return { ok: false, failure: nobodySetUp(found) };
      const before = found.steps.slice(0, found.steps.indexOf(first));
      if (before.length === 0) return { ok: true, steps };
      const skipped = before.slice(0, MAX_SKIPPED).map(skippedBecause);
      if (before.length > MAX_SKIPPED) skipped.push(`${before.length - MAX_SKIPPED} more`);
      const reason = `${first.reason}; skipped ${skipped.join(", ")}`;
      return { ok: true, steps: [{ ...first, reason }, ...steps.slice(1)] };
    },
    enter: (step, { lastChance }) => board.enter(step) || lastChance,
    report: (step, outcome) => board.report(step, outcome),
    aliases() {
      const own = table.routes.map(({ name }) => name).filter((name) => !isPattern(name));
      return [...new Set([...straight.aliases(), ...own])];
    },
    async load() {
      await followStore();
      await followFile();
      warnOfProblems();
      catalogue = await loadCatalogue();
    },
    async refresh() {
      await followFile().catch((error: unknown) => keepFile(error));
      try {
        await followStore();
        storeProblem = undefined;
      } catch (error) {
        // Once, and not twice a second.
        if (storeProblem === undefined)
          log.error("routes cannot be read: the last ones hold", { error: String(error) });
        storeProblem = String(error);
      }
      warnOfProblems();
    },
    async list() {
      await followStore();
      const hidden = new Set(stored.map(({ name }) => name));
      const now = problemsNow();
      const routes: RouteInfo[] = [
        ...stored.map((route) => infoOf(route, now.get(route.name))),
        ...ofFile.routes.map(({ name, definition }) => {
          const active = !hidden.has(name);
          const problem = (active ? now.get(name) : undefined) ?? null;
          return { ...definition, name, source: "file" as const, version: null, active, problem };
        }),
      ];
      return { routes: routes.sort((a, b) => (a.name < b.name ? -1 : 1)), fileProblem: fileProblem ?? null };
    },
    async put(name, definition, { version } = {}) {
      await change(name, definition, version);
      const route = stored.find((each) => each.name === name);
      return route === undefined
        ? { ...infoOf({ name, definition, version: 0 }), active: false }
        : infoOf(route, problemsNow().get(name));
    },
    async remove(name, { version } = {}) {
      const replaced = await change(name, undefined, version);
      if (replaced === undefined) throw noRoute(name, ofFile.routes);
      return { ...infoOf(replaced), active: false };
    },
    explain(request) {
      const found = survey(request);
      const used = new Set(usable(found));
      const problem = found.failure ?? (used.size === 0 ? nobodySetUp(found) : undefined);
      return {
        model: request.model,
        route: found.route ?? null,
        steps: found.steps.map((step) => explained(step, used.has(step))),
        problem: problem?.message ?? null,
      };
    },
    breakerOf: (upstream) => board.stateOf(upstream),
  };
}

function infoOf({ name, definition, version }: StoredRoute, problem?: string): RouteInfo {
  return { ...definition, name, source: "api", version, active: true, problem: problem ?? null };
}

function explained(step: Step, used: boolean): ExplainedStep {
  const { upstream, model, reason, state, opensInMs, setUp } = step;
  const forced = used && opensInMs > 0 ? "no breaker lets a request through, and this one will be the first to" : null;
  return {
    upstream,
    model,
    reason,
    used,
    note: used ? forced : setUp ? DOORS[state] : "its provider is not set up",
    breaker: state,
    opensInMs: state === "open" ? Math.ceil(opensInMs) : null,
  };
}

const DOORS: Readonly<Record<BreakerState, string>> = {
  closed: "",
  half_open: "another request is trying it",
  open: "its breaker is open",
};

/** For a header, which has to stay short. */
const MAX_SKIPPED = 3;

function skippedBecause({ upstream, model, setUp }: Step): string {
  return `${upstream}/${model} (${setUp ? "breaker open" : "not set up"})`;
}

/** As where another server, which knows other providers, has set it. */
function leadsNowhere({ name }: NamedRoute): LlmFailure {
  const message = `The route ${name} has no target that this server knows: look at it with loom-server route list.`;
  return { code: "not_configured", message, retryable: false };
}

function nobodySetUp({ route, steps }: Survey): LlmFailure {
  const names = [...new Set(steps.map(({ upstream }) => upstream))].join(", ");
  const message = `The route ${route ?? ""} leads only to providers that are not set up (${names}): set one up, or change the route.`;
  return { code: "not_configured", message, retryable: false };
}

function otherVersion(name: string, there: StoredRoute | undefined): RouteError {
  const is = there === undefined ? "there is none" : `it is at version ${there.version}`;
  return new RouteError("version", `The route ${name} has been changed meanwhile (${is}): look at it again.`);
}

function noRoute(name: string, ofFile: readonly NamedRoute[]): RouteError {
  const shown = JSON.stringify(name.slice(0, 80));
  const why = ofFile.some((route) => route.name === name) ? ": it stands in the file, take it out there" : "";
  return new RouteError("unknown", `No route ${shown} was set by API or command${why}.`);
}

function chance(): string {
  return String(Math.random());
}
