import type { BudgetLimits } from "@loom/api";

/** What a money limit is for. Days and months are those of UTC. */
export type Span = "day" | "month" | "total";

export const SPANS: readonly Span[] = ["day", "month", "total"];

/** The names of the periods that a moment lies in, e.g. `2026-11-20`, `2026-11` and `total`. */
export type Periods = Readonly<Record<Span, string>>;

const DAY_MS = 86_400_000;

/** Gives the periods of a moment; makes new ones only when another day has come, or an earlier one again. */
export function createCalendar(): (wall: number) => Periods {
  let day = Number.NaN;
  let periods: Periods = { day: "", month: "", total: "total" };
  return (wall) => {
    const today = Math.floor(wall / DAY_MS);
    if (today !== day) {
      const date = new Date(today * DAY_MS).toISOString().slice(0, 10);
      day = today;
      periods = { day: date, month: date.slice(0, 7), total: "total" };
    }
    return periods;
  };
}

/** When a budget of this span begins anew, in Unix milliseconds; never for the total. */
export function renewalOf(span: Span, wall: number): number | undefined {
  const date = new Date(wall);
  if (span === "day") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + 1);
  if (span === "month") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  return undefined;
}

export function spanOf(period: string): Span {
  if (period === "total") return "total";
  return period.length === "2026-11".length ? "month" : "day";
}

export function moneyLimit(limits: BudgetLimits, span: Span): number | undefined {
  if (span === "day") return limits.dayMicroUsd;
  return span === "month" ? limits.monthMicroUsd : limits.totalMicroUsd;
}
