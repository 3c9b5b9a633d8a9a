import type { ScopedMemory, SealMemory } from "@loom/llm";
import type { UpstreamDeadlines } from "../../config.ts";
import type { Budgets, Credentials, Ledger, RequestTrace, Routing } from "../../gateway-types.ts";
import type { Listed, LiveList } from "../../kit/live-list.ts";
import type { RequestHead } from "../../kit/request-head.ts";
import type { Prices } from "../ledger/prices.ts";
import type { Deadlines } from "./deadlines.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import type { Transport } from "./transport.ts";
import type { Upstream } from "./upstream.ts";
import type { Upstreams } from "./upstreams.ts";

/** `healthy`: whether what is used can still be written down. */
export type HealthyLedger = Ledger & { healthy(): boolean };

/** What every exchange works with. */
export type GatewayParts = {
  readonly upstreams: Upstreams;
  readonly transport: Transport;
  readonly routing: Routing;
  readonly credentials: Credentials;
  /** Absent: nothing is limited. */
  readonly budgets: Budgets | undefined;
  /** Absent: nothing is recorded. */
  readonly ledger: HealthyLedger | undefined;
  /** Absent: a crash forgets what ran. */
  readonly trace: RequestTrace | undefined;
  readonly prices: Prices;
  /** Those that are being answered. */
  readonly open: LiveList<Listed & { touch(): void }>;
  readonly metrics: GatewayMetrics;
  readonly deadlines: UpstreamDeadlines;
  readonly clock: Deadlines;
  /** Silence towards a client after which it is told that there is nothing yet, in milliseconds. */
  readonly keepAliveMs: number;
  /** Takes what this process keeps secret out of a text. */
  readonly redact: (text: string) => string;
  /** Upstreams that refuse to be asked for the token counts of a stream; found out by asking. */
  readonly withoutStreamUsage: Set<string>;
  /** What clients of other dialects cannot carry from one answer to the next request. */
  readonly seals: SealMemory;
  /** Items of answers that clients of Responses may refer to, as JSON, by whom they are for and their id. */
  readonly items: ScopedMemory<string>;
  /** This server's address as whoever asks knows it, e.g. `https://loom.example.com`. */
  readonly originOf: (request: RequestHead) => string;
  /** The model that an upstream without a configured one has first. */
  defaultModel(upstream: Upstream, credential: Readonly<Record<string, string>>): Promise<string | undefined>;
};
