import type { UsageReport, UsageSums } from "@loom/api/client";
import { terminalLine } from "./terminal-text.ts";

const MAX_NAME = 40;

/** A report of usage for a terminal; a `?` says that a price is missing from the cost beside it. */
export function usageTable(report: UsageReport): string {
  const { groupBy, groups, total, more } = report;
  const rows = groups.map((group) => [...group.key.map(nameCell), ...sumCells(group)]);
  const totalRow = [...groupBy.map((_, index) => (index === 0 ? "total" : "")), ...sumCells(total)];
  const head = [...groupBy, "requests", "errors", "input", "cached", "output", "cost", "p50", "p95"];
  const table = alignedRows([head, ...rows, totalRow], groupBy.length);
  return [table, ...notes(total, more)].join("");
}

function sumCells(sums: UsageSums): string[] {
  const { tokens } = sums;
  return [
    count(sums.requests),
    count(sums.errors),
    count(tokens.input + tokens.cacheWrite),
    count(tokens.cacheRead),
    count(tokens.output),
    `$${(sums.costMicroUsd / 1e6).toFixed(4)}${sums.unpriced > 0 ? "?" : ""}`,
    seconds(sums.latencyMs?.p50),
    seconds(sums.latencyMs?.p95),
  ];
}

function notes({ unpriced, estimated, replaced }: UsageSums, more: number): string[] {
  return [
    ...(unpriced > 0
      ? [`? ${count(unpriced)} requests used models without a known price: their cost is missing.\n`]
      : []),
    ...(estimated > 0 ? [`Of ${count(estimated)} requests the tokens are estimated: they were cut short.\n`] : []),
    ...(replaced > 0
      ? [`${count(replaced)} more attempts failed before another answered: what they may have cost is counted.\n`]
      : []),
    ...(more > 0 ? [`${count(more)} groups more are left out.\n`] : []),
  ];
}

/** Names to the left, numbers to the right. */
function alignedRows(rows: readonly (readonly string[])[], names: number): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column < names ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)));
  return rows.map((row) => `${line(row).join("  ").trimEnd()}\n`).join("");
}

function nameCell(name: string | null): string {
  return name === null || name === "" ? "-" : terminalLine(name, MAX_NAME);
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "-" : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}
