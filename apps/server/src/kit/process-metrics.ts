import type { Metrics } from "./metrics.ts";

/** Chosen one by one: prom-client's default set has gauges named `_total`, which Prometheus' own linter refuses. */
export function defineProcessMetrics(metrics: Metrics, version: string): void {
  const startedAt = Date.now() / 1000 - process.uptime();
  metrics.observed({
    name: "loom_build_info",
    help: "Always 1; the version is in the label.",
    type: "gauge",
    labels: { version },
    read: () => 1,
  });
  metrics.observed({
    name: "process_start_time_seconds",
    help: "Start time of the process since the Unix epoch in seconds.",
    type: "gauge",
    read: () => startedAt,
  });
  metrics.observed({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    type: "gauge",
    read: () => process.memoryUsage.rss(),
  });
  metrics.observed({
    name: "nodejs_heap_size_used_bytes",
    help: "JavaScript heap in use in bytes.",
    type: "gauge",
    read: () => process.memoryUsage().heapUsed,
  });
  metrics.observed({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time spent in seconds.",
    type: "counter",
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
}
