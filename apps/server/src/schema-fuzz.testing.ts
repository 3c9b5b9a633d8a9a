// Requests made from the server's own OpenAPI document: whatever fits its schemas.
import fc from "fast-check";
import {
  type Input,
  type Json,
  type OpenApi,
  type Operation,
  propertiesOf,
  textThatFits,
  typeOf,
  variantsOf,
} from "./openapi.testing.ts";

export type Asked = Input & {
  readonly operation: Operation;
  /** Values of the path's parameters. */
  readonly params: Json;
};

/** Of a value in a path or a query: longer ones do not go into a request line. */
export const MAX_SEGMENT = 2_500;

/** What fits, filled with `known` values of parameters half of the time, and with anything the other half. */
export function anyRequest(
  api: OpenApi,
  operations: readonly Operation[],
  known: (operation: Operation) => Json,
): fc.Arbitrary<Asked> {
  return fc.constantFrom(...operations).chain((operation) => {
    const params = fc.record(
      Object.fromEntries(
        [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
          const value = known(operation)[name];
          return [name, value === undefined ? TEXTS : fc.oneof({ weight: 2, arbitrary: fc.constant(value) }, TEXTS)];
        }),
      ),
    );
    const query = fc.record(
      Object.fromEntries(operation.query.map(({ name, schema }) => [name, fitting(api, schema, name)])),
      { requiredKeys: operation.query.filter(({ required }) => required).map(({ name }) => name) },
    );
    const body = operation.body === undefined ? fc.constant(undefined) : fitting(api, operation.body.schema, "");
    return fc.record({ operation: fc.constant(operation), params, query, body });
  });
}

function fitting(api: OpenApi, unresolved: Json, name: string): fc.Arbitrary<unknown> {
  const schema = api.resolved(unresolved);
  const variants = variantsOf(schema);
  if (variants.length > 0) return fc.oneof(...variants.map((each) => fitting(api, each, name)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
  switch (typeOf(schema)) {
    case "object": {
      const required = (schema.required ?? []) as readonly string[];
      const entries = Object.entries(propertiesOf(schema));
      const model = Object.fromEntries(entries.map(([each, of]) => [each, fitting(api, of, each)]));
      return fc.record(model, { requiredKeys: [...required] });
    }
    case "array": {
      const [minLength, most] = [Number(schema.minItems ?? 0), Number(schema.maxItems ?? 3)];
      const items = fitting(api, (schema.items ?? {}) as Json, name);
      return fc.array(items, { minLength, maxLength: Math.max(minLength, Math.min(most, 3)) });
    }
    case "integer": {
      const [min, max] = rangeOf(schema);
      return fc.oneof(fc.integer({ min, max: Math.min(max, min + 100) }), fc.constantFrom(min, max));
    }
    case "number": {
      const [min, max] = rangeOf(schema);
      return fc.double({ min, max, noNaN: true });
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return fittingText(schema, name);
    default:
      return fc.jsonValue();
  }
}

function rangeOf(schema: Json): readonly [number, number] {
  const min = Number(schema.minimum ?? 0);
  return [Math.max(min, -1_000), Math.min(Number(schema.maximum ?? Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)];
}

function fittingText(schema: Json, name: string): fc.Arbitrary<string> {
  const least = fc.constant(textThatFits(schema, name));
  if (schema.pattern !== undefined || schema.format !== undefined) return least;
  const { minLength = 0, maxLength = 100 } = schema as { readonly minLength?: number; readonly maxLength?: number };
  return fc.oneof(least, fc.string({ unit: "binary", minLength, maxLength: Math.min(maxLength, minLength + 60) }));
}

const TEXTS = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("me", "owner", "*", "..", "../..", "%00", "\u0000", "\ud800", "\u0430da", "\u202e", "__proto__"),
  fc.constant("x".repeat(500)),
);
