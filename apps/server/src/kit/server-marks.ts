import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writePrivateFile } from "./private-file.ts";
import { isGone, markOfThisProcess, type ProcessMark } from "./process-mark.ts";

const DIRECTORY = "servers";
/** By the number of the process, so that those who are never seen to have gone (in containers) do not pile up. */
const MARK_FILE = /^(\d+)\.json$/;

export type ServerMark = {
  /** Processes of other servers that run on the data directory, as far as this one can know. */
  readonly others: readonly number[];
  remove(): void;
};

/**
 * Marks a data directory as one that this process uses, and finds those who have done so before it: written first and read
 * then, so that of two that start at once at least one finds the other. Marks of the dead are cleared away.
 * @throws Node's own error.
 */
export function markServer(dataDirectory: string): ServerMark {
  const directory = join(dataDirectory, DIRECTORY);
  const own = join(directory, `${process.pid}.json`);
  writePrivateFile(own, JSON.stringify(markOfThisProcess()));
  const others: number[] = [];
  for (const name of readdirSync(directory)) {
    const pid = Number(MARK_FILE.exec(name)?.[1] ?? process.pid);
    if (pid === process.pid) continue;
    const path = join(directory, name);
    const mark = readMark(path);
    const gone = mark && isGone({ ...mark, pid });
    if (gone === true) rmSync(path, { force: true });
    if (gone === false) others.push(pid);
  }
  return { others, remove: () => rmSync(own, { force: true }) };
}

/** `undefined`: its owner has ended meanwhile, or it is none of ours. */
function readMark(path: string): ProcessMark | undefined {
  try {
    const mark: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof mark === "object" && mark !== null && "pid" in mark ? (mark as ProcessMark) : undefined;
  } catch {
    return undefined;
  }
}

/** What whoever starts a server beside others on one SQLite file has to know. */
export function besideOthers(others: readonly number[], dataDirectory: string): string {
  const [is, processes] = others.length === 1 ? ["Another server runs", "process"] : ["Other servers run", "processes"];
  return (
    `${is} on the data directory ${dataDirectory} (${processes} ${others.join(", ")}), and on SQLite limits per minute and of ` +
    "concurrency hold for each server by itself: stop all but one, or give them one PostgreSQL (LOOM_SERVER_DATABASE_URL) " +
    "and a data directory each."
  );
}
