import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Figure, judgedFigures, otherFigures } from "./figures.ts";
import { readInstallations } from "./installations.ts";
import { CHECKOUT } from "./loom.ts";
import { figuresTable, machine, table } from "./markdown.ts";
import type { Measurements } from "./measurements.ts";
import { type Options, SUBJECT_NAMES } from "./options.ts";
import type { Subject } from "./subject.ts";
import { writeBetweenMarkers } from "./write-docs.ts";

const RESULTS = join(import.meta.dirname, "results");
const DOCS = join(CHECKOUT, "docs", "benchmarks.md");

export type ReportOptions = {
  readonly subjects: readonly Subject[];
  readonly measurements: Measurements;
  readonly bundle: string | undefined;
  readonly options: Options;
  /** Processes that wanted to run before the bench began: the machine's load average. */
  readonly load: number;
};

/** Prints the tables and keeps them. Gives 0 if every bar that could be judged was met, else 1. */
export function report({ subjects, measurements, bundle, options, load }: ReportOptions): number {
  const installed = readInstallations(new Set(subjects.map(({ name }) => name)), bundle);
  const judged = judgedFigures(measurements, installed);
  const other = otherFigures(measurements, installed);
  const versions = subjects.map(({ name, version }) => `${name} ${version}`).join(", ");
  const text = page({ judged, other, versions, measurements, command: commandOf(options), load });
  console.log(`\n${text}`);
  mkdirSync(RESULTS, { recursive: true });
  const kept = { machine: machine(), versions, judged, other, measurements, installed };
  writeFileSync(join(RESULTS, "latest.json"), `${JSON.stringify(kept, null, 2)}\n`);
  if (options.writeDocs) writeBetweenMarkers(DOCS, text, "bench");
  return judged.some(({ verdict }) => verdict === "missed") ? 1 : 0;
}

type Page = {
  readonly judged: readonly Figure[];
  readonly other: readonly Figure[];
  readonly versions: string;
  readonly measurements: Measurements;
  readonly command: string;
  readonly load: number;
};

function page({ judged, other, versions, measurements, command, load }: Page): string {
  return `Measured with \`${command}\` on ${machine()}, load average ${load.toFixed(1)} before it began: ${versions}.
Medians, in brackets the lowest and the highest; \`1.5x\` is a peer's median over Loom's. The rounds are interleaved.

${figuresTable(judged)}

For the rest there is no bar:

${figuresTable(other)}

CPU time of the whole process, where \`node\` is \`node -e 0\`:

${startUpTable(measurements)}

What a shell needs for the command of a tool call (\`true\`), measured before each run, is taken off the overhead per tool turn: ${milliseconds(measurements, "shell_command_wall", "bash")}.`;
}

/** What a person types to do this again. */
function commandOf({ only, quick, bundle }: Options): string {
  const flags = [
    ...(only.length < SUBJECT_NAMES.length ? [`--only ${only.join(",")}`] : []),
    ...(quick ? ["--quick"] : []),
    ...(bundle === undefined ? [] : ["--bundle FILE"]),
  ];
  return ["npm run build && npm run bench --", ...flags, "--write-docs"].join(" ");
}

function startUpTable(measurements: Measurements): string {
  const rows = measurements
    .contenders("version_cpu")
    .map((name) => [
      name,
      milliseconds(measurements, "version_cpu", name),
      milliseconds(measurements, "help_cpu", name),
    ]);
  return table([["program", "`--version`", "`--help`"], ...rows]);
}

function milliseconds(
  measurements: Measurements,
  metric: "version_cpu" | "help_cpu" | "shell_command_wall",
  contender: string,
): string {
  const summary = measurements.summary(metric, contender);
  return summary === undefined ? "-" : `${summary.median.toFixed(1)} ms`;
}
