import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OpenedRequest } from "../../gateway-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import type { LostCharge } from "../budgets/service.ts";
import { entry, openTestLedger, storedIds, temporaryDirectory } from "./ledger.testing.ts";
import { recoverLostRequests } from "./lost-requests.ts";
import type { LedgerTables } from "./migrations.ts";
import { FileRequestTrace } from "./request-trace.ts";

const WORST = { inputTokens: 10, outputTokens: 50, costMicroUsd: 1_300 };

function opened(id: string): OpenedRequest {
  const { at, subject, nodes, client, dialect, upstream, requestedModel, model, route, attempts } = entry(id);
  return { id, at, subject, nodes, client, dialect, upstream, requestedModel, model, route, attempts, worst: WORST };
}

/** When all that was opened is written and sent. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("the trace of open requests", () => {
  let home: Awaited<ReturnType<typeof temporaryDirectory>>;
  const names = () => readdirSync(home.path).sort();
  const text = (name: string) => readFileSync(join(home.path, name), "utf8");
  beforeEach(async () => {
    home = await temporaryDirectory();
  });
  afterEach(() => home[Symbol.asyncDispose]());
  const traceOf = (fileBytes?: number) =>
    new FileRequestTrace({ directory: home.path, process: "p", log: SILENT_LOG, ...(fileBytes && { fileBytes }) });

  test("has each request in the file before it is sent, all of one turn with one write", async () => {
    const trace = traceOf();
    const found: boolean[] = [];
    const look = (id: string) => () => void found.push(text("p.000001.requests").includes(`"${id}"`));
    trace.open(opened("a"), look("b"));
    trace.open(opened("b"), look("a"));
    expect(names()).toEqual([]);
    await turn();
    expect(found).toEqual([true, true]);
    expect(statSync(join(home.path, "p.000001.requests")).mode & 0o777).toBe(0o600);
  });

  test("carries what is open over into the next file, and lets go of old ones when the budgets know what they cost", async () => {
    const trace = traceOf(1_000);
    const long = trace.open(opened("long"), () => {});
    for (let count = 0; count < 20; count += 1) {
      trace.open(opened(`r${count}`), () => {}).close(5);
      await turn();
    }
    const last = names().at(-1) ?? "";
    expect(names().length).toBeGreaterThan(1);
    expect(text(last)).toContain('"id":"long"');
    long.close(7);
    trace.telling(3);
    trace.told();
    expect(text(last)).toMatch(/-long 7;\n=3;\n$/);
    trace.close({ isSettled: true });
    expect(names()).toEqual([]);
  });

  test("stays where something is open or not settled", async () => {
    const trace = traceOf();
    trace.open(opened("a"), () => {});
    await turn();
    trace.close({ isSettled: true });
    expect(names()).toHaveLength(1);
  });

  test("goes on in a new file under a new name where another server has taken this one for dead", async () => {
    const trace = traceOf();
    trace.open(opened("a"), () => {});
    await turn();
    rmSync(join(home.path, "p.000001.requests"));
    trace.touch();
    expect(trace.process).not.toBe("p");
    expect(names()).toEqual([`${trace.process}.000002.requests`]);
    expect(text(names()[0] ?? "")).toContain('"id":"a"');
    trace.open(opened("b"), () => {});
    await turn();
    trace.touch();
    expect(names()).toHaveLength(1);
    expect(text(names()[0] ?? "")).toContain('"id":"b"');
  });

  test("does not hold up what it cannot write down", async () => {
    writeFileSync(join(home.path, "file"), "");
    const trace = new FileRequestTrace({ directory: join(home.path, "file"), process: "p", log: SILENT_LOG });
    const sent = new Promise<void>((resolve) => void trace.open(opened("a"), resolve));
    await sent;
  });
});

describe.each(engines)("what a dead process left, on $name", (engine) => {
  const HEAD = (start: string) => `${JSON.stringify({ owner: { pid: 1, start, boot: "another", namespace: "x" } })}\n`;
  const lineOf = (id: string) => `${JSON.stringify(opened(id))}\n`;

  test("is accounted for once it is certainly dead: rows for what has none, charges for what was not told", async () => {
    await using home = await engine.createEmpty();
    const { ledger, database, close } = openTestLedger(home);
    ledger.record(entry("b", { costMicroUsd: 175 }));
    const file = join(home.path, "dead.000001.requests");
    const ended = `${lineOf("a")}${lineOf("b")}${lineOf("c")}-a 11;\n=4;\n-c 33;\n`;
    writeFileSync(file, `${HEAD("1")}${ended}${lineOf("d")}`);
    appendFileSync(file, lineOf("torn").slice(0, 40));
    const charged: (readonly [string, readonly LostCharge[]])[] = [];
    let now = Date.now();
    const recover = (owns = false) =>
      recoverLostRequests({
        directory: home.path,
        owns: () => owns,
        database,
        settle: () => ledger.settle(),
        charge: async (process, charges) => void charged.push([process, charges]),
        warn: () => {},
        now: () => now,
      });
    // It may run elsewhere, where nobody sees it: its silence has to do.
    await recover();
    await recover(true);
    expect(charged).toEqual([]);
    now += 61_000;
    await recover();
    expect(charged.map(([process]) => process)).toEqual(["dead"]);
    expect(charged[0]?.[1].map(({ costMicroUsd, toldWith }) => [costMicroUsd, toldWith])).toEqual([
      [11, 4],
      [175, undefined],
      [33, undefined],
      [1_300, undefined],
    ]);
    expect(await storedIds(await database())).toEqual(["a", "b", "c", "d"]);
    expect(readdirSync(home.path).filter((name) => name.endsWith(".requests"))).toEqual([]);
    await close();
  });

  test("names an attempt that was replaced apart from its request, whose next one is not there yet", async () => {
    await using home = await engine.createEmpty();
    const { ledger, database, close } = openTestLedger(home);
    const trace = new FileRequestTrace({ directory: home.path, process: "dead", log: SILENT_LOG });
    const between = trace.open(opened("a"), () => {});
    const again = trace.open(opened("b"), () => {});
    await turn();
    between.replaced("a.1", 11);
    again.replaced("b.1", 22);
    trace.open({ ...opened("b"), upstream: "other" }, () => {}, again);
    await turn();
    const file = join(home.path, "dead.000001.requests");
    writeFileSync(file, readFileSync(file, "utf8").replace(/^.*\n/, HEAD("1")));
    const charged: number[] = [];
    await recoverLostRequests({
      directory: home.path,
      owns: () => false,
      database,
      settle: () => ledger.settle(),
      charge: async (_, charges) => void charged.push(...charges.map(({ costMicroUsd }) => costMicroUsd)),
      warn: () => {},
      now: () => Date.now() + 61_000,
    });
    expect(charged.sort((a, b) => a - b)).toEqual([0, 11, 22, 1_300]);
    const rows = await (await database())
      .tables<LedgerTables>()
      .selectFrom("usage")
      .select(["id", "upstream", "outcome", "cost_micro_usd as cost"])
      .orderBy("id")
      .execute();
    expect(rows.map(({ cost, ...row }) => ({ ...row, cost: Number(cost) }))).toEqual([
      { id: "a", upstream: "anthropic", outcome: "cut_off", cost: 0 },
      { id: "a.1", upstream: "anthropic", outcome: "replaced", cost: 11 },
      { id: "b", upstream: "other", outcome: "cut_off", cost: 1_300 },
      { id: "b.1", upstream: "anthropic", outcome: "replaced", cost: 22 },
    ]);
    await close();
  });

  test("is left alone as long as its owner writes to it", async () => {
    await using home = await engine.createEmpty();
    const { ledger, database, close } = openTestLedger(home);
    const trace = new FileRequestTrace({ directory: home.path, process: "alive", log: SILENT_LOG });
    trace.open(opened("a"), () => {});
    await turn();
    const long = new Date(Date.now() - 120_000);
    utimesSync(join(home.path, "alive.000001.requests"), long, long);
    trace.touch();
    await recoverLostRequests({
      directory: home.path,
      owns: () => false,
      database,
      settle: () => ledger.settle(),
      charge: () => Promise.reject(new Error("must not be charged")),
      warn: () => {},
      now: Date.now,
    });
    expect(readdirSync(home.path).filter((name) => name.endsWith(".requests"))).toHaveLength(1);
    await close();
  });
});
