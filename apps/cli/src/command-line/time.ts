import { CliError } from "../exit-codes.ts";

const UNITS = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?$/;

/** `12h`, `7d`, `2w` ago, a date (UTC) or a time of RFC 3339, as RFC 3339 in UTC. @throws CliError `usage`. */
export function pastTime(flag: string, text: string, now: number): string {
  const [, count, unit] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && Number(count) > 0 && (unit === "h" || unit === "d" || unit === "w")) {
    return new Date(now - Number(count) * UNITS[unit]).toISOString();
  }
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new CliError("usage", `${flag} must be a time like 12h, 7d, 2w or 2026-01-31.`);
}

/** `0`, `30m`, `12h`, `7d` or `1w`, in milliseconds. @throws CliError `usage`, also for more than `maxMs`. */
export function duration(
  flag: string,
  text: string,
  { maxMs, most }: { readonly maxMs: number; readonly most: string },
): number {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  const ms = unit === "m" ? 60_000 : unit === "h" || unit === "d" || unit === "w" ? UNITS[unit] : Number.NaN;
  const length = text === "0" ? 0 : Number(count) * ms;
  if (length <= maxMs) return length;
  throw new CliError("usage", `${flag} must be a time like 0, 30m, 12h or 7d, at most ${most}.`);
}

/** As `pastTime`, but from now on: `12h`, `7d`, `2w`. @throws CliError `usage`, also for a time that is over. */
export function futureTime(flag: string, text: string, now: number): string {
  const [, count, unit] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && Number(count) > 0 && (unit === "h" || unit === "d" || unit === "w")) {
    return new Date(now + Number(count) * UNITS[unit]).toISOString();
  }
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (time > now) return new Date(time).toISOString();
  throw new CliError("usage", `${flag} must be a time to come, like 12h, 7d, 2w or 2099-01-31.`);
}
