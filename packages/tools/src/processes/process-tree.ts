import { setTimeout as delay } from "node:timers/promises";
import type { ProcessEntry } from "./process-table.ts";
import { environmentOf, processTable } from "./process-table.ts";

/** Environment variable by which everything that a command starts is found again, whatever its parent or session. */
export const COMMAND_VARIABLE = "LOOM_COMMAND_ID";

const GRACE_MS = 500;
const KILL_MS = 3_000;
const POLL_MS = 20;

/** What belongs to a command: its shell with all descendants, and whatever carries an id that starts with `idPrefix`. */
export type CommandTree = { readonly shell: number | undefined; readonly idPrefix: string };

/**
 * Ends a command and everything that it started: asks (SIGTERM), waits up to 0.5 s, then kills. A process counts as
 * started by the command if it is in the shell's process group or session, descends from it, or carries its id in the
 * environment; one that left all of these behind escapes. Resolves to the number of survivors, 0 but for processes that
 * are not ours to signal or hang in the kernel.
 */
export async function endTree(tree: CommandTree): Promise<number> {
  // Seen once, it stays on the list: a process whose parent has just ended could not be traced back a second time.
  const known = new Map<number, string>();
  const survivors = () => {
    const table = processTable();
    for (const entry of members(tree, table, known)) known.set(entry.pid, entry.started);
    return table.filter(({ pid, started }) => known.get(pid) === started);
  };

  const found = survivors();
  // The usual end of a session: a look at all processes of the machine is not cheap, and one is enough.
  if (found.length === 0) return 0;
  signalAll(found, "SIGTERM");
  const patience = performance.now() + GRACE_MS;
  while (survivors().length > 0 && performance.now() < patience) await delay(POLL_MS);

  const deadline = performance.now() + KILL_MS;
  let left = survivors();
  while (left.length > 0 && performance.now() < deadline) {
    signalAll(left, "SIGKILL");
    await delay(POLL_MS);
    left = survivors();
  }
  return left.length;
}

/** Whether a process lives whose command id starts with `idPrefix`. */
export function isRunning(idPrefix: string): boolean {
  return carriers(processTable(), idPrefix).length > 0;
}

/** Nothing that is older than this process was started by it, and need not be looked into. */
function carriers(table: readonly ProcessEntry[], idPrefix: string): ProcessEntry[] {
  const own = table.find(({ pid }) => pid === process.pid);
  const couldBeOurs = ({ started }: ProcessEntry) => own === undefined || !(Number(started) < Number(own.started));
  return table.filter(
    (entry) => couldBeOurs(entry) && environmentOf(entry.pid, COMMAND_VARIABLE)?.startsWith(idPrefix) === true,
  );
}

function signalAll(processes: readonly ProcessEntry[], signal: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended already, or runs as another user.
    }
  }
}

function members(
  { shell, idPrefix }: CommandTree,
  table: readonly ProcessEntry[],
  known: ReadonlyMap<number, string>,
): Set<ProcessEntry> {
  const children = Map.groupBy(table, ({ parent }) => parent);
  const found = new Set<ProcessEntry>();
  const add = (entry: ProcessEntry) => {
    if (found.has(entry) || entry.pid === process.pid) return;
    found.add(entry);
    for (const child of children.get(entry.pid) ?? []) add(child);
  };
  for (const entry of table) {
    const { pid, group, session, started } = entry;
    if (pid === shell || group === shell || session === shell || known.get(pid) === started) add(entry);
  }
  for (const entry of carriers(table, idPrefix)) add(entry);
  return found;
}
