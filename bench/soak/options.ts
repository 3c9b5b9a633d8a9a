import { parseArgs } from "node:util";

export type SoakOptions = {
  readonly minutes: number;
  readonly rps: number;
  readonly seed: number;
  /** Between two restarts, in minutes; kill and drain take turns. */
  readonly restartEvery: number;
  /** Where the server's data and log stay afterwards; absent: a temporary directory that goes when all holds. */
  readonly keep: string | undefined;
};

export const HELP = `npm run soak -- [options]
  --minutes N        how long there is traffic (default 60)
  --rps N            requests a second (default 40: less than a third of a core)
  --seed N           the same seed makes the same requests (default 1)
  --restart-every N  minutes between two restarts in the first half: kill -9 and SIGTERM in turns (default 2.5)
  --keep DIR         keep the server's data and log there`;

/** Throws an `Error` with a sentence for the person on a wrong flag. */
export function readOptions(args: readonly string[]): SoakOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "60" },
      rps: { type: "string", default: "40" },
      seed: { type: "string", default: "1" },
      "restart-every": { type: "string" },
      keep: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const minutes = positive("--minutes", values.minutes);
  return {
    minutes,
    rps: positive("--rps", values.rps),
    seed: positive("--seed", values.seed),
    // A short run should see some of each, too.
    restartEvery: positive("--restart-every", values["restart-every"] ?? String(Math.min(2.5, minutes / 8))),
    keep: values.keep,
  };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`${flag} has to be a number above 0, not "${text}".`);
}
