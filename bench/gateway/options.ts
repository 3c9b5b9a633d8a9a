import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export type GatewayBenchOptions = {
  /** A checkout of the harness, with its peers installed. */
  readonly harness: string;
  readonly rounds: number;
  /** Phases to leave out or keep; all by default. */
  readonly only: readonly string[] | undefined;
  readonly writeDocs: boolean;
};

export const HELP = `npm run bench:gateway -- --harness DIR [options]
  --harness DIR  a checkout of gateway-bench in which \`npm install --ignore-scripts\` has run
  --rounds N     rounds of the phases about CPU; the first one finds everybody cold (default 6)
  --only PHASES  e.g. rps,stream: a look, not a measurement
  --write-docs   put the table into docs/benchmarks.md`;

/** Throws an `Error` with a sentence for the person on a wrong flag. */
export function readOptions(args: readonly string[]): GatewayBenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      harness: { type: "string" },
      rounds: { type: "string", default: "6" },
      only: { type: "string" },
      "write-docs": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  if (values.harness === undefined) throw new Error("Say where the harness is: --harness DIR.");
  const harness = resolve(values.harness);
  if (!existsSync(join(harness, "bench.mjs"))) throw new Error(`${harness} holds no bench.mjs: see --help.`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds has to be a whole number, not ${values.rounds}.`);
  return { harness, rounds, only: values.only?.split(","), writeDocs: values["write-docs"] };
}
