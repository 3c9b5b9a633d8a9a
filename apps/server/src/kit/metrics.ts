import type { Counter, Gauge, Registry } from "prom-client";

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
  /** The Prometheus text format, version 0.0.4. */
  render(): Promise<string>;
};

type Recording = (registry: Loaded) => void;

type Loaded = {
  readonly registry: Registry;
  readonly record: Map<string, (labels: Labels, value: number) => void>;
};

/** What is recorded before prom-client is loaded waits here; more than this, and it is loaded. */
const MAX_WAITING = 1_000;

/** prom-client is loaded on the first scrape or after many requests: a server of one turn never pays for it. */
export function createMetrics(): Metrics {
  const definitions: ((prom: typeof import("prom-client"), loaded: Loaded) => void)[] = [];
  let waiting: Recording[] = [];
  let loaded: Loaded | undefined;
  let loading: Promise<Loaded> | undefined;

  const load = async (): Promise<Loaded> => {
    const prom = await import("prom-client");
    const fresh: Loaded = { registry: new prom.Registry(), record: new Map() };
    for (const define of definitions) define(prom, fresh);
    for (const recording of waiting) recording(fresh);
    waiting = [];
    loaded = fresh;
    return fresh;
  };
  const ready = (): Promise<Loaded> => {
    loading ??= load();
    return loading;
  };
  const record = (name: string, labels: Labels, value: number): void => {
    if (loaded !== undefined) {
      loaded.record.get(name)?.(labels, value);
      return;
    }
    waiting.push(({ record }) => record.get(name)?.(labels, value));
    if (waiting.length >= MAX_WAITING) void ready();
  };

  return {
    counter({ name, help, labels = [] }) {
      definitions.push((prom, { registry, record }) => {
        const metric = new prom.Counter({ name, help, labelNames: [...labels], registers: [registry] });
        record.set(name, (values, amount) => metric.inc({ ...values }, amount));
      });
      return (values, amount = 1) => record(name, values, amount);
    },
    histogram({ name, help, labels = [], buckets }) {
      definitions.push((prom, { registry, record }) => {
        const options = { name, help, labelNames: [...labels], buckets: [...buckets], registers: [registry] };
        const metric = new prom.Histogram(options);
        record.set(name, (values, value) => metric.observe({ ...values }, value));
      });
      return (values, value) => record(name, values, value);
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
    render: async () => (await ready()).registry.metrics(),
  };
}
