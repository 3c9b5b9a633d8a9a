import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Tells one process from every other, also from a later one that was given the same pid. */
export type ProcessIdentity = {
  readonly host: string;
  readonly pid: number;
  /** When the process started, in the system's own measure; "" where the system does not say cheaply. */
  readonly started: string;
};

export function thisProcess(): ProcessIdentity {
  return { host: hostname(), pid: process.pid, started: startOf(process.pid) };
}

/** Whether the process of this machine still runs. */
export function isRunning({ pid, started }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  return started === "" || started === startOf(pid);
}

/** Linux: clock ticks between boot and the start, field 22 of /proc/PID/stat (proc(5)), and which boot it was. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Field 2 is the name in parentheses and may hold anything: count from its end.
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8);
    return `${boot}-${ticks}`;
  } catch {
    return "";
  }
}
