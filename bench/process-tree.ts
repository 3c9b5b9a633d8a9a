import { readdirSync, readFileSync } from "node:fs";

/** Bytes in memory of some processes together. */
export type Memory = {
  /** Resident set sizes added up: pages that two processes share count twice. */
  readonly rss: number;
  /** Proportional set sizes added up: every shared page counts once. */
  readonly pss: number;
};

/** True where `/proc` tells the children and the memory of a process: Linux. */
export function canReadProcessTrees(): boolean {
  return readOrEmpty("/proc/self/smaps_rollup") !== "";
}

/**
 * The process and all its descendants that live now. A process whose parent died is found as long as it was seen before:
 * give what an earlier call returned as `known`.
 */
export function processTree(root: number, known: ReadonlySet<number> = new Set()): Set<number> {
  const found = new Set<number>();
  const waiting = [root, ...known];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    if (found.has(pid)) continue;
    const threads = threadsOf(pid);
    if (threads.length === 0) continue;
    found.add(pid);
    for (const thread of threads) {
      const children = readOrEmpty(`/proc/${pid}/task/${thread}/children`);
      waiting.push(...children.split(" ").filter(Boolean).map(Number));
    }
  }
  return found;
}

export function memoryOf(pids: Iterable<number>): Memory {
  let rss = 0;
  let pss = 0;
  const commandLines = new Set<string>();
  for (const pid of pids) {
    // A child between fork and exec still is its parent's copy, page by page: it would count the parent twice.
    const commandLine = readOrEmpty(`/proc/${pid}/cmdline`);
    if (commandLines.has(commandLine)) continue;
    commandLines.add(commandLine);
    const rollup = readOrEmpty(`/proc/${pid}/smaps_rollup`);
    rss += kibibytes(/^Rss: +(\d+) kB/m, rollup) * 1024;
    pss += kibibytes(/^Pss: +(\d+) kB/m, rollup) * 1024;
  }
  return { rss, pss };
}

/** Ends the process and all its descendants. */
export function killTree(root: number): void {
  for (const pid of processTree(root)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
}

function kibibytes(line: RegExp, text: string): number {
  return Number(line.exec(text)?.[1] ?? 0);
}

// A process may end between two reads; it then has no threads and no text.
function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
