import type { JsonObject } from "@loom/core";
import type { AuditEntry } from "./audit-entry.ts";

/** What stands in `facts` of a row. */
export function factsOf({ before, after, details }: AuditEntry): string | null {
  if (before === undefined && after === undefined && details === undefined) return null;
  return JSON.stringify({ before, after, details });
}

export type KeptFacts = {
  readonly before?: JsonObject;
  readonly after?: JsonObject;
  readonly details?: JsonObject;
};

/** What `facts` of a row says; nothing where somebody has put something else there. */
export function readFacts(facts: string | null): KeptFacts {
  if (facts === null) return {};
  try {
    const value: unknown = JSON.parse(facts);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
