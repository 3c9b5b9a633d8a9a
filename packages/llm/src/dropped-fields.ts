import type { JsonObject, JsonValue } from "@loom/core";
import { asObject } from "./json-reader.ts";

/** A field inside a request for which Loom has no word. */
export type DroppedField = {
  /** The way to it, from the body on; lists on the way stand for each of their items. */
  readonly path: readonly string[];
  /** The same way under the other names that the dialect takes for these. */
  readonly alias?: readonly string[];
  /** Values that mean no more than saying nothing, besides null, false, and empty texts, lists and objects. */
  readonly neutral?: (value: JsonValue) => boolean;
  /** Of which objects it is a field that is dropped; default: of all. */
  readonly of?: (holder: JsonObject) => boolean;
};

/** The names of those that the body has, with dots (`messages.name`), each once. */
export function droppedFields(body: JsonObject, fields: readonly DroppedField[]): string[] {
  return fields.filter((field) => isIn(body, field)).map(({ path }) => path.join("."));
}

/** From an object on that is `depth` steps along the way. */
function isIn(holder: JsonObject, field: DroppedField, depth = 0): boolean {
  const { path, alias = path, neutral, of } = field;
  const value = holder[path[depth] ?? ""] ?? holder[alias[depth] ?? ""];
  if (value === undefined) return false;
  if (depth === path.length - 1) return !saysNothing(value) && neutral?.(value) !== true && of?.(holder) !== false;
  if (!Array.isArray(value)) return isBelow(value, field, depth + 1);
  return value.some((item) => isBelow(item, field, depth + 1));
}

function isBelow(value: JsonValue, field: DroppedField, depth: number): boolean {
  const holder = asObject(value);
  return holder !== undefined && isIn(holder, field, depth);
}

function saysNothing(value: JsonValue): boolean {
  if (value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
