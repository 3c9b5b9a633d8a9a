import { textCell } from "./csv-cell.ts";
import type { UsageReport, UsageSums } from "./usage.ts";

const COLUMNS: readonly (readonly [name: string, read: (sums: UsageSums) => number | undefined])[] = [
  ["requests", (sums) => sums.requests],
  ["errors", (sums) => sums.errors],
  ["cancelled", (sums) => sums.cancelled],
  ["refused", (sums) => sums.refused],
  ["input_tokens", (sums) => sums.tokens.input],
  ["output_tokens", (sums) => sums.tokens.output],
  ["cache_read_tokens", (sums) => sums.tokens.cacheRead],
  ["cache_write_tokens", (sums) => sums.tokens.cacheWrite],
  ["cache_write_long_tokens", (sums) => sums.tokens.cacheWriteLong],
  ["reasoning_tokens", (sums) => sums.tokens.reasoning],
  ["cost_micro_usd", (sums) => sums.costMicroUsd],
  ["unpriced", (sums) => sums.unpriced],
  ["estimated", (sums) => sums.estimated],
  ["latency_p50_ms", (sums) => sums.latencyMs?.p50],
  ["latency_p95_ms", (sums) => sums.latencyMs?.p95],
  ["first_byte_p50_ms", (sums) => sums.firstByteMs?.p50],
  ["first_byte_p95_ms", (sums) => sums.firstByteMs?.p95],
  ["replaced", (sums) => sums.replaced],
];

/** The groups of a report as CSV (RFC 4180), with a header and without the total. */
export function usageCsv(report: UsageReport): string {
  const header = [...report.groupBy.map(textCell), ...COLUMNS.map(([name]) => name)];
  const rows = report.groups.map((group) => [
    ...group.key.map((value) => textCell(value ?? "")),
    ...COLUMNS.map(([, read]) => String(read(group) ?? "")),
  ]);
  return [header, ...rows].map((cells) => `${cells.join(",")}\r\n`).join("");
}
