import type { z } from "zod";

type JsonSchema = { [name: string]: unknown };
type Def = {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly valueType?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly coerce?: boolean;
};

/**
 * Says in a generated JSON schema what its generator does not see in the zod schema that it was made of: fields that may be
 * left out and not be `undefined` (`exactOptional`), numbers that come as text and are not null, and regular expressions
 * with flags, whose end it takes for a part of the pattern. Walks both side by side.
 */
export function mendSchema(zod: z.core.$ZodType, generated: unknown, components: JsonSchema): void {
  const seen = new Set<unknown>();
  walk(zod, generated);

  function walk(of: z.core.$ZodType | undefined, value: unknown): void {
    const schema = resolved(value);
    if (of === undefined || schema === undefined || seen.has(schema)) return;
    const { type, innerType, in: input, shape, element, options, valueType, coerce } = of._zod.def as Def;
    if (type === "pipe") walk(input, schema);
    else if (innerType !== undefined) {
      const isUnion = (innerType._zod.def as Def).options !== undefined;
      // What may be null is one of two, unless it was several before.
      const own = type === "nullable" && !isUnion ? alternatives(schema)?.find(isNotNull) : undefined;
      walk(innerType, own ?? schema);
    }
    if (type === "pipe" || innerType !== undefined) return;
    seen.add(schema);
    if (typeof schema.pattern === "string") schema.pattern = schema.pattern.replace(/(?<!\\)\/[a-z]+$/, "");
    if (coerce === true && Array.isArray(schema.type)) schema.type = schema.type.find((each) => each !== "null");
    if (shape !== undefined) walkFields(shape, schema);
    if (element !== undefined) walk(element, schema.items);
    if (valueType !== undefined) walk(valueType, schema.additionalProperties);
    for (const [index, option] of (options ?? []).entries()) walk(option, alternatives(schema)?.[index]);
  }

  function walkFields(shape: Readonly<Record<string, z.core.$ZodType>>, schema: JsonSchema): void {
    const required = (schema.required ?? []) as readonly string[];
    const needed = required.filter((name) => shape[name]?._zod.optin === undefined);
    if (needed.length > 0) schema.required = needed;
    else delete schema.required;
    const properties = (schema.properties ?? {}) as JsonSchema;
    for (const [name, field] of Object.entries(shape)) walk(field, properties[name]);
  }

  function resolved(value: unknown): JsonSchema | undefined {
    if (typeof value !== "object" || value === null) return undefined;
    const { $ref } = value as JsonSchema;
    if (typeof $ref !== "string") return value as JsonSchema;
    return components[$ref.split("/").at(-1) ?? ""] as JsonSchema | undefined;
  }
}

function isNotNull(schema: unknown): boolean {
  return (schema as JsonSchema).type !== "null";
}

function alternatives(schema: JsonSchema): readonly unknown[] | undefined {
  for (const several of [schema.anyOf, schema.oneOf]) if (Array.isArray(several)) return several;
  return undefined;
}
