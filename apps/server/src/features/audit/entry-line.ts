import type { AuditEntry } from "./audit-entry.ts";

/** One line of the journal, with its newline. */
export function lineOf(entry: AuditEntry): string {
  return `${JSON.stringify(entry)}\n`;
}

/** The entry of a line without its newline; `undefined` for what is none. */
export function entryOfLine(line: string): AuditEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isEntry(value) ? value : undefined;
}

/** Our own lines are whole or torn; this tells them from what else may be in a file of that name. */
function isEntry(value: unknown): value is AuditEntry {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    typeof value.id === "string" &&
    "at" in value &&
    typeof value.at === "number" &&
    "event" in value &&
    typeof value.event === "string" &&
    "actor" in value &&
    typeof value.actor === "object" &&
    value.actor !== null
  );
}
