import type { JsonObject, JsonValue } from "@loom/core";

/** Deeper nesting is refused: it could be read, but writing it out again would exhaust the stack. */
export const MAX_JSON_DEPTH = 512;

/** The value of a JSON text (RFC 8259); `undefined` where it is none, or is nested too deeply. Never throws. */
export function parseJson(text: string, maxDepth = MAX_JSON_DEPTH): JsonValue | undefined {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return text.length > maxDepth && isDeeperThan(maxDepth, value) ? undefined : value;
}

/** Like `parseJson`, for a text that has to be an object. */
export function parseJsonObject(text: string): JsonObject | undefined {
  return asObject(parseJson(text));
}

export function asObject(value: JsonValue | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

/** The elements, or none where the value is no array. */
export function asArray(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** A string that is not empty. */
export function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A whole number of at least 0, which is what token counts and indexes are. */
export function asCount(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/**
 * The content of the JSON string that begins at `start`, if it has no escapes and nothing but `tail` and blanks follow its
 * closing quote; `undefined` otherwise, also for any text that is no JSON. For the one event that comes by the thousand.
 */
export function plainString(json: string, start: number, tail: string): string | undefined {
  const end = json.indexOf('"', start);
  const rest = end + 1 + tail.length;
  if (end === -1 || !json.startsWith(tail, end + 1) || json.indexOf("\\", start) !== -1) return undefined;
  if (rest < json.length && json.slice(rest).trim() !== "") return undefined;
  return json.slice(start, end);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDeeperThan(depth: number, value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (depth === 0) return true;
  for (const inner of Object.values(value)) if (isDeeperThan(depth - 1, inner)) return true;
  return false;
}
