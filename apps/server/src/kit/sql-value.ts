export type SqlValue = string | number | bigint | Uint8Array | null;

/**
 * What a value is in SQL, the same on every engine: no booleans and no dates. Everything else that a database cannot hold
 * is a mistake of ours.
 */
export function sqlValue(value: unknown): SqlValue {
  if (value === undefined) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint") {
    return value;
  }
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`A database cannot hold a value of type ${typeof value}`);
}
