import type { JsonObject, JsonValue } from "@loom/core";
import { asArray, asObject } from "./json-reader.ts";
import { schemaAt } from "./schema-reference.ts";

/** What putting schemas together may cost: references that are put in place can double with each step. */
export type MergeWork = { parts: number };

export const MAX_PARTS = 10_000;

/**
 * A schema with its `allOf` as one schema, if its parts can be put together: objects, of which none shuts out what another
 * one has. `undefined` where they cannot. `root`: where references lead to; it must not be recursive.
 */
export function merged(schema: JsonObject, root: JsonObject, work: MergeWork): JsonObject | undefined {
  const { allOf, ...own } = schema;
  if (allOf === undefined) return schema;
  let whole: JsonObject | undefined = own;
  for (const part of asArray(allOf)) {
    work.parts += 1;
    if (work.parts > MAX_PARTS) return undefined;
    const resolved = resolve(asObject(part) ?? {}, root);
    const next = resolved === undefined ? undefined : merged(resolved, root, work);
    if (next === undefined) return undefined;
    whole = bothOf(whole, next);
    if (whole === undefined) return undefined;
  }
  return whole;
}

/** What is behind a `$ref`, with what stands beside it. */
export function resolve(schema: JsonObject, root: JsonObject): JsonObject | undefined {
  const { $ref: ref, ...beside } = schema;
  if (typeof ref !== "string") return schema;
  const target = schemaAt(root, ref);
  const found = target === undefined ? undefined : resolve(target, root);
  return found === undefined ? undefined : { ...found, ...beside };
}

function bothOf(a: JsonObject, b: JsonObject): JsonObject | undefined {
  const both: Record<string, JsonValue> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const other = both[key];
    const joined = other === undefined ? value : bothValues(key, other, value);
    if (joined === undefined) return undefined;
    both[key] = joined;
  }
  const names = Object.keys(asObject(both.properties) ?? {});
  const isShut = (part: JsonObject) =>
    part.additionalProperties === false && Object.keys(asObject(part.properties) ?? {}).length < names.length;
  return isShut(a) || isShut(b) ? undefined : both;
}

function bothValues(key: string, a: JsonValue, b: JsonValue): JsonValue | undefined {
  switch (key) {
    case "required":
      return [...new Set([...asArray(a), ...asArray(b)])];
    case "properties":
    case "$defs":
    case "definitions":
      return bothMaps(asObject(a) ?? {}, asObject(b) ?? {});
    case "items":
      return { allOf: [a, b] };
    case "title":
    case "description":
      return a;
    default:
      return a === b ? a : undefined;
  }
}

/** Whatever both have a schema for has to fit both. */
function bothMaps(a: JsonObject, b: JsonObject): JsonObject {
  const both = new Map(Object.entries(a));
  for (const [name, schema] of Object.entries(b)) {
    const other = both.get(name);
    both.set(name, other === undefined || other === schema ? schema : { allOf: [other, schema] });
  }
  return Object.fromEntries(both);
}
