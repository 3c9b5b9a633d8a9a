import type { JsonObject, JsonValue } from "@loom/core";
import { innerSchemas } from "../inner-schemas.ts";
import { asArray, asNumber, asObject, asText } from "../json-reader.ts";
import { MAX_PARTS, merged } from "../merged-schema.ts";
import { isRecursive } from "../schema-reference.ts";
import { isObjectSchema, oncePerSchema } from "../strict-schema.ts";

/** A schema of answers as the provider takes it, and whether it says less than the client's; or why it cannot be said. */
export type HeldSchema =
  | { readonly ok: true; readonly schema: JsonObject; readonly isLooser: boolean }
  /** Goes on as in "has a schema that refers to itself". */
  | { readonly ok: false; readonly problem: string };

const RECURSIVE = "has a schema that refers to itself, which Anthropic Messages cannot hold an answer to";
const SEVERAL =
  "has a schema with an allOf whose parts contradict or are none of objects, which Anthropic Messages cannot hold an answer to: say it in one schema";
const FREE =
  "has a schema of an object whose properties may have any name, which Anthropic Messages cannot hold an answer to: name them, or ask for a list of pairs";
const LARGE = "has a schema that comes to more than 10,000 parts with its references in place";

/** It says nothing of what an answer has to be. */
const NOTES: ReadonlySet<string> = new Set(["examples", "deprecated", "readOnly", "writeOnly", "discriminator"]);
const SILENT: ReadonlySet<string> = new Set(["$schema", "$id", "$comment", "$anchor"]);
const HELD: ReadonlySet<string> = new Set(
  "type title description enum const default properties required items anyOf $ref $defs definitions".split(" "),
);
const OF_OBJECTS: ReadonlySet<string> = new Set(["type", "properties", "additionalProperties"]);
const FORMATS: ReadonlySet<unknown> = new Set(
  "date-time time date duration email hostname uri ipv4 ipv6 uuid".split(" "),
);

/**
 * Whether Claude is held to a keyword with this value, which it refuses otherwise:
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs
 */
function isHeld(key: string, value: JsonValue): boolean {
  switch (key) {
    case "additionalProperties":
      return value === false;
    case "minItems":
      return asNumber(value) === 0 || asNumber(value) === 1;
    case "format":
      return FORMATS.has(value);
    case "pattern":
      // Neither looking around, nor back, nor at the edges of words.
      return !/\(\?[=!<]|\\[bB1-9]/.test(asText(value) ?? "");
    case "items":
      return asObject(value) !== undefined;
    case "enum":
      return asArray(value).every((one) => typeof one !== "object" || one === null || JSON.isRawJSON(one));
    default:
      return HELD.has(key);
  }
}

/** Whether Claude is held to all of a schema, so that calls can be strict. */
export const isWhollyHeld: (schema: JsonObject) => boolean = oncePerSchema((schema) => {
  const isFlat = (inner: JsonObject): boolean => {
    let all =
      Object.entries(inner).every(([key, value]) => SILENT.has(key) || isHeld(key, value)) &&
      (!isObjectSchema(inner) || inner.additionalProperties === false);
    const look = (deeper: JsonObject) => {
      all &&= isFlat(deeper);
      return deeper;
    };
    for (const [key, value] of Object.entries(inner)) innerSchemas(key, value, look);
    return all;
  };
  return isFlat(schema) && !isRecursive(schema);
});

/**
 * The schema with its objects closed and each `allOf` merged. What Claude cannot be held to stands in the descriptions, for
 * it to read, and the schema is looser for it.
 */
export const heldSchema: (schema: JsonObject) => HeldSchema = oncePerSchema((schema) => {
  if (isRecursive(schema)) return { ok: false, problem: RECURSIVE };
  const work: Work = { root: schema, parts: 0, isLooser: false, problem: undefined };
  const held = hold(schema, work);
  return work.problem === undefined
    ? { ok: true, schema: held, isLooser: work.isLooser }
    : { ok: false, problem: work.problem };
});

type Work = { readonly root: JsonObject; parts: number; isLooser: boolean; problem: string | undefined };

function hold(given: JsonObject, work: Work): JsonObject {
  work.parts += 1;
  if (work.parts > MAX_PARTS) work.problem ??= LARGE;
  if (work.problem !== undefined) return given;
  const schema = inOne(given, work);
  const isChoice = schema.anyOf !== undefined || schema.oneOf !== undefined;
  const hasNames = Object.keys(asObject(schema.properties) ?? {}).length > 0;
  // An object that is closed, and a choice of closed ones beside it, leave no answer: it is the one or the other.
  const isChoiceOnly = isChoice && !hasNames && isObjectSchema(schema);
  const kept: Record<string, JsonValue> = {};
  const told: [string, JsonValue][] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (SILENT.has(key)) continue;
    if (isChoiceOnly && OF_OBJECTS.has(key)) continue;
    const isBeside = hasNames ? key === "anyOf" || key === "oneOf" : isChoiceOnly && key === "required";
    if (key === "oneOf" && schema.anyOf === undefined && !isBeside) {
      kept.anyOf = innerSchemas(key, value, (inner) => hold(inner, work));
      work.isLooser = true;
    } else if (isHeld(key, value) && !isBeside) kept[key] = innerSchemas(key, value, (inner) => hold(inner, work));
    else {
      told.push([key, value]);
      work.isLooser ||= !NOTES.has(key);
    }
  }
  if (isObjectSchema(kept)) {
    if (!hasNames && schema.additionalProperties !== undefined && schema.additionalProperties !== false) {
      work.problem ??= FREE;
    }
    kept.additionalProperties = false;
  }
  return told.length === 0 ? kept : { ...kept, description: describedWith(kept.description, told) };
}

/** A single part beside nothing that it could contradict stays a reference. */
function inOne(schema: JsonObject, work: Work): JsonObject {
  const { allOf, ...own } = schema;
  if (allOf === undefined) return schema;
  if (asArray(allOf).length === 1 && own.anyOf === undefined && own.oneOf === undefined && !isObjectSchema(own)) {
    return { ...own, anyOf: allOf };
  }
  const whole = merged(schema, work.root, work);
  if (whole === undefined) work.problem ??= work.parts > MAX_PARTS ? LARGE : SEVERAL;
  return whole ?? own;
}

/** A description, and behind it in JSON what only it can say. */
export function describedWith(
  description: JsonValue | undefined,
  told: readonly (readonly [string, JsonValue])[],
): string {
  const text = asText(description) ?? "";
  return `${text}${text === "" ? "" : "\n\n"}${JSON.stringify(Object.fromEntries(told))}`;
}
