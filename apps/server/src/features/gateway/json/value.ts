import { JSON_BOUNDS, jsonExcess, LARGE_JSON } from "@loom/core";

/** The value of a JSON text; `undefined` where it is none, or is large and exceeds `JSON_BOUNDS`. */
export function parsed(text: string): unknown {
  if (text.length > LARGE_JSON && jsonExcess(text, JSON_BOUNDS) !== undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What has members: no list, and nothing that is no object. */
export function asObject(value: unknown): { readonly [key: string]: unknown } | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as { readonly [key: string]: unknown })
    : undefined;
}
