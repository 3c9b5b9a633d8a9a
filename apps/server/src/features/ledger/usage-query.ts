import { DEFAULT_USAGE_GROUPS, USAGE_DIMENSIONS, type UsageQuery } from "@loom/api";
import { type ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import type { UsageRow } from "./migrations.ts";

type Named = (typeof USAGE_DIMENSIONS)[number];

/** What rows are told apart by. */
export type Dimension =
  | { readonly type: "column"; readonly column: TextColumn }
  | { readonly type: "time"; readonly unit: "hour" | "day" | "month" }
  | { readonly type: "node"; readonly kind: string };

type TextColumn = keyof UsageRow &
  (
    | "model"
    | "requested_model"
    | "upstream"
    | "subject"
    | "session"
    | "client"
    | "credential"
    | "route"
    | "dialect"
    | "outcome"
  );

/** A question about usage, understood. */
export type UsageQuestion = {
  readonly fromMs: number;
  /** Not part of it. */
  readonly toMs: number;
  readonly names: readonly string[];
  readonly dimensions: readonly Dimension[];
  readonly filters: readonly Filter[];
  readonly limit: number;
};

export type Filter =
  | { readonly type: "column"; readonly column: TextColumn; readonly value: string }
  | { readonly type: "node"; readonly kind: string; readonly id: string };

const COLUMNS: { readonly [Name in Exclude<Named, "hour" | "day" | "month">]: TextColumn } = {
  model: "model",
  requestedModel: "requested_model",
  upstream: "upstream",
  subject: "subject",
  session: "session",
  client: "client",
  credential: "credential",
  route: "route",
  dialect: "dialect",
  outcome: "outcome",
};

const MAX_DIMENSIONS = 5;
const DEFAULT_SPAN_MS = 30 * 86_400_000;
const NODE_PREFIX = "node:";

/** @throws ProblemError that names the wrong field. */
export function questionOf(query: UsageQuery, nowMs: number): UsageQuestion {
  const toMs = query.to === undefined ? nowMs + 1 : Date.parse(query.to);
  const fromMs = query.from === undefined ? toMs - DEFAULT_SPAN_MS : Date.parse(query.from);
  if (fromMs >= toMs) throw wrong("from", "must be before to");
  const names = (query.groupBy ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length > MAX_DIMENSIONS) throw wrong("groupBy", `must not have more than ${MAX_DIMENSIONS} dimensions`);
  if (new Set(names).size < names.length) throw wrong("groupBy", "must not name a dimension twice");
  return {
    fromMs,
    toMs,
    names,
    dimensions: names.map(dimensionOf),
    filters: filtersOf(query),
    limit: query.limit ?? DEFAULT_USAGE_GROUPS,
  };
}

export function wrong(field: string, message: string): ProblemError {
  return wrongFields([{ field, message }]);
}

function dimensionOf(name: string): Dimension {
  if (name === "hour" || name === "day" || name === "month") return { type: "time", unit: name };
  if (isColumnName(name)) return { type: "column", column: COLUMNS[name] };
  const kind = name.startsWith(NODE_PREFIX) ? name.slice(NODE_PREFIX.length) : "";
  if (kind !== "") return { type: "node", kind };
  throw wrong("groupBy", `must be made of ${USAGE_DIMENSIONS.join(", ")} and node:KIND`);
}

function filtersOf(query: UsageQuery): Filter[] {
  const filters: Filter[] = [];
  for (const name of Object.keys(COLUMNS).filter(isColumnName)) {
    const value = query[name];
    if (value !== undefined) filters.push({ type: "column", column: COLUMNS[name], value });
  }
  if (query.node !== undefined) {
    const colon = query.node.indexOf(":");
    filters.push({ type: "node", kind: query.node.slice(0, colon), id: query.node.slice(colon + 1) });
  }
  return filters;
}

function isColumnName(name: string): name is keyof typeof COLUMNS {
  return Object.hasOwn(COLUMNS, name);
}
