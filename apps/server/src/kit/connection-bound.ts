import { readFileSync } from "node:fs";

/** For files, the database, and the log. */
const KEPT_DESCRIPTORS = 64;
const LEAST_CONNECTIONS = 16;

/**
 * How many connections of clients may be open at once, so that each of them can have one to a provider, and files can still be
 * opened; `undefined`: any number, also where the system does not say how many descriptors there are.
 */
export function connectionBound(limits: string = limitsOfProcess()): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  return Math.max(LEAST_CONNECTIONS, Math.floor((Number(soft) - KEPT_DESCRIPTORS) / 2));
}

function limitsOfProcess(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
