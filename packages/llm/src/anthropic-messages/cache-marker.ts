import type { CacheMarker, JsonObject, JsonValue, LlmRequest } from "@loom/core";
import { asObject } from "../json-reader.ts";

/** The field of a block up to which the prompt is to be cached: https://platform.claude.com/docs/en/build-with-claude/prompt-caching */
export function cacheToWire(marker: CacheMarker | undefined): JsonObject {
  if (marker === undefined) return {};
  // Five minutes is what the provider takes where no time is named.
  return { cache_control: marker === "1h" ? { type: "ephemeral", ttl: marker } : { type: "ephemeral" } };
}

export function readCache(value: JsonValue | undefined): { readonly cache?: CacheMarker } {
  const control = asObject(value);
  if (control === undefined) return {};
  return { cache: control.ttl === "1h" ? "1h" : "5m" };
}

/** Whether the client itself says what to cache. */
export function isMarked({ systemCache, tools, providerTools = [], messages }: LlmRequest): boolean {
  return (
    systemCache !== undefined ||
    tools.some(({ cache }) => cache !== undefined) ||
    providerTools.some(({ definition }) => definition.cache_control !== undefined) ||
    messages.some(({ content }) => content.some(isMarkedBlock))
  );
}

function isMarkedBlock(block: LlmRequest["messages"][number]["content"][number]): boolean {
  switch (block.type) {
    case "thinking":
      return false;
    case "opaque":
      return block.data.cache_control !== undefined;
    case "tool_result":
      return block.cache !== undefined || block.content.some(({ cache }) => cache !== undefined);
    default:
      return block.cache !== undefined;
  }
}
