import type { Row } from "./harness.ts";

export type GatewayFigure = {
  readonly title: string;
  readonly bar: string;
  /** `undefined`: not measured in this run. */
  readonly holds: boolean | undefined;
  readonly loom: string;
  readonly nginx: string;
  readonly node: string;
  readonly portkey: string;
  /** Of CPU, how many times as much; otherwise empty. */
  readonly timesNginx: string;
  readonly timesNode: string;
};

const NODE = "node24-undici8-dispatch";
type Cell = (target: string) => number | undefined;

/** The figures of the gateway with their bars, from all rows of one run. */
export function gatewayFigures(rows: readonly Row[]): GatewayFigure[] {
  const best = (phase: string, ...path: string[]): Cell => smallest(rows, phase, path);
  const cpu = best("rps", "cpuUsPerReq");
  const big = best("rps-big", "cpuUsPerReq");
  const translated = best("translated", "cpuUsPerReq");
  const chunk = best("stream", "cpuUsPerChunk");
  const chunkHigh = best("stream-hi", "cpuUsPerChunk");
  const latency = added(best("stream", "chunkLatency", "p50"));
  const first = added(best("stream", "ttfb", "p50"));
  return [
    ...compared("CPU per request, pass-through", "µs", cpu, "<= 4x nginx", (value) => within(value, 4, cpu("nginx"))),
    ...compared("the same, against Portkey", "µs", cpu, "<= 1/10 of Portkey", (value) =>
      within(value, 0.1, cpu("portkey")),
    ),
    ...compared("CPU per chunk, 100 streams", "µs", chunk, "<= 2.5x nginx", (value) =>
      within(value, 2.5, chunk("nginx")),
    ),
    ...compared("CPU per chunk, 400 streams", "µs", chunkHigh, "<= 2.5x nginx", (value) =>
      within(value, 2.5, chunkHigh("nginx")),
    ),
    ...compared("added latency per chunk, p50", "ms", latency, "<= 0.1 ms", (value) => value <= 0.1),
    ...compared("added time to first byte, p50", "ms", first, "<= 0.5 ms", (value) => value <= 0.5),
    ...compared("CPU per request, 256 KB prompt", "µs", big, "<= 7x nginx", (value) => within(value, 7, big("nginx"))),
    ...compared("CPU per request, chat in and Anthropic out", "µs", translated, "<= 1.5x pass-through", (value) =>
      within(value, 1.5, cpu("loom")),
    ),
    ...compared("memory per open stream at 5,000", "KB", openStreams(rows), "<= 60 KB", (value) => value <= 60),
    ...compared(
      `memory gained over the second half of ${aborts(rows)} aborts`,
      "MB",
      stormGain(rows),
      "plateau: <= 10 MB",
      (value) => value <= 10,
    ),
    ...compared(
      "memory gained by 4 slow readers of 200 MiB",
      "MB",
      best("slow", "growthMB"),
      "<= 40 MB",
      (value) => value <= 40,
    ),
    ...["mid-stream", "before-first-byte"].flatMap((kind) => [
      ...compared(
        `cancelled ${kind}, of 100`,
        "",
        best("cancel", kind, "upstreamAborted"),
        "100",
        (value) => value === 100,
      ),
      ...compared(
        `cancelled ${kind}, p99`,
        "ms",
        best("cancel", kind, "delayMs", "p99"),
        "<= 50 ms",
        (value) => value <= 50,
      ),
    ]),
    ...compared(
      "cancelled without streaming, left over",
      "",
      best("cancel", "non-stream", "stillActive"),
      "0",
      (value) => value === 0,
    ),
    ...compared(
      "cancelled without streaming, p99",
      "ms",
      best("cancel", "non-stream", "delayMs", "p99"),
      "<= 50 ms",
      (value) => value <= 50,
    ),
    ...compared("identical answers, of 2", "", identical(rows), "2", (value) => value === 2),
  ];
}

function compared(
  title: string,
  unit: string,
  cell: Cell,
  bar: string,
  holds: (loom: number) => boolean | undefined,
): GatewayFigure[] {
  const loom = cell("loom");
  if (loom === undefined) return [];
  const shown = (target: string): string => {
    const value = cell(target);
    if (value === undefined) return "-";
    const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 1 ? 1 : 3;
    return `${value.toFixed(digits)}${unit === "" ? "" : ` ${unit}`}`;
  };
  const [nginx, node, portkey] = [shown("nginx"), shown(NODE), shown("portkey")];
  const times = (target: string): string => {
    const peer = cell(target);
    return unit === "µs" && peer !== undefined ? `${(loom / peer).toFixed(1)}x` : "";
  };
  const [timesNginx, timesNode] = [times("nginx"), times(NODE)];
  return [{ title, bar, holds: holds(loom), loom: shown("loom"), nginx, node, portkey, timesNginx, timesNode }];
}

function within(value: number, times: number, peer: number | undefined): boolean | undefined {
  return peer === undefined ? undefined : value <= times * peer;
}

/** Of all rounds the least: the one that the rest of the machine disturbed least. */
function smallest(rows: readonly Row[], phase: string, path: readonly string[]): Cell {
  return (target) => {
    const found = rows
      .filter((row) => row.phase === phase && row.target === target)
      .flatMap((row) => numberAt(row, path));
    return found.length === 0 ? undefined : Math.min(...found);
  };
}

function added(cell: Cell): Cell {
  return (target) => {
    const [value, direct] = [cell(target), cell("direct")];
    return value === undefined || direct === undefined ? undefined : value - direct;
  };
}

function openStreams(rows: readonly Row[]): Cell {
  return (target) => {
    const levels = rows.find((row) => row.phase === "open" && row.target === target)?.levels;
    const level = Array.isArray(levels) ? levels.find((each) => numberAt(each, ["n"])[0] === 5_000) : undefined;
    return numberAt(level, ["kbPerStream"])[0];
  };
}

function stormGain(rows: readonly Row[]): Cell {
  return (target) => {
    const points = rows.find((row) => row.phase === "leak" && row.target === target)?.points;
    if (!Array.isArray(points)) return undefined;
    const [middle] = numberAt(points[Math.floor(points.length / 2) - 1], ["rssMB"]);
    const [last] = numberAt(points.at(-1), ["rssMB"]);
    return middle === undefined || last === undefined ? undefined : last - middle;
  };
}

function aborts(rows: readonly Row[]): string {
  const [count = 0] = numberAt(
    rows.find((row) => row.phase === "leak"),
    ["aborts"],
  );
  return count.toLocaleString("en-US");
}

function identical(rows: readonly Row[]): Cell {
  return (target) => {
    const row = rows.find((each) => each.phase === "verify" && each.target === target);
    if (row === undefined) return undefined;
    return ["json", "stream"].filter((kind) => valueAt(row, [kind, "identical"]) === true).length;
  };
}

function numberAt(value: unknown, path: readonly string[]): number[] {
  const found = valueAt(value, path);
  return typeof found === "number" && Number.isFinite(found) ? [found] : [];
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    value,
  );
}
