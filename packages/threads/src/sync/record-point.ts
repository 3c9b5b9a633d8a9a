import { NO_RECORDS } from "./digest-chain.ts";
import type { ThreadVersion } from "./thread-remote.ts";

/** A place between two records of a thread's file. */
export type RecordPoint = ThreadVersion & {
  /** Bytes of the file in front of it. */
  readonly position: number;
};

export const BEGINNING: RecordPoint = { version: 0, digest: NO_RECORDS, position: 0 };
