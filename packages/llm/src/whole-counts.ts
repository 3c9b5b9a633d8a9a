import type { Usage } from "@loom/core";

/** Whether counts may be those of a whole answer. Each has a prompt, and what wrote something has counted more than that. */
export function mayBeWhole(usage: Usage, { wrote }: { readonly wrote: boolean }): boolean {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = usage;
  return outputTokens > 0 || (!wrote && inputTokens + cacheReadTokens + cacheWriteTokens > 0);
}
