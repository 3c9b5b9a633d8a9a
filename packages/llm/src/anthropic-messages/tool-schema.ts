import type { JsonObject, JsonValue } from "@loom/core";
import { merged, resolve } from "../merged-schema.ts";
import { isRecursive } from "../schema-reference.ts";
import { oncePerSchema } from "../strict-schema.ts";
import { describedWith } from "./held-schema.ts";

const CHOICES: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf"]);

/** A tool's schema as the provider takes it, and whether it says less than the client's. */
export type ToolSchema = { readonly schema: JsonObject; readonly isLooser: boolean };

/**
 * The provider wants an object, said at the top, and no choice there. An `allOf` becomes one schema where its parts go
 * together; any other choice stands in the description, for the model to read.
 */
export const toolSchema: (given: JsonObject) => ToolSchema = oncePerSchema((given) => {
  const whole = inOne(given);
  const choices: [string, JsonValue][] = Object.entries(whole).filter(([key]) => CHOICES.has(key));
  if (choices.length === 0) {
    return { schema: whole.type === "object" ? whole : { ...whole, type: "object" }, isLooser: false };
  }
  const rest = Object.fromEntries(Object.entries(whole).filter(([key]) => !CHOICES.has(key)));
  const description = describedWith(rest.description, choices);
  return { schema: { ...rest, type: "object", description }, isLooser: true };
});

function inOne(given: JsonObject): JsonObject {
  if ((given.$ref === undefined && given.allOf === undefined) || isRecursive(given)) return given;
  const schema = resolve(given, given) ?? given;
  return merged(schema, given, { parts: 0 }) ?? schema;
}
