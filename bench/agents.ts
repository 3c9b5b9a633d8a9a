import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { loom, loomFromSource } from "./loom.ts";
import { Measurements } from "./measurements.ts";
import { startBenchModel } from "./model.ts";
import type { Options } from "./options.ts";
import { codex } from "./peer-codex.ts";
import { opencode } from "./peer-opencode.ts";
import { installPeers } from "./peer-package.ts";
import { pi } from "./peer-pi.ts";
import { canReadProcessTrees } from "./process-tree.ts";
import { report } from "./report.ts";
import { measureStartUp } from "./start-up.ts";
import { createPlace, environment, type Subject } from "./subject.ts";
import { type Entrant, enter, measureDeltasCpu, measureManyTurns, measureMemory, measureOneTurn } from "./turns.ts";

const FROM_SOURCE = "loom (launcher, from source)";

/** Measures the agents side by side, prints the tables and keeps them. 0 if every bar that could be judged was met, else 1. */
export async function benchAgents(options: Options): Promise<number> {
  if (options.only.some((name) => name !== "loom")) installPeers();
  const bundle = options.bundle === undefined ? undefined : resolve(options.bundle);
  const subjects = [loom(bundle), codex(), pi(), opencode()].filter((subject) => subject !== undefined);
  const wanted = subjects.filter(({ name }) => options.only.includes(name));
  if (!wanted.some(({ name }) => name === "loom"))
    console.log('Without Loom: "npm run build" makes the bundle to measure.');
  const load = loadavg()[0] ?? 0;
  if (load > 0.5) {
    console.log(`The machine is busy (load ${load.toFixed(1)}): trust the ratios and the memory, not the times.`);
  }

  const root = mkdtempSync(join(tmpdir(), "loom-bench-"));
  try {
    const measurements = await measure(wanted, root, options);
    return report({ subjects: wanted, measurements, bundle, options, load });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function measure(subjects: readonly Subject[], root: string, { quick }: Options): Promise<Measurements> {
  const measurements = new Measurements();
  const model = await startBenchModel();
  const rounds = (count: number) => (quick ? 2 : count);
  try {
    const entrants: Entrant[] = [];
    for (const subject of subjects) {
      const place = createPlace(join(root, subject.name), model.url);
      createRepository(place.workspace);
      entrants.push(await enter(subject, place, model));
    }
    const phase = async (name: string, run: () => Promise<void>) => {
      const start = performance.now();
      await run();
      console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
    };
    const common = { entrants, model, measurements };
    await phase("start-up", () => startUp(entrants, rounds(9), measurements));
    await phase("one turn", () => measureOneTurn({ ...common, rounds: rounds(9) }));
    await phase("twenty turns", () => measureManyTurns({ ...common, rounds: rounds(5) }));
    await phase("10,000 deltas", () => measureDeltasCpu({ ...common, rounds: rounds(7) }));
    if (canReadProcessTrees()) await phase("memory", () => measureMemory({ ...common, rounds: rounds(5) }));
    else console.log("Memory of process trees is read from /proc, which this system does not have.");
  } finally {
    await model.close();
  }
  return measurements;
}

async function startUp(entrants: readonly Entrant[], rounds: number, measurements: Measurements): Promise<void> {
  const [any] = entrants;
  if (any === undefined) return;
  const { place } = any;
  const bareNode = { file: process.execPath, args: ["-e", "0"], env: environment(place), cwd: place.workspace };
  const contenders = entrants.flatMap((entrant) => {
    const { name, flag } = entrant.subject;
    const { slow } = entrant;
    const own = { slow, name, version: flag(entrant.place, "--version"), help: flag(entrant.place, "--help") };
    if (name !== "loom") return [own];
    const source = (text: string) => loomFromSource(entrant.place, text);
    return [own, { slow, name: FROM_SOURCE, version: source("--version"), help: source("--help") }];
  });
  await measureStartUp(bareNode, contenders, rounds, measurements);
}

/** A small repository with one commit, as an agent finds it. */
function createRepository(folder: string): void {
  writeFileSync(join(folder, "README.md"), "# Sample\n");
  const git = (...args: readonly string[]) => {
    const { status, stderr } = spawnSync("git", ["-C", folder, ...args], { encoding: "utf8" });
    if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
  };
  git("init", "--quiet");
  git("add", ".");
  git("-c", "user.name=Bench", "-c", "user.email=bench@example.invalid", "commit", "--quiet", "--message", "Begin");
}
