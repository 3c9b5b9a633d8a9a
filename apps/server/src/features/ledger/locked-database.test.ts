import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { sqlite } from "../../kit/engines.testing.ts";
import { lineOf } from "./entry-line.ts";
import { entry, openTestLedger, storedIds, until } from "./ledger.testing.ts";

function journals(directory: string): string[] {
  return readdirSync(join(directory, "ledger")).sort();
}

function ids(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(5, "0")}`);
}

describe("a database that another program has locked", () => {
  it("holds nobody up: rows wait in the journal and arrive when it is free", async () => {
    await using home = await sqlite.create();
    const { ledger, database, close } = openTestLedger(home);
    await database();
    const other = new DatabaseSync(join(home.path, "loom-server.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    // More than are kept in memory beside the journal.
    const recorded = ids("r", 6_000);
    for (const id of recorded) ledger.record(entry(id));
    await expect(ledger.settle()).rejects.toThrow("locked");
    expect(ledger.state).toMatchObject({ acknowledgedRows: 6_000, unwrittenRows: 0, droppedRows: 0, healthy: true });
    expect(await storedIds(await database())).toEqual([]);
    other.exec("ROLLBACK");
    other.close();
    // By itself, without being asked.
    await until(async () => (await storedIds(await database())).length === 6_000);
    expect(await storedIds(await database())).toEqual(recorded);
    await close();
    expect(journals(home.path)).toEqual([]);
  });

  it("stops requests at the bound, still takes the rows of those that run, and lets them in again afterwards", async () => {
    await using home = await sqlite.create();
    const line = lineOf(entry("r00000")).length;
    const { ledger, database, close } = openTestLedger(home, { bounds: { journalBytes: 100 * line } });
    await database();
    const other = new DatabaseSync(join(home.path, "loom-server.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    const recorded = ids("r", 300);
    for (const id of recorded.slice(0, 99)) ledger.record(entry(id));
    await ledger.settle().catch(() => undefined);
    expect(ledger.healthy()).toBe(true);
    for (const id of recorded.slice(99, 150)) ledger.record(entry(id));
    await ledger.settle().catch(() => undefined);
    expect(ledger.state).toMatchObject({ healthy: false, droppedRows: 0 });
    for (const id of recorded.slice(150)) ledger.record(entry(id));
    await ledger.settle().catch(() => undefined);
    ledger.record(entry("one too many"));
    expect(ledger.state).toMatchObject({ acknowledgedRows: 300, droppedRows: 1 });
    other.exec("ROLLBACK");
    other.close();
    await ledger.settle();
    expect(ledger.healthy()).toBe(true);
    expect(await storedIds(await database())).toEqual(recorded);
    await close();
  });
});
