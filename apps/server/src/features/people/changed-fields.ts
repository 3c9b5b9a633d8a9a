import type { JsonObject, JsonValue } from "@loom/core";

/** Whether there was anything to change: each change has a version of its own. */
export function isChanged({
  before,
  after,
}: {
  readonly before: { readonly version: number };
  readonly after: { readonly version: number };
}): boolean {
  return before.version !== after.version;
}

/** What differs between how something was and how it is, for the audit log. */
export function changedFields<Thing extends object>({
  before,
  after,
}: {
  readonly before: Thing;
  readonly after: Thing;
}): { readonly before: JsonObject; readonly after: JsonObject } {
  const names = (Object.keys(after) as (keyof Thing & string)[]).filter(
    (name) => name !== "version" && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const pick = (thing: Thing): JsonObject => Object.fromEntries(names.map((name) => [name, thing[name] as JsonValue]));
  return { before: pick(before), after: pick(after) };
}
