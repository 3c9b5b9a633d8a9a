/** What usage can be grouped by; besides these, `node:KIND` for a kind of budget node, e.g. `node:token`. Times are UTC. */
export const USAGE_DIMENSIONS = [
  "model",
  "requestedModel",
  "upstream",
  "subject",
  "session",
  "client",
  "credential",
  "route",
  "dialect",
  "outcome",
  "hour",
  "day",
  "month",
] as const;

export type UsageDimension = (typeof USAGE_DIMENSIONS)[number] | `node:${string}`;

/** Sums over requests. Money in micro-dollars. */
export type UsageSums = {
  readonly requests: number;
  /** Requests that failed or were cut off. */
  readonly errors: number;
  readonly cancelled: number;
  /** Requests that were not let through, for a limit or for what they asked. */
  readonly refused: number;
  /** The kinds do not overlap, but for `cacheWriteLong`, part of `cacheWrite`, and `reasoning`, part of `output`. */
  readonly tokens: {
    readonly input: number;
    readonly output: number;
    readonly cacheRead: number;
    readonly cacheWrite: number;
    readonly cacheWriteLong: number;
    readonly reasoning: number;
  };
  /** Of the requests whose price is known. */
  readonly costMicroUsd: number;
  /** Requests that used tokens whose price is not known: their cost is missing above. */
  readonly unpriced: number;
  /** Requests whose tokens were counted by Loom, because the provider's count never came. */
  readonly estimated: number;
  /**
   * Attempts that reached a provider, came to nothing, and had another in their place. What they used and cost is in
   * the sums; requests they are none.
   */
  readonly replaced: number;
  /** Milliseconds, exact to a tenth of the value; `null` where nothing was measured. */
  readonly latencyMs: UsagePercentiles | null;
  readonly firstByteMs: UsagePercentiles | null;
};

export type UsagePercentiles = { readonly p50: number; readonly p95: number };

export type UsageGroup = UsageSums & {
  /** The values of the dimensions in the order of `groupBy`; `null` where a request has none. */
  readonly key: readonly (string | null)[];
};

export type UsageReport = {
  /** RFC 3339. From the first, up to but without the second. */
  readonly from: string;
  readonly to: string;
  readonly groupBy: readonly string[];
  /** In the order of time where they are grouped by it, else the most expensive first. */
  readonly groups: readonly UsageGroup[];
  /** Groups that are left out because of the limit. */
  readonly more: number;
  /** Of all requests, also those in groups that are left out. */
  readonly total: UsageSums;
};

export type UsageQuery = {
  /** Dimensions, separated by commas. */
  readonly groupBy?: string | undefined;
  /** RFC 3339, a date or a time. Default: 30 days before `to`. */
  readonly from?: string | undefined;
  /** Default: now. */
  readonly to?: string | undefined;
  /** Most groups. */
  readonly limit?: number | undefined;
  readonly model?: string | undefined;
  readonly requestedModel?: string | undefined;
  readonly upstream?: string | undefined;
  readonly subject?: string | undefined;
  readonly session?: string | undefined;
  readonly client?: string | undefined;
  readonly credential?: string | undefined;
  readonly route?: string | undefined;
  readonly dialect?: string | undefined;
  readonly outcome?: string | undefined;
  /** Requests that were charged to this node: `KIND:ID`. */
  readonly node?: string | undefined;
};

export const MAX_USAGE_GROUPS = 10_000;
export const DEFAULT_USAGE_GROUPS = 1_000;
