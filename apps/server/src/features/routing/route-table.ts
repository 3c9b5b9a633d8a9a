import type { RouteDefinition, RouteTiers } from "@loom/api";
import { fitsPattern, isPattern } from "../../kit/name-pattern.ts";
import { isAlias } from "../gateway/straight-routing.ts";

export type NamedRoute = { readonly name: string; readonly definition: RouteDefinition };

export type Target =
  | { readonly type: "model"; readonly upstream: string; readonly model: string }
  | { readonly type: "alias"; readonly name: string };

/** Aliases within aliases. */
const MAX_DEPTH = 4;

/** The routes in force, found by what a client asks for. */
export class RouteTable {
  readonly routes: readonly NamedRoute[];
  readonly #exact: ReadonlyMap<string, NamedRoute>;
  readonly #patterns: readonly NamedRoute[];

  constructor(routes: readonly NamedRoute[]) {
    this.routes = routes;
    this.#exact = new Map(routes.filter(({ name }) => !isPattern(name)).map((route) => [route.name, route]));
    this.#patterns = routes.filter(({ name }) => isPattern(name)).sort((a, b) => b.name.length - a.name.length);
  }

  get isEmpty(): boolean {
    return this.routes.length === 0;
  }

  /** By its own name, else by the longest pattern that fits; patterns are for models and not for aliases. */
  find(model: string): NamedRoute | undefined {
    const named = this.named(model);
    if (named !== undefined || isAlias(model)) return named;
    return this.#patterns.find(({ name }) => fitsPattern(name, model));
  }

  named(name: string): NamedRoute | undefined {
    return this.#exact.get(name) ?? (name === "oracle" ? this.#exact.get("default") : undefined);
  }
}

/** What a target means; a provider's name before the first slash comes before any alias. */
export function targetOf(text: string, isProvider: (name: string) => boolean): Target {
  const slash = text.indexOf("/");
  const upstream = text.slice(0, Math.max(0, slash));
  if (slash > 0 && slash + 1 < text.length && isProvider(upstream)) {
    return { type: "model", upstream, model: text.slice(slash + 1) };
  }
  return { type: "alias", name: text };
}

/** `message` goes on after the name of the route. */
export type RouteFault = {
  readonly name: string;
  readonly message: string;
  /** The provider that a target names and nobody here knows: another server may. */
  readonly provider?: string;
};

const NAME = /^[\w.:@/+~*-]{1,200}$/;
/** Those of the file and of the database together. */
const MAX_ROUTES = 500;
const TOO_MANY = `is one too many: there may be ${MAX_ROUTES} of them, in the file and set by API together; take another one away first`;

/** What is wrong with the routes as a whole: targets that are nothing, and aliases in a circle or too deep. */
export function faultsOf(routes: readonly NamedRoute[], providers: ReadonlySet<string>): RouteFault[] {
  const table = new RouteTable(routes);
  const isProvider = (name: string): boolean => providers.has(name);
  const faults: RouteFault[] = [];
  for (const { name, definition } of routes) {
    if (!NAME.test(name)) faults.push({ name, message: "is no name of an alias, a model or a pattern of models" });
    for (const text of targetsOf(definition)) {
      const target = targetOf(text, isProvider);
      if (target.type === "model" || table.named(target.name) !== undefined || isAlias(target.name)) continue;
      faults.push({ name, ...nothing(text, providers) });
    }
  }
  return [...faults, ...circlesIn(table, isProvider)];
}

/** What is wrong with the routes `after` a change and was not `before`. */
export function newFaults(
  before: readonly NamedRoute[],
  after: readonly NamedRoute[],
  providers: ReadonlySet<string>,
): RouteFault[] {
  const known = new Set(faultsOf(before, providers).map(faultKey));
  return [...excess(before, after), ...faultsOf(after, providers).filter((fault) => !known.has(faultKey(fault)))];
}

/** Where there are too many already, routes may be changed and taken away. */
function excess(before: readonly NamedRoute[], after: readonly NamedRoute[]): RouteFault[] {
  if (after.length <= Math.max(MAX_ROUTES, before.length)) return [];
  const known = new Set(before.map(({ name }) => name));
  const added = after.findLast(({ name }) => !known.has(name));
  return added === undefined ? [] : [{ name: added.name, message: TOO_MANY }];
}

function faultKey({ name, message }: RouteFault): string {
  return `${name} ${message}`;
}

function nothing(text: string, providers: ReadonlySet<string>): Omit<RouteFault, "name"> {
  const slash = text.indexOf("/");
  if (slash <= 0) {
    return { message: `has the target ${text}, which is no alias: give provider/model, or set a route ${text} first` };
  }
  const provider = text.slice(0, slash);
  const known = [...providers].join(", ");
  return { message: `has the target ${text}, but there is no provider ${provider}: use one of ${known}`, provider };
}

/** Each alias is looked into once, however many lead to it, but for those that lead into a circle. */
function circlesIn(table: RouteTable, isProvider: (name: string) => boolean): RouteFault[] {
  const depths = new Map<string, number>();
  const depthOf = ({ name, definition }: NamedRoute, path: readonly string[]): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    const way = [...path, name];
    if (path.includes(name)) throw new RouteLoop(way);
    let below = 0;
    for (const text of targetsOf(definition)) {
      const target = targetOf(text, isProvider);
      const next = target.type === "alias" ? table.named(target.name) : undefined;
      if (next !== undefined) below = Math.max(below, depthOf(next, way));
    }
    depths.set(name, below + 1);
    return below + 1;
  };
  return table.routes.flatMap((route): RouteFault[] => {
    try {
      if (depthOf(route, []) <= MAX_DEPTH) return [];
      return [{ name: route.name, message: `has aliases within aliases, more than ${MAX_DEPTH} deep` }];
    } catch (error) {
      if (!(error instanceof RouteLoop)) throw error;
      return [{ name: route.name, message: `goes in a circle: ${error.way.join(" > ")}` }];
    }
  });
}

class RouteLoop extends Error {
  readonly way: readonly string[];

  constructor(way: readonly string[]) {
    super("The routes go in a circle.");
    this.way = way;
  }
}

/** With those of its variants. */
export function targetsOf({ tiers, variants = [] }: RouteDefinition): string[] {
  return [tiers, ...variants.map((variant) => variant.tiers)].flatMap((each: RouteTiers) =>
    each.flatMap((tier) => tier.map(({ target }) => target)),
  );
}
