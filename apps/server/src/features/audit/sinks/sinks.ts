import { hostname } from "node:os";
import type { Log } from "../../../kit/log.ts";
import type { Metrics } from "../../../kit/metrics.ts";
import type { SinksConfig } from "../sinks-config.ts";
import { fileTarget } from "./file-target.ts";
import { SinkQueue } from "./sink-queue.ts";
import { syslogTarget } from "./syslog-target.ts";
import { webhookTarget } from "./webhook-target.ts";

/** The places that the configuration names, each with its own queue. */
export function createSinks(
  { file, syslog, webhook }: SinksConfig,
  { log, metrics, version, now }: { log: Log; metrics: Metrics; version: string; now: () => number },
): readonly SinkQueue[] {
  const sinks: SinkQueue[] = [];
  if (file !== undefined) sinks.push(new SinkQueue(fileTarget(file.directory, now), { ...file, log }));
  if (syslog !== undefined) {
    const { facility, format, app } = syslog;
    const sender = { facility, format, app, version, host: hostname(), processId: process.pid };
    sinks.push(new SinkQueue(syslogTarget(syslog.address, sender), { ...syslog, log }));
  }
  if (webhook !== undefined) {
    sinks.push(new SinkQueue(webhookTarget({ ...webhook, version, now }), { ...webhook, log }));
  }
  observe(metrics, sinks);
  return sinks;
}

function observe(metrics: Metrics, sinks: readonly SinkQueue[]): void {
  for (const sink of sinks) {
    const labels = { sink: sink.name };
    const counters = [
      ["delivered", "taken by a sink", () => sink.delivered],
      ["dropped", "that newer ones pushed out of a sink's queue", () => sink.dropped],
      ["failed", "given up by a sink after too many tries", () => sink.failed],
    ] as const;
    for (const [what, meaning, read] of counters) {
      const name = `loom_audit_${sink.name}_${what}_events_total`;
      metrics.observed({ name, help: `Events of the audit log ${meaning}.`, type: "counter", labels, read });
    }
    metrics.observed({
      name: `loom_audit_${sink.name}_waiting_events`,
      help: "Events of the audit log that wait for a sink.",
      type: "gauge",
      labels,
      read: () => sink.waiting,
    });
  }
}
