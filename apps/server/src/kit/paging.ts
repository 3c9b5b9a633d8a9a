import { wrongFields } from "./problem-reply.ts";

/** What the last row of a page is told apart by: the values of its sort columns, in order. */
export type Cursor = readonly (string | number)[];

/** Opaque to clients. */
export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

/** `kinds`: of each value, as the cursor was made. @throws ProblemError that names the field `cursor`. */
export function decodeCursor(text: string, kinds: readonly ("string" | "number")[]): Cursor {
  const values = parsed(text);
  const fits =
    Array.isArray(values) && values.length === kinds.length && values.every((each, at) => typeof each === kinds[at]);
  if (fits) return values;
  throw wrongFields([{ field: "cursor", message: "is none that this list has given" }]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Cuts one page off `rows`, which were asked for with one more than `limit`.
 * `cursorOf` gives the place behind a row.
 */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => Cursor,
): { readonly items: readonly Row[]; readonly nextCursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null };
}
