import { readFileSync, readlinkSync } from "node:fs";

/** Which process something belongs to: enough to tell, after it has died, that it is not another one with its number. */
export type ProcessMark = {
  readonly pid: number;
  /** When it started, in ticks since the boot; this boot; and where its number means something. Linux only. */
  readonly start?: string | undefined;
  readonly boot?: string | undefined;
  readonly namespace?: string | undefined;
};

export function markOfThisProcess(): ProcessMark {
  return { pid: process.pid, start: startOf(process.pid), boot: boot(), namespace: namespace() };
}

/** `undefined`: nobody here can know, because it ran elsewhere or the system does not say. */
export function isGone({ pid, start, boot: then, namespace: where }: ProcessMark): boolean | undefined {
  const now = boot();
  if (start === undefined || now === undefined || then === undefined) return undefined;
  if (where === undefined || where !== namespace()) return undefined;
  return now !== then || startOf(pid) !== start;
}

/** Field 22 of `/proc/PID/stat`, counted behind the name, which may hold anything. `undefined`: it does not run. */
function startOf(pid: number): string | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  // A zombie has died; only its parent has not asked about that yet.
  return fields === undefined || DEAD.has(fields[0] ?? "") ? undefined : fields[19];
}

/** What `/proc/PID/stat` calls the state of a process that will never run again. */
const DEAD: ReadonlySet<string> = new Set(["Z", "X", "x"]);

function boot(): string | undefined {
  return readText("/proc/sys/kernel/random/boot_id")?.trim();
}

function namespace(): string | undefined {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
