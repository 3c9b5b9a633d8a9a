import { type Sample, type Summary, summarize } from "./statistics.ts";

/** Times in milliseconds, sizes in bytes. */
export type Metric =
  | "version_cpu"
  | "help_cpu"
  | "version_cpu_above_node"
  | "help_cpu_above_node"
  | "turn_wall"
  | "turn_cpu"
  | "first_request_after"
  | "first_request_bytes"
  | "tool_turn_gap"
  | "tool_turn_overhead"
  | "twenty_turns_wall"
  | "twenty_turns_sent_bytes"
  | "turn_rss"
  | "turn_pss"
  | "deltas_extra_cpu"
  | "deltas_extra_rss"
  | "deltas_extra_pss"
  | "shell_command_wall";

/** Everything measured in one run of the bench: a sample per metric and contender. */
export class Measurements {
  readonly #samples = new Map<Metric, Map<string, number[]>>();

  add(metric: Metric, contender: string, value: number): void {
    const ofMetric = this.#samples.get(metric) ?? new Map<string, number[]>();
    this.#samples.set(metric, ofMetric);
    const sample = ofMetric.get(contender) ?? [];
    ofMetric.set(contender, sample);
    sample.push(value);
  }

  sample(metric: Metric, contender: string): Sample {
    return this.#samples.get(metric)?.get(contender) ?? [];
  }

  /** `undefined` where nothing was measured. */
  summary(metric: Metric, contender: string): Summary | undefined {
    const sample = this.sample(metric, contender);
    return sample.length === 0 ? undefined : summarize(sample);
  }

  contenders(metric: Metric): readonly string[] {
    return [...(this.#samples.get(metric)?.keys() ?? [])];
  }

  toJSON(): Record<string, Record<string, Summary & { readonly values: Sample }>> {
    const metrics = [...this.#samples].map(([metric, contenders]) => {
      const entries = [...contenders].map(([name, values]) => [name, { ...summarize(values), values }] as const);
      return [metric, Object.fromEntries(entries)] as const;
    });
    return Object.fromEntries(metrics);
  }
}
