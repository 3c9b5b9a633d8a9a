import type { Usage } from "@loom/core";

/** Whether counts may be those of a whole answer. Each has a prompt, and what wrote something has counted more than that. */
export function mayBeWhole(usage: Usage, { wrote }: { readonly wrote: boolean }): boolean {
  return wrote ? usage.outputTokens > 0 : Object.values(usage).some((tokens) => tokens > 0);
}
