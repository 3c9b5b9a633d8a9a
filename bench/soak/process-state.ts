import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What the kernel knows of a process (Linux). */
export type ProcessState = {
  readonly rssBytes: number;
  /** Of all its threads, since its start. */
  readonly cpuSeconds: number;
  readonly sockets: number;
  /** Descriptors of all kinds. */
  readonly descriptors: number;
};

const TICKS_PER_SECOND = 100;

/** `undefined` for one that has ended. */
export function processState(pid: number): ProcessState | undefined {
  try {
    const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const links = readdirSync(`/proc/${pid}/fd`).map((name) => linkOf(`/proc/${pid}/fd/${name}`));
    return {
      rssBytes: Number(rss ?? 0) * 1024,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      sockets: links.filter((link) => link.startsWith("socket:")).length,
      descriptors: links.length,
    };
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
