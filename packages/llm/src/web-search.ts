import type { JsonObject, JsonValue, LlmRequest, ProviderTool } from "@loom/core";
import type { EncodedRequest } from "./codec.ts";
import { dialectName, type WireDialect } from "./dialect.ts";
import { asArray, asObject, asText } from "./json-reader.ts";
import { refuse } from "./request-problem.ts";

/** A search of the web that the provider runs, which three dialects have. */
type WebSearch = {
  readonly allowedDomains: readonly JsonValue[];
  readonly blockedDomains: readonly JsonValue[];
  /** `{type: "approximate", country, region, city, timezone}`, where it is given: the same words in both dialects. */
  readonly userLocation: JsonObject | undefined;
  /** Reads only what its provider has kept of the web. */
  readonly isOffline: boolean;
  /** What else is said of it (how often it may be used, how much of it is read), by name. */
  readonly others: readonly string[];
};

/** A choice has to name a tool, and some dialects have no name for this one. */
export const WEB_SEARCH = "web_search";

/** The search that a tool of any dialect asks for, if that is what it is. */
export function readWebSearch({ dialect, definition }: ProviderTool): WebSearch | undefined {
  switch (dialect) {
    case "anthropic":
      return /^web_search_\d+$/.test(asText(definition.type) ?? "") ? anthropicSearch(definition) : undefined;
    case "responses":
      // Also with a date behind it, and as it was called in its preview.
      return isResponsesSearch(definition.type) ? responsesSearch(definition) : undefined;
    case "gemini": {
      const search = definition.googleSearch ?? definition.google_search;
      return search === undefined ? undefined : geminiSearch(asObject(search) ?? {});
    }
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

function anthropicSearch(tool: JsonObject): WebSearch {
  const { type, name, cache_control, allowed_domains, blocked_domains, user_location, ...rest } = tool;
  return {
    allowedDomains: asArray(allowed_domains),
    blockedDomains: asArray(blocked_domains),
    userLocation: asObject(user_location),
    isOffline: false,
    others: saidBy(rest),
  };
}

/** Also with a date behind it, and as it was called in its preview. */
export function isResponsesSearch(type: JsonValue | undefined): boolean {
  return /^web_search(?:_preview)?(?:_\d{4}_\d{2}_\d{2})?$/.test(asText(type) ?? "");
}

function responsesSearch(tool: JsonObject): WebSearch {
  const { type, filters, user_location, external_web_access, ...rest } = tool;
  const { allowed_domains, blocked_domains, ...otherFilters } = asObject(filters) ?? {};
  return {
    allowedDomains: asArray(allowed_domains),
    blockedDomains: asArray(blocked_domains),
    userLocation: asObject(user_location),
    isOffline: external_web_access === false,
    others: [...saidBy(rest), ...saidBy(otherFilters).map((name) => `filters.${name}`)],
  };
}

function geminiSearch(search: JsonObject): WebSearch {
  const { excludeDomains, exclude_domains, ...rest } = search;
  return {
    allowedDomains: [],
    blockedDomains: asArray(excludeDomains ?? exclude_domains),
    userLocation: undefined,
    isOffline: false,
    others: saidBy(rest),
  };
}

function saidBy(members: JsonObject): string[] {
  return Object.keys(members).filter((name) => members[name] !== null);
}

/** The search that the choice of a tool names, if it names one. */
export function chosenSearch({ tools, providerTools = [], toolChoice }: LlmRequest): ProviderTool | undefined {
  if (toolChoice?.type !== "tool" || tools.some(({ name }) => name === toolChoice.name)) return undefined;
  return providerTools.find(
    (tool) => readWebSearch(tool) !== undefined && (asText(tool.definition.name) ?? WEB_SEARCH) === toolChoice.name,
  );
}

/**
 * What `encode` makes of the request with searches of other dialects as `own` has them; what it cannot say of them is named.
 * A search that may not go live is left out where there is no such thing: it would read what the client wants unread.
 */
export function encodedWithSearch(
  own: WireDialect,
  request: LlmRequest,
  encode: (request: LlmRequest) => EncodedRequest,
): EncodedRequest {
  const { providerTools = [], ...rest } = request;
  const foreign = providerTools.filter(({ dialect }) => dialect !== own);
  if (own === "chat" || foreign.length === 0) return encode(request);
  const leftOut = new Set<string>();
  const kept = providerTools.filter((tool) => {
    const search = tool.dialect === own ? undefined : readWebSearch(tool);
    if (search?.isOffline === true) leftOut.add(`tools.${WEB_SEARCH}`);
    else if (search !== undefined) for (const name of unsayable(search, own)) leftOut.add(`tools.${name}`);
    return search?.isOffline !== true;
  });
  const chosen = chosenSearch(request);
  if (chosen !== undefined && !kept.includes(chosen)) {
    const what = `asks for a search of the web that does not go live (external_web_access), which ${dialectName(own)} cannot say`;
    return { ok: false, problem: `toolChoice ${what}.` };
  }
  const encoded = encode(kept.length === 0 ? withoutTools(rest) : { ...rest, providerTools: kept });
  if (!encoded.ok || leftOut.size === 0) return encoded;
  return { ...encoded, leftOut: [...(encoded.leftOut ?? []), ...leftOut] };
}

function unsayable({ others, userLocation }: WebSearch, own: WireDialect): readonly string[] {
  return own === "gemini" && userLocation !== undefined ? [...others, "user_location"] : others;
}

/** Where no other tool is left, there is nothing to choose. */
function withoutTools(request: LlmRequest): LlmRequest {
  const { toolChoice, ...rest } = request;
  return request.tools.length === 0 && toolChoice?.type !== "required" ? rest : request;
}
