import type { JsonObject, LlmRequest } from "@loom/core";
import { innerSchemas } from "./inner-schemas.ts";
import { asArray, asObject } from "./json-reader.ts";

/** As `leftOut` names it. */
const NAME = "strict schemas";

/** Keywords for which OpenAI refuses a schema that is to be held to: https://developers.openai.com/api/docs/guides/structured-outputs */
const NOT_HELD_BY_OPENAI: readonly string[] = [
  ...["oneOf", "allOf", "not", "if", "then", "else", "default"],
  ...["dependentRequired", "dependentSchemas", "dependencies", "minProperties", "maxProperties"],
  ...["patternProperties", "propertyNames", "unevaluatedProperties"],
  ...["prefixItems", "uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"],
];

/**
 * Whether OpenAI holds a model to this schema: an object, without a choice at its top, in which every object is closed and
 * every property required.
 */
export const isStrictForOpenAi: (schema: JsonObject) => boolean = oncePerSchema(
  (schema) =>
    isObjectSchema(schema) &&
    schema.anyOf === undefined &&
    everySchema(schema, (inner) => isClosed(inner) && requiresAll(inner) && isHeldByOpenAi(inner)),
);

/** What is left out because the provider would refuse a request that holds the model to such a schema. */
export function strictnessLeftOut(
  { tools, output }: Pick<LlmRequest, "tools" | "output">,
  isStrict: (schema: JsonObject) => boolean,
): string[] {
  const isLost =
    tools.some(({ strict, inputSchema }) => strict === true && !isStrict(inputSchema)) ||
    (output?.type === "json_schema" && output.strict === true && !isStrict(output.schema));
  return isLost ? [NAME] : [];
}

/** A request asks for each of its schemas, which may be large, more than once: to send it, and for what is left out. */
export function oncePerSchema<Result>(answer: (schema: JsonObject) => Result): (schema: JsonObject) => Result {
  const known = new WeakMap<JsonObject, { readonly result: Result }>();
  return (schema) => {
    const found = known.get(schema) ?? { result: answer(schema) };
    known.set(schema, found);
    return found.result;
  };
}

function everySchema(schema: JsonObject, fits: (schema: JsonObject) => boolean): boolean {
  let all = fits(schema);
  const look = (inner: JsonObject) => {
    all &&= everySchema(inner, fits);
    return inner;
  };
  for (const [key, value] of Object.entries(schema)) innerSchemas(key, value, look);
  return all;
}

export function isObjectSchema({ type, properties }: JsonObject): boolean {
  return type === "object" || asArray(type).includes("object") || (type === undefined && properties !== undefined);
}

function isClosed(schema: JsonObject): boolean {
  return !isObjectSchema(schema) || schema.additionalProperties === false;
}

function isHeldByOpenAi(schema: JsonObject): boolean {
  if (NOT_HELD_BY_OPENAI.some((keyword) => schema[keyword] !== undefined)) return false;
  return schema.$ref === undefined || Object.keys(schema).length === 1;
}

function requiresAll({ properties, required }: JsonObject): boolean {
  const names = new Set(asArray(required));
  return Object.keys(asObject(properties) ?? {}).every((name) => names.has(name));
}
