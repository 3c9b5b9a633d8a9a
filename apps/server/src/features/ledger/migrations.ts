import type { Migration } from "../../kit/migrations.ts";

/** A row of the ledger. Times in Unix milliseconds, durations in milliseconds, money in micro-dollars. */
export type UsageRow = {
  readonly id: string;
  readonly at_ms: number;
  readonly subject: string;
  /** Names the set of budget nodes that were charged; see `usage_node`. */
  readonly path: string;
  readonly session: string | null;
  readonly client: string;
  readonly dialect: string;
  readonly upstream: string;
  readonly credential: string | null;
  readonly requested_model: string;
  readonly model: string;
  readonly route: string;
  readonly attempts: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_tokens: number;
  readonly cache_write_tokens: number;
  readonly cache_write_long_tokens: number;
  readonly reasoning_tokens: number;
  readonly estimated: number;
  readonly cost_micro_usd: number | null;
  readonly price_version: string | null;
  readonly latency_ms: number;
  readonly first_byte_ms: number | null;
  /** The duration's class, so that percentiles can be worked out of counts; see `duration-class.ts`. */
  readonly latency_class: number;
  readonly first_byte_class: number | null;
  readonly status: number;
  readonly outcome: string;
  readonly error_code: string | null;
  /** JSON. */
  readonly details: string | null;
};

/** As the tables have them by now. */
export const USAGE_COLUMNS = {
  id: "text",
  at_ms: "bigint",
  subject: "text",
  path: "text",
  session: "text",
  client: "text",
  dialect: "text",
  upstream: "text",
  credential: "text",
  requested_model: "text",
  model: "text",
  route: "text",
  attempts: "integer",
  input_tokens: "bigint",
  output_tokens: "bigint",
  cache_read_tokens: "bigint",
  cache_write_tokens: "bigint",
  cache_write_long_tokens: "bigint",
  reasoning_tokens: "bigint",
  estimated: "integer",
  cost_micro_usd: "bigint",
  price_version: "text",
  latency_ms: "double precision",
  first_byte_ms: "double precision",
  latency_class: "integer",
  first_byte_class: "integer",
  status: "integer",
  outcome: "text",
  error_code: "text",
  details: "text",
} as const satisfies { readonly [name in keyof UsageRow]: string };

/** Rows outnumber the sets of nodes they are charged to by far: the sets are kept once. */
export type UsageNodeRow = {
  readonly path: string;
  readonly kind: string;
  readonly node: string;
  /** Of the newest row with this path: when that one is purged, so is this. */
  readonly last_at_ms: number;
};

/** Never changed but for `retired_at_ms`: a row of the ledger names the price that it was made with. */
export type PriceOverrideRow = {
  readonly id: string;
  readonly provider: string;
  readonly model_pattern: string;
  readonly effective_from_ms: number;
  /** JSON of `TokenPrices`. */
  readonly prices: string;
  readonly created_at_ms: number;
  readonly retired_at_ms: number | null;
};

export type LedgerTables = {
  usage: UsageRow;
  usage_node: UsageNodeRow;
  price_override: PriceOverrideRow;
};

export const migrations: readonly Migration[] = [
  {
    name: "0001_usage",
    async up(db) {
      await db.schema
        .createTable("usage")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .addColumn("subject", "text", (column) => column.notNull())
        .addColumn("path", "text", (column) => column.notNull())
        .addColumn("session", "text")
        .addColumn("client", "text", (column) => column.notNull())
        .addColumn("dialect", "text", (column) => column.notNull())
        .addColumn("upstream", "text", (column) => column.notNull())
        .addColumn("credential", "text")
        .addColumn("requested_model", "text", (column) => column.notNull())
        .addColumn("model", "text", (column) => column.notNull())
        .addColumn("route", "text", (column) => column.notNull())
        .addColumn("attempts", "integer", (column) => column.notNull())
        .addColumn("input_tokens", "bigint", (column) => column.notNull())
        .addColumn("output_tokens", "bigint", (column) => column.notNull())
        .addColumn("cache_read_tokens", "bigint", (column) => column.notNull())
        .addColumn("cache_write_tokens", "bigint", (column) => column.notNull())
        .addColumn("cache_write_long_tokens", "bigint", (column) => column.notNull())
        .addColumn("reasoning_tokens", "bigint", (column) => column.notNull())
        .addColumn("estimated", "integer", (column) => column.notNull())
        .addColumn("cost_micro_usd", "bigint")
        .addColumn("price_version", "text")
        .addColumn("latency_ms", "double precision", (column) => column.notNull())
        .addColumn("first_byte_ms", "double precision")
        .addColumn("latency_class", "integer", (column) => column.notNull())
        .addColumn("first_byte_class", "integer")
        .addColumn("status", "integer", (column) => column.notNull())
        .addColumn("outcome", "text", (column) => column.notNull())
        .addColumn("error_code", "text")
        .addColumn("details", "text")
        .execute();
      await db.schema.createIndex("usage_at").on("usage").column("at_ms").execute();
      await db.schema
        .createTable("usage_node")
        .addColumn("path", "text", (column) => column.notNull())
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("node", "text", (column) => column.notNull())
        .addColumn("last_at_ms", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("usage_node_key", ["path", "kind", "node"])
        .execute();
    },
  },
  {
    name: "0002_price_override",
    async up(db) {
      await db.schema
        .createTable("price_override")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("provider", "text", (column) => column.notNull())
        .addColumn("model_pattern", "text", (column) => column.notNull())
        .addColumn("effective_from_ms", "bigint", (column) => column.notNull())
        .addColumn("prices", "text", (column) => column.notNull())
        .addColumn("created_at_ms", "bigint", (column) => column.notNull())
        .addColumn("retired_at_ms", "bigint")
        .execute();
    },
  },
];
