import type { JsonObject, JsonValue } from "@loom/core";
import { innerSchemas } from "../inner-schemas.ts";
import { asArray, asObject } from "../json-reader.ts";
import { field } from "./wire-field.ts";

/**
 * A JSON Schema as `parametersJsonSchema` and `responseJsonSchema` take it. Two things would be refused: `$schema`, which
 * is left out, and a `$ref` with anything beside it, which gets a place of its own in an `anyOf` of one.
 */
export function schemaToWire(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).flatMap(([key, value]): [string, JsonValue][] => {
    if (key === "$schema") return [];
    return [[key, innerSchemas(key, value, schemaToWire)]];
  });
  const { $ref: ref, ...beside } = Object.fromEntries(entries);
  if (ref === undefined) return beside;
  if (Object.keys(beside).every((key) => key.startsWith("$")) || beside.anyOf !== undefined)
    return { ...beside, $ref: ref };
  return { ...beside, anyOf: [{ $ref: ref }] };
}

/** A tool's schema has to be one of an object. */
export function parametersToWire(schema: JsonObject): JsonObject {
  const wire = schemaToWire(schema);
  return wire.type === undefined && wire.anyOf === undefined && wire.$ref === undefined
    ? { type: "object", ...wire }
    : wire;
}

/** Vertex AI's names of these. */
const NAMES: Readonly<Record<string, string>> = { ref: "$ref", defs: "$defs" };

/**
 * The provider's own kind of schema (`parameters`, `responseSchema`: a subset of OpenAPI 3.0, with types in capitals and
 * counts as text) as JSON Schema. `propertyOrdering` is left out.
 */
export function schemaFromWire(schema: JsonObject): JsonObject {
  const { type, nullable, ...rest } = schema;
  const known: JsonObject = Object.fromEntries(
    Object.entries(rest).flatMap(([key, value]): [string, JsonValue][] => {
      const name = NAMES[key] ?? key.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
      if (name === "propertyOrdering") return [];
      if (name === "$ref" && typeof value === "string") return [[name, value.replace(/^#\/defs\//, "#/$defs/")]];
      if (name === "example") return [["examples", [value]]];
      if (/^(?:min|max)/.test(name) && typeof value === "string") return [[name, Number(value)]];
      return [[name, innerSchemas(name, value, schemaFromWire)]];
    }),
  );
  const kind = typeof type === "string" && type !== "TYPE_UNSPECIFIED" ? type.toLowerCase() : undefined;
  if (nullable !== true) return kind === undefined ? known : { type: kind, ...known };
  if (kind === undefined) return { anyOf: [known, { type: "null" }] };
  const withNull = Array.isArray(known.enum) ? { enum: [...asArray(known.enum), null] } : {};
  return { type: [kind, "null"], ...known, ...withNull };
}

/** Under either name: JSON Schema as it is, the provider's own kind translated. */
export function readSchema(holder: JsonObject, own: string, jsonSchema: string): JsonObject | undefined {
  const schema = asObject(field(holder, jsonSchema));
  if (schema !== undefined) return schema;
  const ownSchema = asObject(field(holder, own));
  return ownSchema === undefined ? undefined : schemaFromWire(ownSchema);
}
