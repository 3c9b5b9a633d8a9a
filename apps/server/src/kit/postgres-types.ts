import { types } from "pg";

const INT8 = 20;
const NUMERIC = 1700;
const BYTEA = 17;
const BOOL = 16;

/** How values come out: as they would of SQLite. */
export const POSTGRES_TYPES = {
  getTypeParser(id: number, format?: "text" | "binary") {
    if (format !== "binary") {
      if (id === INT8) return exactInteger;
      if (id === NUMERIC) return Number;
      if (id === BOOL) return (text: string) => (text === "t" ? 1 : 0);
      if (id === BYTEA) return bytes;
    }
    return types.getTypeParser(id, format);
  },
} as typeof types;

function exactInteger(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${text} in the database is too large for an exact number`);
  return number;
}

/** `\x00ff`, which is how PostgreSQL writes bytes since version 9. */
function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), "hex"));
}
