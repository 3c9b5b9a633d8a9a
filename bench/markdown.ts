import { arch, availableParallelism, platform, totalmem } from "node:os";
import type { Figure, Unit } from "./figures.ts";
import type { Summary } from "./statistics.ts";
import type { SubjectName } from "./subject.ts";

const SUBJECTS: readonly SubjectName[] = ["loom", "codex", "pi", "opencode"];

/** The figures as a Markdown table: the bar and the verdict too, where there are any. */
export function figuresTable(figures: readonly Figure[]): string {
  const judged = figures.some((figure) => figure.bar !== "");
  const head = ["figure", "Loom", ...SUBJECTS.slice(1), ...(judged ? ["bar", ""] : [])];
  const rows = figures.map((figure) => [
    figure.title,
    ...SUBJECTS.map((name) => cell(figure, name)),
    ...(judged ? [figure.bar, figure.verdict] : []),
  ]);
  return table([head, ...rows]);
}

/** A Markdown table with its columns aligned, the first row as its head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

/** Cores, memory, system family and Node: nothing that tells one machine from another of its kind. */
export function machine(): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${arch()}), ${gigabytes} GB of memory, ${platform()}, Node ${process.versions.node}`;
}

function cell(figure: Figure, name: SubjectName): string {
  const value = figure.values[name];
  if (value === undefined) return "-";
  const own = figure.values.loom;
  const ratio = figure.comparable && name !== "loom" && own !== undefined ? value.median / own.median : undefined;
  return `${shown(value, figure.unit)}${ratio === undefined ? "" : `, ${digits(ratio)}x`}`;
}

/** The median, and in brackets the lowest and the highest. */
function shown({ median, min, max, count }: Summary, unit: Unit): string {
  const suffix = unit === "count" ? "" : ` ${unit}`;
  const spread = count > 1 && digits(min) !== digits(max) ? ` (${digits(min)} to ${digits(max)})` : "";
  return `${digits(median)}${suffix}${spread}`;
}

function digits(value: number): string {
  const decimals = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 1;
  return value.toFixed(decimals);
}
