import { DatabaseUnavailable } from "./database-error.ts";

/** How long a writer waits for the write of another connection. */
const PATIENCE_MS = 5_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

const SQLITE_BUSY = 5;

/**
 * Does `work`, again and again while the database is locked by another connection, for five seconds at most. SQLite can
 * wait by itself, but then it stops the whole process: every stream would stand still while somebody else writes.
 */
export async function whileBusy<Result>(
  work: () => Result | Promise<Result>,
  patienceMs = PATIENCE_MS,
): Promise<Result> {
  const giveUpAt = Date.now() + patienceMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || Date.now() >= giveUpAt) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function isBusy(error: unknown): boolean {
  const own = error instanceof DatabaseUnavailable ? error.cause : error;
  // Extended codes keep the primary one in the lowest byte.
  return own instanceof Error && "errcode" in own && (Number(own.errcode) & 0xff) === SQLITE_BUSY;
}
