import type { JsonObject, JsonValue } from "@loom/core";
import { innerSchemas } from "./inner-schemas.ts";
import { asObject } from "./json-reader.ts";

/** The schema at a `$ref` within the same document (RFC 6901); `undefined` where there is none. */
export function schemaAt(root: JsonObject, ref: string): JsonObject | undefined {
  if (ref === "#") return root;
  if (!ref.startsWith("#/")) return undefined;
  let value: JsonValue | undefined = root;
  for (const part of ref.slice(2).split("/")) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    value = Array.isArray(value) ? value[Number(name)] : ownMember(asObject(value), name);
  }
  return asObject(value);
}

function ownMember(object: JsonObject | undefined, name: string): JsonValue | undefined {
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Whether a schema holds itself, by way of its references. */
export function isRecursive(root: JsonObject): boolean {
  const open = new Set(["#"]);
  const done = new Set<string>();
  const follow = (ref: string): boolean => {
    if (open.has(ref)) return true;
    const target = done.has(ref) ? undefined : schemaAt(root, ref);
    if (target === undefined) return false;
    open.add(ref);
    const found = visit(target);
    open.delete(ref);
    done.add(ref);
    return found;
  };
  const visit = (schema: JsonObject): boolean => {
    let found = typeof schema.$ref === "string" && follow(schema.$ref);
    const look = (inner: JsonObject) => {
      found ||= visit(inner);
      return inner;
    };
    for (const [key, value] of Object.entries(schema)) innerSchemas(key, value, look);
    return found;
  };
  return visit(root);
}
