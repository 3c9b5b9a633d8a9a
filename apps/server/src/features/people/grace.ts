/** How long what is deleted can be restored, in milliseconds. */
export const GRACE_MS = 90 * 24 * 3_600_000;

/** What was deleted then or before is gone for good; RFC 3339. */
export function graceEnd(nowMs: number): string {
  return new Date(nowMs - GRACE_MS).toISOString();
}
