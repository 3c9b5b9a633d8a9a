import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export type ProcessEntry = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Session; 0 where the system does not say. */
  readonly session: number;
  /** Distinguishes it from a later process with the same id. */
  readonly started: string;
};

/** All living processes that we may see. A process that has ended and was not collected yet does not count. */
export function processTable(): ProcessEntry[] {
  return process.platform === "linux" ? fromProc() : fromPs();
}

/** The variable of a process's environment as it was started with; undefined if absent or not ours to read. */
export function environmentOf(pid: number, name: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const prefix = `${name}=`;
    const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
    return variables.find((variable) => variable.startsWith(prefix))?.slice(prefix.length);
  } catch {
    // It has ended, or belongs to another user.
    return undefined;
  }
}

function fromProc(): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const entry = parseStat(Number(name));
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** proc_pid_stat(5). The name of the command stands in parentheses and may hold anything. */
function parseStat(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, parent, group, session] = fields;
    if (state === "Z" || state === "X") return undefined;
    return {
      pid,
      parent: Number(parent),
      group: Number(group),
      session: Number(session),
      started: fields[19] ?? "",
    };
  } catch {
    // It has ended between the listing and the look.
    return undefined;
  }
}

/** Where there is no /proc. */
function fromPs(): ProcessEntry[] {
  const output = execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="], {
    encoding: "utf8",
    timeout: 5_000,
  });
  return output.split("\n").flatMap((line) => {
    const [pid, parent, group, state, ...started] = line.trim().split(/\s+/);
    if (pid === undefined || pid === "" || state?.startsWith("Z")) return [];
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), session: 0, started: started.join(" ") }];
  });
}
