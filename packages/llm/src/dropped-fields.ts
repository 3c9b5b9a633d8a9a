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

function isIn(body: JsonObject, { path, alias = path, neutral = () => false, of = () => true }: DroppedField): boolean {
  const name = path.at(-1) ?? "";
  const other = alias.at(-1) ?? "";
  return holdersAt([body], path.slice(0, -1), alias).some((holder) => {
    const value = holder[name] ?? holder[other];
    return value !== undefined && !saysNothing(value) && !neutral(value) && of(holder);
  });
}

function holdersAt(
  objects: readonly JsonObject[],
  path: readonly string[],
  alias: readonly string[],
): readonly JsonObject[] {
  const [name, ...rest] = path;
  const [other = "", ...otherRest] = alias;
  if (name === undefined) return objects;
  const inner = objects.flatMap((object) => {
    const value = object[name] ?? object[other];
    const items: readonly (JsonValue | undefined)[] = Array.isArray(value) ? value : [value];
    return items.map(asObject).filter((item) => item !== undefined);
  });
  return holdersAt(inner, rest, otherRest);
}

function saysNothing(value: JsonValue): boolean {
  if (value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
