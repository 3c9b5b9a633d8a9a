import type { AuditEntry } from "../audit-entry.ts";

/** An event as other systems get it: as the API gives it, but for its place in the chain, which comes later. */
export function sinkForm({ at, ...entry }: AuditEntry) {
  return { ...entry, at: new Date(at).toISOString() };
}
