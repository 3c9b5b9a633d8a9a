import { DatabaseUnavailable } from "./database-error.ts";
import type { Log } from "./log.ts";

/** Work that comes back. One run at a time; a failed run is logged and does not keep the next one away. */
export type Job = {
  readonly name: string;
  readonly everyMs: number;
  /** Of the servers on one database, one does it in each period. */
  readonly once: boolean;
  run(signal: AbortSignal): Promise<void>;
};

const UNITS = { s: 1_000, min: 60_000, h: 3_600_000 } as const;

/** `every("10 s", "reload_owner_tokens", …)` */
export function every(
  period: `${number} ${keyof typeof UNITS}`,
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
  { once = false }: { readonly once?: boolean } = {},
): Job {
  const [count, unit] = period.split(" ") as [string, keyof typeof UNITS];
  return { name, everyMs: Number(count) * UNITS[unit], once, run };
}

export type RunningJobs = {
  /** Starts no further run and waits for those that run; their signal fires at once. */
  stop(): Promise<void>;
};

export type JobOptions = {
  /** Whether a run of a job with `once` is this server's. Default: all are. */
  readonly claim?: ((job: Job) => Promise<boolean>) | undefined;
};

/** Keeps no process alive. While the database is away, a job says so once. */
export function startJobs(jobs: readonly Job[], log: Log, { claim = async () => true }: JobOptions = {}): RunningJobs {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const timers = jobs.map((job) => {
    let busy = false;
    let isAway = false;
    const work = async (): Promise<void> => {
      try {
        if (!job.once || (await claim(job))) await job.run(stopping.signal);
        isAway = false;
      } catch (error) {
        const wasAway = isAway;
        isAway = error instanceof DatabaseUnavailable;
        if (!isAway || !wasAway) log.error("job failed", { job: job.name, error: String(error) });
      }
    };
    const start = (): void => {
      if (busy || stopping.signal.aborted) return;
      busy = true;
      const run = work().finally(() => {
        busy = false;
        running.delete(run);
      });
      running.add(run);
    };
    const timer = setInterval(start, job.everyMs);
    timer.unref();
    return timer;
  });
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer);
      stopping.abort();
      await Promise.all(running);
    },
  };
}
