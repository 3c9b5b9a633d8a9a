import type { BudgetLimits } from "@loom/api";
import { UsageError } from "./usage-error.ts";

export type LimitFlags = {
  readonly budget?: readonly string[] | undefined;
  readonly rpm?: string | undefined;
  readonly tpm?: string | undefined;
  readonly concurrency?: string | undefined;
  readonly model?: readonly string[] | undefined;
};

const SPANS = { day: "dayMicroUsd", month: "monthMicroUsd", total: "totalMicroUsd" } as const;
const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const MAX_EXPIRY_WEEKS = 99_999;
const MAX_PER_MINUTE = 1_000_000_000;

/** @throws UsageError */
export function readLimits({ budget = [], rpm, tpm, concurrency, model = [] }: LimitFlags): BudgetLimits {
  const models = model.flatMap(parts);
  return {
    ...readMoney(budget.flatMap(parts)),
    ...(rpm === undefined ? {} : { requestsPerMinute: readCount("--rpm", rpm) }),
    ...(tpm === undefined ? {} : { tokensPerMinute: readCount("--tpm", tpm) }),
    ...(concurrency === undefined ? {} : { concurrency: readCount("--concurrency", concurrency) }),
    ...(models.length === 0 ? {} : { models }),
  };
}

/** The moment that lies `text` ahead, e.g. `90m`, `12h`, `30d` or `4w`. @throws UsageError */
export function readExpiry(text: string, now: number): Date {
  const match = /^([1-9]\d*)([mhdw])$/.exec(text);
  if (match === null)
    throw new UsageError(`--expires has to be a time such as 90m, 12h, 30d or 4w, not ${shown(text)}.`);
  const ms = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (ms <= MAX_EXPIRY_WEEKS * UNITS.w) return new Date(now + ms);
  throw new UsageError(`--expires ${shown(text)} is too long: give at most ${MAX_EXPIRY_WEEKS}w, or leave it out.`);
}

/** `day=5usd` */
function readMoney(limits: readonly string[]): BudgetLimits {
  const read: { -readonly [Key in (typeof SPANS)[keyof typeof SPANS]]?: number } = {};
  for (const limit of limits) {
    const match = /^(day|month|total)=\$?(\d{1,9}(?:\.\d{1,6})?)(?:usd)?$/i.exec(limit);
    if (match === null) {
      throw new UsageError(`--budget has to look like day=5usd,month=50usd,total=200usd, not ${shown(limit)}.`);
    }
    const span = SPANS[match[1]?.toLowerCase() as keyof typeof SPANS];
    if (read[span] !== undefined) throw new UsageError(`--budget names ${match[1]} twice.`);
    read[span] = Math.round(Number(match[2]) * 1_000_000);
  }
  return read;
}

function readCount(flag: string, text: string): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_PER_MINUTE) return count;
  throw new UsageError(`${flag} has to be a whole number from 1 to ${MAX_PER_MINUTE}, not ${shown(text)}.`);
}

function parts(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
