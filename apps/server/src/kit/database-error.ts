/** The database cannot be used. `message` is the second half of a sentence; the first half names the database. */
export class DatabaseError extends Error {
  override readonly name: string = "DatabaseError";
}

/** It cannot be reached, or has broken off: what was asked may work in a while. `message` is a whole sentence. */
export class DatabaseUnavailable extends DatabaseError {
  override readonly name = "DatabaseUnavailable";
}

export function isWholeSentence(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.message.startsWith("The database ");
}

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const CLAUSES: Readonly<Record<number, string>> = {
  5: "is locked by another process: stop that process, or try again",
  6: "is locked by another process: stop that process, or try again",
  8: "is read-only: make the file and its directory writable",
  10: "cannot be read or written (I/O error): check the disk, and that it is not full",
  11: "is damaged: restore it from a backup",
  13: "cannot grow, because the disk is full: make room",
  14: "cannot be opened: check that its directory exists and may be written",
  26: "is no SQLite database: choose another data directory, or move the file away",
};

/** What an error of `node:sqlite` means, in words. */
export function databaseError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const code = error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : 0;
  // Extended codes keep the primary one in the lowest byte.
  const clause = CLAUSES[code & 0xff] ?? `cannot be used (${error instanceof Error ? error.message : String(error)})`;
  return new DatabaseError(clause, { cause: error });
}
