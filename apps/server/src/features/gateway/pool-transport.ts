import { OriginConnections } from "./http1/origin-connections.ts";
import type { Transport } from "./transport.ts";

const SWEEP_MS = 1_000;

/**
 * Loom's own HTTP/1.1 client, for a server that stays: it does what a gateway needs and nothing else, at a fraction of
 * what a client for everybody costs per request.
 */
export function createPoolTransport({ connectMs }: { readonly connectMs: number }): Transport {
  const origins = new Map<string, OriginConnections>();
  let sweeping: NodeJS.Timeout | undefined;
  let closed = false;

  function sweep(): void {
    let anyLeft = false;
    for (const connections of origins.values()) anyLeft = connections.sweep() || anyLeft;
    if (anyLeft) return;
    clearInterval(sweeping);
    sweeping = undefined;
  }

  return {
    dispatch(origin, request, handler, patienceMs = connectMs) {
      if (closed) {
        handler.onResponseError(NO_CONTROL, new Error("The server is closing."));
        return;
      }
      let connections = origins.get(origin);
      if (connections === undefined) {
        connections = new OriginConnections(origin, processMs);
        origins.set(origin, connections);
      }
      sweeping ??= setInterval(sweep, SWEEP_MS).unref();
      connections.dispatch(request, handler, patienceMs);
    },
    close() {
      closed = true;
      clearInterval(sweeping);
      for (const connections of origins.values()) connections.close();
    },
  };
}

const NO_CONTROL = { pause() {}, resume() {}, abort() {} };

/** Milliseconds of the process; `performance.now()` would load a module for the same. */
function processMs(): number {
  return process.uptime() * 1000;
}
