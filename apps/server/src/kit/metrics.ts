import type { Gauge, Counter as PromCounter, Registry } from "prom-client";
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

export type Counter = {
  (labels: Labels, amount?: number): void;
  /** The one with these labels, for whoever counts often. */
  of(labels: Labels): (amount?: number) => void;
};

export type Observer = {
  (labels: Labels, value: number): void;
  /** The one with these labels, for whoever observes often. */
  of(labels: Labels): (value: number) => void;
};

export type Metrics = {
  counter(definition: MetricDefinition): Counter;
  /** `buckets`: upper bounds, ascending, in the unit of the name. */
  histogram(definition: MetricDefinition & { readonly buckets: readonly number[] }): Observer;
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

/** `amount`: what prom-client has not heard of yet; absent: nothing, which is not the same as zero. */
type Count = { readonly metric: string; readonly labels: Labels; amount: number | undefined };

function add(count: Count, amount: number): void {
  count.amount = (count.amount ?? 0) + amount;
}

/**
 * prom-client is loaded on the first scrape: a server of one turn never pays for it. Counters are added up here in
 * between, which costs a fraction of what it costs there.
 */
export function createMetrics(): Metrics {
  const definitions: ((prom: typeof import("prom-client"), loaded: Loaded) => void)[] = [];
  const counts = new Map<string, Count>();
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
    for (const count of counts.values()) {
      const { metric, labels, amount } = count;
      if (amount === undefined) continue;
      // First: what prom-client does not take would else be in the way of every later scrape.
      count.amount = undefined;
      loaded.record.get(metric)?.(labels, amount);
    }
    return loaded;
  };

  return {
    counter({ name, help, labels: names = [] }) {
      definitions.push((prom, { registry, record }) => {
        const metric = new prom.Counter({ name, help, labelNames: [...names], registers: [registry] });
        record.set(name, (labels, amount) => metric.inc({ ...labels }, amount));
      });
      const countOf = (labels: Labels): Count => {
        let key = name;
        for (const label of names) key += `\0${labels[label] ?? ""}`;
        let count = counts.get(key);
        if (count === undefined) {
          count = { metric: name, labels, amount: undefined };
          counts.set(key, count);
        }
        return count;
      };
      const of: Counter["of"] = (labels) => {
        const known = countOf(labels);
        return (amount = 1) => add(known, amount);
      };
      const count = (labels: Labels, amount = 1): void => add(countOf(labels), amount);
      return Object.assign(count, { of });
    },
    histogram({ name, help, labels: names = [], buckets }) {
      const histogram = new Histogram({ name, help, labels: names, buckets });
      histograms.push(histogram);
      const observe = (labels: Labels, value: number): void => histogram.observe(labels, value);
      return Object.assign(observe, { of: (labels: Labels) => histogram.observerOf(labels) });
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
        const counter: PromCounter = new prom.Counter({ ...options, collect });
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
