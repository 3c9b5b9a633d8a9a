import { processState } from "./process-state.ts";

export type Sample = { readonly atMs: number; readonly rssMegabytes: number; readonly cpuSeconds: number };

export type Plateau = {
  readonly samples: number;
  readonly minutes: number;
  readonly leastMegabytes: number;
  readonly mostMegabytes: number;
  /** The least of each window: what is above it is garbage that was not collected yet, and goes up and down. */
  readonly floorsMegabytes: readonly number[];
  /** What the line through the floors (least squares) gains from the first to the last. */
  readonly gainMegabytes: number;
};

const MEGABYTE = 1024 * 1024;
/** Long enough for several collections of all garbage. */
export const WINDOW_MINUTES = 3;

export function sampleOf(pid: number, atMs: number): Sample | undefined {
  const state = processState(pid);
  return state && { atMs, rssMegabytes: state.rssBytes / MEGABYTE, cpuSeconds: state.cpuSeconds };
}

/** How memory went over the samples since `fromMs`. */
export function plateauOf(samples: readonly Sample[], fromMs: number): Plateau {
  const late = samples.filter(({ atMs }) => atMs >= fromMs);
  const sizes = late.map(({ rssMegabytes }) => rssMegabytes);
  const minutes = ((late.at(-1)?.atMs ?? fromMs) - (late[0]?.atMs ?? fromMs)) / 60_000;
  const windows = Map.groupBy(late, ({ atMs }) => Math.floor((atMs - fromMs) / (WINDOW_MINUTES * 60_000)));
  // The last one may be too short to tell.
  const whole = [...windows].filter(([index]) => (index + 1) * WINDOW_MINUTES <= minutes);
  const floors = whole.map(([, each]) => Math.min(...each.map(({ rssMegabytes }) => rssMegabytes)));
  return {
    samples: late.length,
    minutes,
    leastMegabytes: Math.min(...sizes),
    mostMegabytes: Math.max(...sizes),
    floorsMegabytes: floors,
    gainMegabytes: slopeOf(floors) * Math.max(floors.length - 1, 0),
  };
}

/** By how much each value is more than the one before, on the line through all of them. */
function slopeOf(values: readonly number[]): number {
  const [middle, average] = [(values.length - 1) / 2, mean(values)];
  const spread = values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0);
  const both = values.reduce((sum, value, index) => sum + (index - middle) * (value - average), 0);
  return spread === 0 ? 0 : both / spread;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
