import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Call, Route } from "./route.ts";

export type RequestRecord = {
  begin(call: Call): void;
  matched(call: Call, route: Route): void;
  end(call: Call): void;
};

/** Seconds. A model may take minutes. */
const DURATION_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300];

/** `startedAt` is in seconds of the process; `performance.now()` would load a module for the same. */
type Entry = { readonly startedAt: number; route: string };

/** One log line and two metrics for each request. The path itself is never recorded: a client can put anything there. */
export function recordRequests(options: {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly open: () => number;
}): RequestRecord {
  const { log, metrics } = options;
  const entries = new WeakMap<Call, Entry>();
  const count = metrics.counter({
    name: "loom_http_requests_total",
    help: "Requests answered or given up, by route and status.",
    labels: ["route", "status"],
  });
  const observe = metrics.histogram({
    name: "loom_http_request_duration_seconds",
    help: "Time from the header section of a request to the end of its response.",
    labels: ["route"],
    buckets: DURATION_BUCKETS,
  });
  metrics.observed({
    name: "loom_http_requests_open",
    help: "Requests that are being answered.",
    type: "gauge",
    read: options.open,
  });

  return {
    begin: (call) => void entries.set(call, { startedAt: process.uptime(), route: "none" }),
    matched(call, route) {
      const entry = entries.get(call);
      if (entry !== undefined) entry.route = `${route.contract.method} ${route.contract.path}`;
    },
    end(call) {
      const entry = entries.get(call);
      if (entry === undefined) return;
      const { outgoing } = call;
      const seconds = process.uptime() - entry.startedAt;
      // 499 is what nginx made common for "the client left before the answer was complete".
      const status = outgoing.writableFinished ? outgoing.statusCode : 499;
      count({ route: entry.route, status: String(status) });
      observe({ route: entry.route }, seconds);
      log.info("request", { requestId: call.id, route: entry.route, status, durationMs: Math.round(seconds * 1000) });
    },
  };
}
