/** One model of one provider, `provider/model`, or an alias. `weight`: 1 (default) to 1,000 of its tier's sum. */
export type RouteTarget = { readonly target: string; readonly weight?: number };

/** Tried from the first to the last. Within a tier, a session has an order of its own, by weight. */
export type RouteTiers = readonly (readonly RouteTarget[])[];

/** In seconds, in place of the server's own. */
export type RouteTimeouts = {
  readonly connect?: number;
  readonly headers?: number;
  readonly firstEvent?: number;
  readonly gap?: number;
  readonly complete?: number;
};

export const ROUTE_DIALECTS = ["anthropic", "chat", "responses", "gemini", "loom"] as const;
export type RouteDialect = (typeof ROUTE_DIALECTS)[number];

/** Whom something holds for: all that is given has to fit. `subjects` are nodes, e.g. `token/owner`. */
export type RouteAudience = {
  readonly subjects?: readonly string[];
  readonly dialects?: readonly RouteDialect[];
};

/** Other tiers for some: the first variant that fits decides. */
export type RouteVariant = {
  readonly for: RouteAudience;
  readonly tiers: RouteTiers;
  readonly timeouts?: RouteTimeouts;
};

/** Where requests for a name go. Without tiers, those that no variant fits go as if there were no route. */
export type RouteDefinition = {
  readonly tiers: RouteTiers;
  readonly timeouts?: RouteTimeouts;
  readonly variants?: readonly RouteVariant[];
};

/** `name`: an alias, the name of a model, or a pattern of such names in which `*` stands for anything. */
export type RouteInfo = RouteDefinition & {
  readonly name: string;
  readonly source: "api" | "file";
  /** For If-Match; `null` for routes of the file. */
  readonly version: number | null;
  /** False: a route of the same name that was set by API comes before it. */
  readonly active: boolean;
  /** What is wrong with a target of it, in a sentence; `null`: nothing, or it is not in force. */
  readonly problem: string | null;
};

export type RouteList = {
  readonly routes: readonly RouteInfo[];
  /** Why the newest version of the file is not in force; `null` where it is. */
  readonly fileProblem: string | null;
};

export type BreakerState = "closed" | "half_open" | "open";

export type ExplainedStep = {
  readonly upstream: string;
  readonly model: string;
  readonly reason: string;
  /** Whether it would be tried now. */
  readonly used: boolean;
  /** Why it would not. */
  readonly note: string | null;
  readonly breaker: BreakerState;
  /** Milliseconds until an open breaker lets a request through to try. */
  readonly opensInMs: number | null;
};

/** Whom a request would be sent to, in this order. */
export type RouteExplanation = {
  readonly model: string;
  /** The route that decides; `null`: none, the model's name does. */
  readonly route: string | null;
  readonly steps: readonly ExplainedStep[];
  /** Why nobody would be asked. */
  readonly problem: string | null;
};
