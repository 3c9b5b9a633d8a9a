import { terminalLine } from "./terminal-text.ts";

const MAX_CELL = 60;

/** Rows under their heads, each cell on one line; a note where there are none. */
export function plainTable(
  head: readonly string[],
  rows: readonly (readonly (string | null)[])[],
  { none }: { readonly none: string },
): string {
  if (rows.length === 0) return `${none}\n`;
  const cells = [head, ...rows.map((row) => row.map((cell) => terminalLine(cell ?? "", MAX_CELL) || "-"))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => Array.from(row[column] ?? "").length)));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) => padded(cell, widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** `name: value`, one in a line. */
export function plainFields(fields: readonly (readonly [string, string | null])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1;
  return fields
    .map(([name, value]) => `${`${name}:`.padEnd(width)} ${terminalLine(value ?? "", 1_000) || "-"}\n`)
    .join("");
}

function padded(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - Array.from(cell).length));
}
