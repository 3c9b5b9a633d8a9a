import type { OpenCall } from "./call.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export type RequestRecord = {
  /** The response is over. */
  end(call: OpenCall): void;
};

type RouteMetrics = {
  readonly observe: (seconds: number) => void;
  /** By status. */
  readonly counts: Map<number, () => void>;
};

/** Seconds. A model may take minutes. */
const DURATION_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300];

/** One log line and two metrics for each request. The path itself is never recorded: a client can put anything there. */
export function recordRequests(options: {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly open: () => number;
}): RequestRecord {
  const { log, metrics } = options;
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

  /** Routes and statuses are few. */
  const byRoute = new Map<string, RouteMetrics>();
  const metricsOf = (route: string): RouteMetrics => {
    let found = byRoute.get(route);
    if (found === undefined) {
      found = { observe: observe.of({ route }), counts: new Map() };
      byRoute.set(route, found);
    }
    return found;
  };

  return {
    end(call) {
      const { outgoing, route } = call;
      const seconds = process.uptime() - call.startedAt;
      // 499 is what nginx made common for "the client left before the answer was complete".
      const status = outgoing.writableFinished ? outgoing.statusCode : 499;
      const { observe, counts } = metricsOf(route);
      let add = counts.get(status);
      if (add === undefined) {
        add = count.of({ route, status: String(status) });
        counts.set(status, add);
      }
      add();
      observe(seconds);
      log.own("request", { requestId: call.id, route, status, durationMs: Math.round(seconds * 1000) });
    },
  };
}
