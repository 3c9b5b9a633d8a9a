import type { UsageGroup, UsageReport, UsageSums } from "@loom/api";
import type { Database } from "../../kit/database.ts";
import { type DurationCounts, percentile } from "./duration-class.ts";
import type { LedgerTables } from "./migrations.ts";
import type { Dimension, UsageQuestion } from "./usage-query.ts";
import { wrong } from "./usage-query.ts";
import { countClasses, type SliceGroup, SUMS, sliceEnd, sumSlice } from "./usage-store.ts";

/** So many rows are added up at once; in between, everything else of this process goes on. */
const SLICE_ROWS = 5_000;
/** More groups than this in memory are refused. */
const MAX_GROUPS = 100_000;

/**
 * Adds up the rows of a time. A million rows take some seconds, in many short steps.
 * @throws ProblemError where there would be too many groups.
 */
export async function reportUsage(
  database: Database,
  question: UsageQuestion,
  { sliceRows = SLICE_ROWS }: { readonly sliceRows?: number } = {},
): Promise<UsageReport> {
  const addUp = (asked: UsageQuestion): Promise<Groups> => addSlices(database, asked, sliceRows);
  const grouped = await addUp(question);
  const groups = [...grouped.values()].map(groupOf);
  groups.sort(question.dimensions.some(({ type }) => type === "time") ? byKey(question.dimensions) : byCost);
  return {
    from: new Date(question.fromMs).toISOString(),
    to: new Date(question.toMs).toISOString(),
    groupBy: question.names,
    groups: groups.slice(0, question.limit),
    more: Math.max(0, groups.length - question.limit),
    total: sumsOf(await totalOf(question, grouped, addUp)),
  };
}

async function totalOf(
  question: UsageQuestion,
  grouped: Groups,
  addUp: (question: UsageQuestion) => Promise<Groups>,
): Promise<Group> {
  const isOnceEach = question.dimensions.every(({ type }) => type !== "node");
  // A request with several nodes of a kind is in several groups.
  const groups = isOnceEach ? grouped : await addUp({ ...question, dimensions: [] });
  const total = new Group([]);
  for (const group of groups.values()) total.addGroup(group);
  return total;
}

type Groups = ReadonlyMap<string, Group>;

async function addSlices(database: Database, question: UsageQuestion, sliceRows: number): Promise<Groups> {
  const db = database.tables<LedgerTables>();
  const { dimensions, filters, toMs } = question;
  const groups = new Map<string, Group>();
  const groupFor = ({ key }: SliceGroup): Group => {
    const shown = key.map((value, index) => keyText(value, dimensions[index]));
    const name = JSON.stringify(shown);
    let group = groups.get(name);
    if (group === undefined) {
      group = new Group(shown);
      groups.set(name, group);
    }
    return group;
  };
  let fromMs = question.fromMs;
  while (fromMs < toMs) {
    const end = await sliceEnd(db, { fromMs, toMs, rows: sliceRows });
    const slice = { fromMs, toMs: end, dimensions, filters };
    for (const sums of await sumSlice(db, slice)) groupFor(sums).addSums(sums.sums);
    await nextTurn();
    for (const each of await countClasses(db, slice, "latency_class")) {
      addCount(groupFor(each).latency, each.durationClass, each.count);
    }
    await nextTurn();
    for (const each of await countClasses(db, slice, "first_byte_class")) {
      addCount(groupFor(each).firstByte, each.durationClass, each.count);
    }
    if (groups.size > MAX_GROUPS) {
      throw wrong("groupBy", `gives more than ${MAX_GROUPS} groups: ask for a shorter time`);
    }
    fromMs = end;
    await nextTurn();
  }
  return groups;
}

/** Lets everything else of this process go on. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class Group {
  readonly key: readonly (string | null)[];
  readonly sums: number[] = SUMS.map(() => 0);
  readonly latency: DurationCounts = new Map();
  readonly firstByte: DurationCounts = new Map();

  constructor(key: readonly (string | null)[]) {
    this.key = key;
  }

  addGroup({ sums, latency, firstByte }: Group): void {
    this.addSums(sums);
    for (const [classNumber, count] of latency) addCount(this.latency, classNumber, count);
    for (const [classNumber, count] of firstByte) addCount(this.firstByte, classNumber, count);
  }

  addSums(sums: readonly number[]): void {
    for (const [index, value] of sums.entries()) this.sums[index] = (this.sums[index] ?? 0) + value;
  }
}

function addCount(counts: DurationCounts, classNumber: number, count: number): void {
  counts.set(classNumber, (counts.get(classNumber) ?? 0) + count);
}

function groupOf(group: Group): UsageGroup {
  return { key: group.key, ...sumsOf(group) };
}

function sumsOf({ sums, latency, firstByte }: Group): UsageSums {
  const sum = (name: (typeof SUMS)[number]): number => sums[SUMS.indexOf(name)] ?? 0;
  return {
    requests: sum("requests"),
    errors: sum("errors"),
    cancelled: sum("cancelled"),
    refused: sum("refused"),
    tokens: {
      input: sum("input"),
      output: sum("output"),
      cacheRead: sum("cacheRead"),
      cacheWrite: sum("cacheWrite"),
      cacheWriteLong: sum("cacheWriteLong"),
      reasoning: sum("reasoning"),
    },
    costMicroUsd: sum("cost"),
    unpriced: sum("unpriced"),
    estimated: sum("estimated"),
    replaced: sum("replaced"),
    latencyMs: percentilesOf(latency),
    firstByteMs: percentilesOf(firstByte),
  };
}

function percentilesOf(counts: DurationCounts): UsageSums["latencyMs"] {
  const p50 = percentile(counts, 0.5);
  const p95 = percentile(counts, 0.95);
  return p50 === null || p95 === null ? null : { p50, p95 };
}

/** `2026-09-23T14:00Z`, `2026-09-23`, `2026-09`. */
function keyText(value: string | number | null, dimension: Dimension | undefined): string | null {
  if (typeof value !== "number" || dimension?.type !== "time") return value === null ? null : String(value);
  const text = new Date(value).toISOString();
  if (dimension.unit === "hour") return `${text.slice(0, 16)}Z`;
  return text.slice(0, dimension.unit === "day" ? 10 : 7);
}

function byCost(a: UsageGroup, b: UsageGroup): number {
  return b.costMicroUsd - a.costMicroUsd || b.requests - a.requests || compareKeys(a.key, b.key);
}

/** Times first, whatever place they have; the groups of a time by cost. */
function byKey(dimensions: readonly Dimension[]): (a: UsageGroup, b: UsageGroup) => number {
  const times = dimensions.flatMap(({ type }, index) => (type === "time" ? [index] : []));
  const timesOf = ({ key }: UsageGroup) => times.map((index) => key[index] ?? null);
  return (a, b) => compareKeys(timesOf(a), timesOf(b)) || byCost(a, b);
}

function compareKeys(a: readonly (string | null)[], b: readonly (string | null)[]): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? "";
    const own = value ?? "";
    if (own !== other) return own < other ? -1 : 1;
  }
  return 0;
}
