/** One time that the server was ended and started again. Unix milliseconds. */
export type Restart = {
  readonly kind: "kill" | "drain";
  readonly atMs: number;
  /** When the process was gone, and when another one listened. */
  readonly goneMs: number;
  readonly backMs: number;
  readonly exit: number | string;
  /** Requests of clients that were open at that moment. */
  readonly open: number;
};

/** What was recorded so shortly before a kill may be lost with it: a row is in the journal within 5 ms, on a free machine. */
const UNWRITTEN_MS = 250;

/** The kill that may have cost this request its row: one that came while it ran or just after. */
export function killAround(
  restarts: readonly Restart[],
  { startedMs, endedMs }: { readonly startedMs: number; readonly endedMs: number },
): Restart | undefined {
  return restarts.find(
    ({ kind, atMs, goneMs }) => kind === "kill" && startedMs <= goneMs && endedMs >= atMs - UNWRITTEN_MS,
  );
}

/**
 * Whether the request met a server that took none: one that drains, is gone, or only just starts; or was sent on a
 * connection to one that was gone already.
 */
export function metNoServer(
  restarts: readonly Restart[],
  { startedMs, connectedMs }: { readonly startedMs: number; readonly connectedMs: number | undefined },
): boolean {
  return restarts.some(({ atMs, goneMs, backMs }) => {
    if (startedMs >= atMs - 100 && startedMs <= backMs + 100) return true;
    return connectedMs !== undefined && connectedMs < goneMs && startedMs >= goneMs;
  });
}
