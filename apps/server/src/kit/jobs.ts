import type { Log } from "./log.ts";

/** Work that comes back. One run at a time; a failed run is logged and does not keep the next one away. */
export type Job = {
  readonly name: string;
  readonly everyMs: number;
  run(signal: AbortSignal): Promise<void>;
};

const UNITS = { s: 1_000, min: 60_000, h: 3_600_000 } as const;

/** `every("10 s", "reload_owner_tokens", …)` */
export function every(
  period: `${number} ${keyof typeof UNITS}`,
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
): Job {
  const [count, unit] = period.split(" ") as [string, keyof typeof UNITS];
  return { name, everyMs: Number(count) * UNITS[unit], run };
}

export type RunningJobs = {
  /** Starts no further run and waits for those that run; their signal fires at once. */
  stop(): Promise<void>;
};

/** Keeps no process alive. */
export function startJobs(jobs: readonly Job[], log: Log): RunningJobs {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const timers = jobs.map((job) => {
    let busy = false;
    const start = (): void => {
      if (busy || stopping.signal.aborted) return;
      busy = true;
      const run = job
        .run(stopping.signal)
        .catch((error: unknown) => log.error("job failed", { job: job.name, error: String(error) }))
        .finally(() => {
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
