import { statSync } from "node:fs";
import { systemCode, ThreadError } from "../errors.ts";
import { backoffMs } from "./backoff.ts";
import type { FileState } from "./survey.ts";
import type { Failure } from "./sync-journal.ts";
import { RemoteError } from "./thread-remote.ts";

/** What the server will not take is tried again so often: a later server may take it. */
const REFUSED_MS = 24 * 60 * 60_000;

/** The next one in a row. `random`: from 0 to below 1. */
export function nextFailure(before: Failure | undefined, error: Error, now: number, random: () => number): Failure {
  const count = (before?.count ?? 0) + 1;
  const retryAfterMs = error instanceof RemoteError ? (error.retryAfterMs ?? 0) : 0;
  return { count, at: now, nextTryAt: now + backoffMs(count, random, retryAfterMs), message: error.message };
}

/** As `nextFailure`; where the server will not take the thread, the file is waited for to change. */
export function nextFailureOfThread(
  before: Failure | undefined,
  error: Error,
  file: string,
  now: number,
  random: () => number,
): Failure {
  const failure = nextFailure(before, error, now, random);
  const refused = error instanceof RemoteError && error.kind === "refused" ? fileState(file) : undefined;
  return refused === undefined ? failure : { ...failure, nextTryAt: failure.at + REFUSED_MS, refused };
}

export function isToWait({ at, nextTryAt }: Failure, now: number): boolean {
  // A clock that was set back must not make the wait longer.
  return now < nextTryAt && now >= at;
}

/** What the server would not take has become something else. */
export function isChanged({ refused }: Failure, file: string): boolean {
  if (refused === undefined) return false;
  const now = fileState(file);
  return now?.size !== refused.size || now.mtimeMs !== refused.mtimeMs;
}

/** Other threads may go well all the same. */
export function isOfOneThread(error: unknown): error is Error {
  if (error instanceof RemoteError) return error.kind !== "server";
  return error instanceof ThreadError || systemCode(error) !== undefined;
}

function fileState(path: string): FileState | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && { size: stat.size, mtimeMs: stat.mtimeMs };
}
