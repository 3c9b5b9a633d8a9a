import type { BudgetNode } from "../../gateway-types.ts";

/** What stays on one target and one credential: a session of whoever asks, whose own node comes first. */
export function affinityOf([own]: readonly BudgetNode[], session: string): string {
  return `${own?.kind ?? ""}/${own?.id ?? ""}:${session}`;
}
