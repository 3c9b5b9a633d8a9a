import { JSON_BOUNDS, type JsonBounds, type JsonObject, type JsonValue, jsonExcess, LARGE_JSON } from "@loom/core";

/** Numbers as they were written, which the language's own types do not know yet: ECMAScript, JSON.parse source text access. */
declare global {
  interface JSON {
    rawJSON(text: string): JsonObject;
    isRawJSON(value: unknown): value is JsonObject;
    parse(
      text: string,
      reviver: (key: string, value: JsonValue, context: { readonly source?: string }) => JsonValue,
    ): JsonValue;
  }
}

/** Texts of more values than that have JavaScript's own numbers: to look at each number takes ten times as long. */
export const MAX_EXACT_VALUES = 100_000;

/**
 * The value of a JSON text (RFC 8259); `undefined` where it is none, or exceeds a bound of `JSON_BOUNDS`. Never throws.
 *
 * A number that JavaScript would write in another way (`12345678901234567890`, `1.10`) is kept as it is written, and
 * `JSON.stringify` writes it so: it may be an id in the arguments of a tool. The readers of numbers take it for a number.
 * In a text of more than `MAX_EXACT_VALUES` values (numbers, texts, lists, objects, all told) no number is kept so.
 */
export function parseJson(text: string): JsonValue | undefined {
  return parse(text, JSON_BOUNDS, () =>
    MAYBE_INEXACT.test(text) && jsonExcess(text, EXACT_BOUNDS) === undefined
      ? JSON.parse(text, keepNumber)
      : JSON.parse(text),
  );
}

/** With nothing but JavaScript's own numbers, for what is read by code and goes to nobody else. */
export function parsePlainJson(text: string, bounds: JsonBounds): JsonValue | undefined {
  return parse(text, bounds, () => JSON.parse(text));
}

/** A large text is looked at before it is parsed; of a small one it is cheaper to look at its value. */
function parse(text: string, bounds: JsonBounds, read: () => JsonValue): JsonValue | undefined {
  const isLarge = text.length > LARGE_JSON;
  if (isLarge && jsonExcess(text, bounds) !== undefined) return undefined;
  let value: JsonValue;
  try {
    value = read();
  } catch {
    return undefined;
  }
  return !isLarge && text.length > bounds.depth && isDeeperThan(bounds.depth, value) ? undefined : value;
}

/**
 * Numbers of many digits, with an exponent, with a nought at the end of their decimals, below a millionth, and -0. Looking
 * is cheaper than reviving.
 */
const MAYBE_INEXACT = /[:[,]\s*-?(?:[\d.]{16}|[\d.]{1,15}[eE]|\d{1,15}\.\d{0,15}0(?!\d)|0\.0{6})|[:[,]\s*-0(?!\.)/;

const EXACT_BOUNDS: JsonBounds = { depth: Number.POSITIVE_INFINITY, values: MAX_EXACT_VALUES };

function keepNumber(_key: string, value: JsonValue, { source }: { readonly source?: string }): JsonValue {
  return typeof value !== "number" || source === undefined || String(value) === source ? value : JSON.rawJSON(source);
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

/** A number, however it was written. */
export function asNumber(value: JsonValue | undefined): number | undefined {
  if (JSON.isRawJSON(value)) return Number(value.rawJSON);
  return typeof value === "number" ? value : undefined;
}

/** A whole number of at least 0, which is what token counts and indexes are. */
export function asCount(value: JsonValue | undefined): number | undefined {
  const number = asNumber(value);
  return number !== undefined && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
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
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

function isDeeperThan(depth: number, value: JsonValue): boolean {
  if (typeof value !== "object" || value === null || JSON.isRawJSON(value)) return false;
  if (depth === 0) return true;
  for (const inner of Object.values(value)) if (isDeeperThan(depth - 1, inner)) return true;
  return false;
}
