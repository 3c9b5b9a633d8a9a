import type { HealthCheck } from "../../kit/feature.ts";
import type { Log } from "../../kit/log.ts";

export type ReadinessState = {
  readonly status: "ready" | "not_ready";
  readonly checks: Readonly<Record<string, "ok" | "failed">>;
  /** By the names of checks. */
  readonly details: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

export type Readiness = { check(): Promise<ReadinessState> };

const CHECK_MS = 5_000;

/** Runs every feature's health check. Why one failed is for the log: it may name files and addresses. */
export function createReadiness(options: {
  readonly checks: () => readonly HealthCheck[];
  readonly isStopping: () => boolean;
  readonly log: Log;
}): Readiness {
  return {
    async check() {
      const checks = options.checks();
      const results = await Promise.all(
        checks.map(async (check) => [check.name, await outcome(check, options.log)] as const),
      );
      const allOk = results.every(([, result]) => result === "ok");
      return {
        status: allOk && !options.isStopping() ? "ready" : "not_ready",
        checks: Object.fromEntries(results),
        details: Object.fromEntries(
          checks.flatMap((check) => (check.detail === undefined ? [] : [[check.name, check.detail()]])),
        ),
      };
    },
  };
}

async function outcome(check: HealthCheck, log: Log): Promise<"ok" | "failed"> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took more than ${CHECK_MS / 1000} s`)), CHECK_MS);
  });
  try {
    await Promise.race([check.run(), tooLong]);
    return "ok";
  } catch (error) {
    log.warn("health check failed", { check: check.name, error: String(error) });
    return "failed";
  } finally {
    clearTimeout(timer);
  }
}
