import type { LlmRequest } from "@loom/core";
import { isMarked } from "./anthropic-messages/cache-marker.ts";

/** What helps a provider and changes no answer, as `leftOut` names it. */
type Hint = "user" | "prompt_cache_key" | "cache_control";

/** The hints of a request that are not among those for which a dialect has a place. */
export function hintsLeftOut(request: LlmRequest, taken: readonly Hint[]): Hint[] {
  const given: [Hint, boolean][] = [
    ["user", request.userId !== undefined],
    ["prompt_cache_key", request.cacheKey !== undefined],
    ["cache_control", isMarked(request)],
  ];
  return given.flatMap(([hint, isGiven]) => (isGiven && !taken.includes(hint) ? [hint] : []));
}
