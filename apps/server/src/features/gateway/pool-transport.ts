import type { Pool } from "undici";
import type { Transport, UpstreamHandler, UpstreamRequest } from "./transport.ts";

/** An idle connection is given up before most servers and middle boxes do it from their side. */
const IDLE_MS = 30_000;

type PoolClass = typeof Pool;

/** undici's pools, one for each origin, and one more for each other time to connect. For a server that stays: loading them costs more than a short run. */
export function createPoolTransport({ connectMs }: { readonly connectMs: number }): Transport {
  const pools = new Map<string, Pool>();
  let loaded: PoolClass | undefined;
  let loading: Promise<PoolClass> | undefined;
  let closed = false;

  function poolFor(origin: string, patienceMs: number, PoolOf: PoolClass): Pool {
    const key = patienceMs === connectMs ? origin : `${origin} ${patienceMs}`;
    const known = pools.get(key);
    if (known !== undefined) return known;
    const pool = new PoolOf(origin, {
      pipelining: 1,
      allowH2: false,
      // How long a provider may be silent is up to the request.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: IDLE_MS,
      connect: { timeout: patienceMs, noDelay: true },
    });
    pools.set(key, pool);
    return pool;
  }

  function send(
    PoolOf: PoolClass,
    origin: string,
    request: UpstreamRequest,
    handler: UpstreamHandler,
    patienceMs = connectMs,
  ): void {
    if (closed) handler.onResponseError(NO_CONTROL, new Error("The server is closing."));
    else poolFor(origin, patienceMs, PoolOf).dispatch(request as Parameters<Pool["dispatch"]>[0], handler);
  }

  return {
    dispatch(origin, request, handler, patienceMs) {
      if (loaded !== undefined) {
        send(loaded, origin, request, handler, patienceMs);
        return;
      }
      loading ??= import("undici/lib/dispatcher/pool.js").then((module) => module.default);
      loading
        .then((PoolOf) => {
          loaded = PoolOf;
          send(PoolOf, origin, request, handler, patienceMs);
        })
        .catch((error: unknown) =>
          handler.onResponseError(NO_CONTROL, error instanceof Error ? error : new Error(String(error))),
        );
    },
    close() {
      closed = true;
      for (const pool of pools.values()) void pool.destroy();
    },
  };
}

const NO_CONTROL = { pause() {}, resume() {}, abort() {} };
