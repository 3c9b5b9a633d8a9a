import type { JsonObject, JsonValue } from "@loom/core";
import { asObject } from "./json-reader.ts";

/** Keywords whose values are schemas, or hold schemas under names of the schema's own. */
const LISTS: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
const MAPS: ReadonlySet<string> = new Set(["properties", "patternProperties", "$defs", "definitions"]);
const SINGLE: ReadonlySet<string> = new Set(["items", "additionalProperties", "not", "if", "then", "else", "contains"]);

/** The value of a keyword of a JSON Schema, with `change` made to each schema in it. */
export function innerSchemas(key: string, value: JsonValue, change: (schema: JsonObject) => JsonObject): JsonValue {
  const changed = (inner: JsonValue): JsonValue => {
    const schema = asObject(inner);
    return schema === undefined ? inner : change(schema);
  };
  if (LISTS.has(key) && Array.isArray(value)) return value.map(changed);
  if (SINGLE.has(key)) return changed(value);
  const map = MAPS.has(key) ? asObject(value) : undefined;
  if (map === undefined) return value;
  return Object.fromEntries(Object.entries(map).map(([name, inner]) => [name, changed(inner)]));
}
