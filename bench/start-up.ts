import type { Command } from "./command.ts";
import type { Measurements } from "./measurements.ts";
import { eachRound } from "./statistics.ts";
import { timedRun } from "./timed-run.ts";

export type Contender = {
  readonly name: string;
  readonly version: Command;
  readonly help: Command;
  readonly slow: boolean;
};

// The clock has steps of a millisecond: a quick program is run several times in one measurement.
const MEASURED_SECONDS = 0.2;
const MOST_REPEATS = 4;

/** CPU time of `--version` and `--help`, next to a Node that does nothing (`node -e 0`) in the same round. */
export async function measureStartUp(
  bareNode: Command,
  contenders: readonly Contender[],
  rounds: number,
  measurements: Measurements,
): Promise<void> {
  // Once unmeasured: pages into memory, compile caches onto the disk.
  const repeats = new Map<Command, number>();
  for (const command of [bareNode, ...contenders.flatMap(({ version, help }) => [version, help])]) {
    const { wall } = await timedRun(command);
    repeats.set(command, Math.max(1, Math.min(MOST_REPEATS, Math.round(MEASURED_SECONDS / wall))));
  }
  const cpuMs = async (command: Command) => (await timedRun(command, { repeat: repeats.get(command) ?? 1 })).cpu * 1000;
  const node: Contender = { name: "node", version: bareNode, help: bareNode, slow: false };
  await eachRound([node, ...contenders], rounds, async ({ name, version, help }) => {
    measurements.add("version_cpu", name, await cpuMs(version));
    measurements.add("help_cpu", name, await cpuMs(help));
  });
  for (const { name } of contenders) {
    for (const flag of ["version", "help"] as const) {
      const bare = measurements.sample(`${flag}_cpu`, "node");
      measurements.sample(`${flag}_cpu`, name).forEach((cpu, round) => {
        measurements.add(`${flag}_cpu_above_node`, name, cpu - (bare[round] ?? Number.NaN));
      });
    }
  }
}
