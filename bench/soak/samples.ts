import { processState } from "./process-state.ts";

export type Sample = { readonly atMs: number; readonly rssMegabytes: number; readonly cpuSeconds: number };

export type Plateau = {
  readonly samples: number;
  readonly minutes: number;
  readonly fromMegabytes: number;
  readonly toMegabytes: number;
  /** Of the line through the samples (least squares). */
  readonly megabytesPerHour: number;
  /** What that line gains over the time that was looked at. */
  readonly gainMegabytes: number;
};

const MEGABYTE = 1024 * 1024;

export function sampleOf(pid: number, atMs: number): Sample | undefined {
  const state = processState(pid);
  return state && { atMs, rssMegabytes: state.rssBytes / MEGABYTE, cpuSeconds: state.cpuSeconds };
}

/** How memory went over the samples since `fromMs`. */
export function plateauOf(samples: readonly Sample[], fromMs: number): Plateau {
  const late = samples.filter(({ atMs }) => atMs >= fromMs);
  const hours = late.map(({ atMs }) => (atMs - fromMs) / 3_600_000);
  const sizes = late.map(({ rssMegabytes }) => rssMegabytes);
  const [meanHour, meanSize] = [mean(hours), mean(sizes)];
  const spread = hours.reduce((sum, hour) => sum + (hour - meanHour) ** 2, 0);
  const both = hours.reduce((sum, hour, index) => sum + (hour - meanHour) * ((sizes[index] ?? 0) - meanSize), 0);
  const megabytesPerHour = spread === 0 ? 0 : both / spread;
  return {
    samples: late.length,
    minutes: ((hours.at(-1) ?? 0) - (hours[0] ?? 0)) * 60,
    fromMegabytes: sizes[0] ?? 0,
    toMegabytes: sizes.at(-1) ?? 0,
    megabytesPerHour,
    gainMegabytes: megabytesPerHour * ((hours.at(-1) ?? 0) - (hours[0] ?? 0)),
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
