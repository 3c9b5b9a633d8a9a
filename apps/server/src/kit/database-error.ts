/** The database cannot be used. `message` is the second half of a sentence; the first half names the database. */
export class DatabaseError extends Error {
  override readonly name: string = "DatabaseError";
}

/**
 * It cannot be reached, has broken off, is damaged, or cannot be written for now: what was asked may work once somebody has
 * seen to it. `message` is a whole sentence.
 */
export class DatabaseUnavailable extends DatabaseError {
  override readonly name = "DatabaseUnavailable";
  /** A whole sentence for clients: it does not say where the database is. */
  readonly tells: string;

  /** It does not get over this by itself: a backup has to be restored. */
  readonly isDamage: boolean;

  constructor(
    message: string,
    options: ErrorOptions & { readonly tells?: string | undefined; readonly isDamage?: boolean } = {},
  ) {
    super(message, options);
    this.isDamage = options.isDamage ?? false;
    this.tells = options.tells ?? "The Loom server cannot reach its database: try again.";
  }
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

/** Those after which nothing can be stored until a backup is restored. */
const DAMAGE: ReadonlySet<number> = new Set([11, 26]);

/** The error as it is, unless it says that a SQLite database cannot be used for now. */
export function withSqliteOutageNamed(error: unknown, place: string): unknown {
  return codeOf(error) in CLAUSES ? sqliteError(error, place) : error;
}

/** What an error of `node:sqlite` means, in a whole sentence. */
export function sqliteError(error: unknown, place: string): DatabaseError {
  if (isWholeSentence(error)) return error;
  const clause = error instanceof DatabaseError ? error.message : clauseOf(error);
  const message = `The database ${place} ${clause}.`;
  const code = codeOf(error);
  if (!(code in CLAUSES)) return new DatabaseError(message, { cause: error });
  const tells = `The database of the Loom server ${clause}.`;
  return new DatabaseUnavailable(message, { cause: error, tells, isDamage: DAMAGE.has(code) });
}

function clauseOf(error: unknown): string {
  return CLAUSES[codeOf(error)] ?? `cannot be used (${error instanceof Error ? error.message : String(error)})`;
}

function codeOf(error: unknown): number {
  // Extended codes keep the primary one in the lowest byte.
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
}
