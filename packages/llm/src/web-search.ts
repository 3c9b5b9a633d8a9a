import type { JsonObject, JsonValue, ProviderTool } from "@loom/core";
import { dialectName, type WireDialect } from "./dialect.ts";
import { asArray, asObject, asText } from "./json-reader.ts";
import { refuse } from "./request-problem.ts";

/**
 * A search of the web that the provider runs, which three dialects have. What else they say of it (how often it may be
 * used, how much of it is read, whether pages are fetched anew) is up to each provider.
 */
type WebSearch = {
  readonly allowedDomains: readonly JsonValue[];
  readonly blockedDomains: readonly JsonValue[];
  /** `{type: "approximate", country, region, city, timezone}`, where it is given: the same words in both dialects. */
  readonly userLocation: JsonObject | undefined;
};

/** The search that a tool of any dialect asks for, if that is what it is. */
export function readWebSearch({ dialect, definition }: ProviderTool): WebSearch | undefined {
  switch (dialect) {
    case "anthropic":
      return /^web_search_\d+$/.test(asText(definition.type) ?? "") ? searchIn(definition, definition) : undefined;
    case "responses":
      // Also with a date behind it, and as it was called in its preview.
      return /^web_search(?:_preview)?(?:_\d{4}_\d{2}_\d{2})?$/.test(asText(definition.type) ?? "")
        ? searchIn(definition, asObject(definition.filters) ?? {})
        : undefined;
    case "gemini":
      return definition.googleSearch !== undefined || definition.google_search !== undefined
        ? searchIn({}, {})
        : undefined;
    default:
      return undefined;
  }
}

/** The same as a tool of the dialect `own`; `path` is where it was asked for. */
export function webSearchToWire(search: WebSearch, own: WireDialect, path: string): JsonObject {
  const { allowedDomains, blockedDomains, userLocation } = search;
  const domains = {
    ...(allowedDomains.length === 0 ? {} : { allowed_domains: allowedDomains }),
    ...(blockedDomains.length === 0 ? {} : { blocked_domains: blockedDomains }),
  };
  const isBounded = Object.keys(domains).length > 0;
  const location = userLocation === undefined ? {} : { user_location: userLocation };
  switch (own) {
    case "anthropic":
      return { type: "web_search_20250305", name: "web_search", ...domains, ...location };
    case "responses":
      return { type: "web_search", ...(isBounded ? { filters: domains } : {}), ...location };
    case "gemini":
      if (isBounded) refuse(path, `keeps a search of the web to some domains, which ${dialectName(own)} cannot say`);
      return { googleSearch: {} };
    case "chat":
      return refuse(
        path,
        `asks for a search of the web, which models behind ${dialectName(own)} do not have: switch it off in the client (Codex: web_search = "disabled" in its config.toml), or use another model`,
      );
  }
}

function searchIn(tool: JsonObject, filters: JsonObject): WebSearch {
  return {
    allowedDomains: asArray(filters.allowed_domains),
    blockedDomains: asArray(filters.blocked_domains),
    userLocation: asObject(tool.user_location),
  };
}
