import type { Counter, Gauge, Registry } from "prom-client";
import { Histogram } from "./histogram.ts";

export type Labels = { readonly [name: string]: string };

/** Names follow prometheus.io/docs/practices/naming: base units, `_total` for counters and for nothing else. */
export type MetricDefinition = {
  readonly name: string;
  readonly help: string;
  /** Every label has a bounded set of values. */
  readonly labels?: readonly string[];
};

export type ObservedDefinition = {
  readonly name: string;
  readonly help: string;
  /** A counter never goes down. */
  readonly type: "gauge" | "counter";
  readonly labels?: Labels;
  readonly read: () => number;
};

export type Metrics = {
  counter(definition: MetricDefinition): (labels: Labels, amount?: number) => void;
  /** `buckets`: upper bounds, ascending, in the unit of the name. */
  histogram(
    definition: MetricDefinition & { readonly buckets: readonly number[] },
  ): (labels: Labels, value: number) => void;
  /** Read when somebody asks for the metrics. Labels are fixed. */
  observed(definition: ObservedDefinition): void;
  /** A gauge with as many values as there are combinations of labels when somebody asks. */
  observedAll(
    definition: MetricDefinition & {
      readonly read: () => Iterable<{ readonly labels: Labels; readonly value: number }>;
    },
  ): void;
  /** The Prometheus text format, version 0.0.4. */
  render(): Promise<string>;
};

type Loaded = {
  readonly registry: Registry;
  readonly record: Map<string, (labels: Labels, value: number) => void>;
};

type Waiting = { readonly metric: string; readonly labels: Labels; amount: number };

/**
 * prom-client is loaded on the first scrape: a server of one turn never pays for it. Counters are added up here in
 * between, which costs a fraction of what it costs there.
 */
export function createMetrics(): Metrics {
  const definitions: ((prom: typeof import("prom-client"), loaded: Loaded) => void)[] = [];
  const counts = new Map<string, Waiting>();
  const histograms: Histogram[] = [];
  let loading: Promise<Loaded> | undefined;

  const load = async (): Promise<Loaded> => {
    const prom = await import("prom-client");
    const fresh: Loaded = { registry: new prom.Registry(), record: new Map() };
    for (const define of definitions) define(prom, fresh);
    return fresh;
  };
  const handOver = async (): Promise<Loaded> => {
    loading ??= load();
    const loaded = await loading;
    const waiting = [...counts.values()];
    counts.clear();
    for (const { metric, labels, amount } of waiting) loaded.record.get(metric)?.(labels, amount);
    return loaded;
  };

  return {
    counter({ name, help, labels: names = [] }) {
      definitions.push((prom, { registry, record }) => {
        const metric = new prom.Counter({ name, help, labelNames: [...names], registers: [registry] });
        record.set(name, (labels, amount) => metric.inc({ ...labels }, amount));
      });
      return (labels, amount = 1) => {
        let key = name;
        for (const label of names) key += `\0${labels[label] ?? ""}`;
        const waiting = counts.get(key);
        if (waiting === undefined) counts.set(key, { metric: name, labels, amount });
        else waiting.amount += amount;
      };
    },
    histogram({ name, help, labels: names = [], buckets }) {
      const histogram = new Histogram({ name, help, labels: names, buckets });
      histograms.push(histogram);
      return (labels, value) => histogram.observe(labels, value);
    },
    observed({ name, help, type, labels = {}, read }) {
      definitions.push((prom, { registry }) => {
        const options = { name, help, labelNames: Object.keys(labels), registers: [registry] };
        if (type === "gauge") {
          const gauge: Gauge = new prom.Gauge({ ...options, collect: () => gauge.set(labels, read()) });
          return;
        }
        const collect = (): void => {
          counter.reset();
          counter.inc(labels, read());
        };
        const counter: Counter = new prom.Counter({ ...options, collect });
      });
    },
    observedAll({ name, help, labels = [], read }) {
      definitions.push((prom, { registry }) => {
        const collect = (): void => {
          gauge.reset();
          for (const { labels: each, value } of read()) gauge.set({ ...each }, value);
        };
        const gauge: Gauge = new prom.Gauge({ name, help, labelNames: [...labels], registers: [registry], collect });
      });
    },
    async render() {
      const { registry } = await handOver();
      return [await registry.metrics(), ...histograms.map((histogram) => histogram.render())].join("\n");
    },
  };
}
