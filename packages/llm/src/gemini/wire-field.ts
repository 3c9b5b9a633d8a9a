import type { JsonObject, JsonValue } from "@loom/core";

/** A field under its name in JSON, or under its name in the protocol's definition, which is allowed as well: `fileUri`, `file_uri`. */
export function field(object: JsonObject, name: string): JsonValue | undefined {
  const value = object[name] ?? object[snakeCase(name)];
  return value === null ? undefined : value;
}

/** The name in the protocol's definition. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
