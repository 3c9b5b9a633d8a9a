import type { Installed } from "./installed-packages.ts";
import type { Measurements, Metric } from "./measurements.ts";
import type { Summary } from "./statistics.ts";
import type { SubjectName } from "./subject.ts";

export type Unit = "ms" | "MB" | "KB" | "count";

export type Verdict = "met" | "missed" | "not judged";

/** One line of the table: what was measured, for whom, and what Loom has to reach. */
export type Figure = {
  readonly title: string;
  readonly unit: Unit;
  /** In the figure's unit; `undefined` where there was nothing to measure. */
  readonly values: Readonly<Record<SubjectName, Summary | undefined>>;
  /** Whether the peers are also told as multiples of Loom. */
  readonly comparable: boolean;
  readonly bar: string;
  readonly verdict: Verdict;
};

export type Installations = Readonly<Record<SubjectName, Installed | undefined>>;

const DIVISOR: Readonly<Record<Unit, number>> = { ms: 1, MB: 1e6, KB: 1e3, count: 1 };

type Values = Figure["values"];

type MetricFigure = {
  readonly title: string;
  readonly unit: Unit;
  readonly metric: Metric;
  readonly comparable?: boolean;
  readonly bar?: string;
  /** The highest median that passes, in the figure's unit, seen the peers' values; without it the line only informs. */
  readonly limit?: (values: Values) => number | undefined;
};

/** The figures Loom is held to. */
export function judgedFigures(measurements: Measurements, installations: Installations): readonly Figure[] {
  const metricFigures: readonly MetricFigure[] = [
    {
      title: "`--version`, CPU above bare Node",
      unit: "ms",
      metric: "version_cpu_above_node",
      bar: "<= 10 ms",
      limit: () => 10,
    },
    {
      title: "`--help`, CPU above bare Node",
      unit: "ms",
      metric: "help_cpu_above_node",
      bar: "<= 30 ms",
      limit: () => 30,
    },
    {
      title: "headless turn with one tool call, wall",
      unit: "ms",
      metric: "turn_wall",
      comparable: true,
      bar: "<= the best of codex and pi",
      limit: ({ codex, pi }) => (codex && pi ? Math.min(codex.median, pi.median) : undefined),
    },
    {
      title: "the same, against the slowest peer",
      unit: "ms",
      metric: "turn_wall",
      bar: "<= 1/5 of opencode",
      limit: ({ opencode }) => opencode && opencode.median / 5,
    },
    {
      title: "overhead per tool turn (20 turns, command time excluded)",
      unit: "ms",
      metric: "tool_turn_overhead",
      comparable: true,
      bar: "<= pi",
      limit: ({ pi }) => pi?.median,
    },
    {
      title: "peak memory of the process tree, one turn",
      unit: "MB",
      metric: "turn_rss",
      comparable: true,
      bar: "<= pi",
      limit: ({ pi }) => pi?.median,
    },
    {
      title: "10,000 text deltas over 8, extra CPU",
      unit: "ms",
      metric: "deltas_extra_cpu",
      bar: "<= 100 ms",
      limit: () => 100,
    },
    {
      title: "10,000 text deltas over 8, extra peak memory",
      unit: "MB",
      metric: "deltas_extra_rss",
      bar: "<= 15 MB",
      limit: () => 15,
    },
    {
      title: "first request",
      unit: "KB",
      metric: "first_request_bytes",
      comparable: true,
      bar: "<= 10 KB",
      limit: () => 10,
    },
  ];
  return [
    ...metricFigures.map((figure) => figureOf(figure, measurements)),
    countFigure("installed packages at run time", installations, ({ names }) => names.length, 12),
    countFigure("install scripts", installations, ({ withInstallScript }) => withInstallScript.length, 0),
  ];
}

/** More to know, with no bar. */
export function otherFigures(measurements: Measurements, installations: Installations): readonly Figure[] {
  const metricFigures: readonly MetricFigure[] = [
    { title: "headless turn, CPU", unit: "ms", metric: "turn_cpu", comparable: true },
    { title: "start to first request", unit: "ms", metric: "first_request_after", comparable: true },
    {
      title: "an answer's end to the next request, command included",
      unit: "ms",
      metric: "tool_turn_gap",
      comparable: true,
    },
    { title: "20 tool turns, wall", unit: "ms", metric: "twenty_turns_wall", comparable: true },
    { title: "20 tool turns, bytes sent", unit: "KB", metric: "twenty_turns_sent_bytes", comparable: true },
    {
      title: "peak memory of the process tree, one turn, shared pages split (PSS)",
      unit: "MB",
      metric: "turn_pss",
      comparable: true,
    },
    { title: "10,000 text deltas over 8, extra PSS", unit: "MB", metric: "deltas_extra_pss" },
  ];
  const size: Figure = {
    title: "installed size",
    unit: "MB",
    values: mapSubjects((name) => constant(installations[name] && installations[name].bytes / DIVISOR.MB)),
    comparable: true,
    bar: "",
    verdict: "not judged",
  };
  return [...metricFigures.map((figure) => figureOf(figure, measurements)), size];
}

function figureOf({ metric, limit, ...figure }: MetricFigure, measurements: Measurements): Figure {
  const values = mapSubjects((name) => scale(measurements.summary(metric, name), DIVISOR[figure.unit]));
  const highest = limit?.(values);
  return { comparable: false, bar: "", ...figure, values, verdict: judge(values.loom?.median, highest) };
}

function countFigure(
  title: string,
  installations: Installations,
  count: (installed: Installed) => number,
  highest: number,
): Figure {
  const values = mapSubjects((name) => constant(installations[name] && count(installations[name])));
  const verdict = judge(values.loom?.median, highest);
  return { title, unit: "count", values, comparable: false, bar: `<= ${highest}`, verdict };
}

function judge(value: number | undefined, highest: number | undefined): Verdict {
  if (value === undefined || highest === undefined) return "not judged";
  return value <= highest ? "met" : "missed";
}

function mapSubjects<T>(value: (name: SubjectName) => T): Record<SubjectName, T> {
  return { loom: value("loom"), codex: value("codex"), pi: value("pi"), opencode: value("opencode") };
}

function scale(summary: Summary | undefined, divisor: number): Summary | undefined {
  if (summary === undefined) return undefined;
  const { median, min, max, count } = summary;
  return { median: median / divisor, min: min / divisor, max: max / divisor, count };
}

function constant(value: number | undefined): Summary | undefined {
  return value === undefined ? undefined : { median: value, min: value, max: value, count: 1 };
}
