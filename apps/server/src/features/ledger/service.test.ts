import { appendFileSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProcess } from "@loom/testkit";
import { describe, expect, it } from "vitest";
import type { LedgerFollower } from "../../gateway-types.ts";
import { engines } from "../../kit/engines.testing.ts";
import { lineOf } from "./entry-line.ts";
import { entry, NOON, openTestDatabase, openTestLedger, storedIds, until } from "./ledger.testing.ts";
import type { LedgerTables } from "./migrations.ts";

describe.each(engines)("on $name", (engine) => {
  const RECORDER = fileURLToPath(new URL("./endless-recorder.testing.ts", import.meta.url));
  const LONG_AGO = new Date(Date.now() - 3_600_000);

  function journals(directory: string): string[] {
    return readdirSync(join(directory, "ledger")).sort();
  }

  function ids(prefix: string, count: number): string[] {
    return Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(5, "0")}`);
  }

  describe("a recorded request", () => {
    it("is in the database soon, once, and leaves no journal behind", async () => {
      await using home = await engine.createEmpty();
      const { ledger, database, close } = openTestLedger(home);
      const recorded = ids("r", 1_000);
      for (const id of recorded) ledger.record(entry(id));
      expect(ledger.state.unwrittenRows).toBe(1_000);
      await until(async () => (await storedIds(await database())).length === 1_000);
      expect(await storedIds(await database())).toEqual(recorded);
      await close();
      expect(journals(home.path)).toEqual([]);
    });

    it("does not wait where it fills a transaction with others, unless there is no room behind it", async () => {
      await using home = await engine.createEmpty();
      let isFull = false;
      const follower: LedgerFollower = {
        see() {},
        tell: async () => true,
        isBehind: false,
        get isFull() {
          return isFull;
        },
      };
      const { ledger, database, close } = openTestLedger(home, { moveMs: 3_600_000, follower });
      ledger.record(entry("first"));
      await ledger.settle();
      const record = async (prefix: string, count: number): Promise<void> => {
        const before = ledger.state.acknowledgedRows;
        for (const id of ids(prefix, count)) ledger.record(entry(id));
        await until(() => ledger.state.acknowledgedRows === before + count);
      };
      await record("few", 200);
      expect(await storedIds(await database())).toHaveLength(1);
      isFull = true;
      await record("many", 400);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await storedIds(await database())).toHaveLength(1);
      isFull = false;
      await record("last", 1);
      await until(async () => (await storedIds(await database())).length >= 1 + 256);
      // What fills no transaction any more waits on.
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await storedIds(await database())).length).toBeLessThan(602);
      await close();
      const reopened = await openTestDatabase(home);
      expect(await storedIds(reopened)).toHaveLength(602);
      await reopened.close();
    });

    it("is in a journal that only its owner can read before it is in the database", async () => {
      await using home = await engine.createEmpty();
      const { ledger, close } = openTestLedger(home);
      ledger.record(entry("r1"));
      await until(() => ledger.state.acknowledgedRows === 1);
      const [name = ""] = journals(home.path);
      const file = join(home.path, "ledger", name);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(join(home.path, "ledger")).mode & 0o777).toBe(0o700);
      expect(readFileSync(file, "utf8")).toBe(lineOf(entry("r1")));
      await close();
    });

    it("keeps everything that was said about it", async () => {
      await using home = await engine.createEmpty();
      const { ledger, database, close } = openTestLedger(home);
      const nodes = [
        { kind: "token", id: "ci" },
        { kind: "team", id: "core" },
      ];
      const more = { session: "s1", credentialId: "c1", errorCode: "overloaded", details: { retried: ["a"] }, nodes };
      ledger.record(entry("r1", { ...more, outcome: "cut_off", latencyMs: 12.5, estimated: true }));
      await ledger.settle();
      const tables = (await database()).tables<LedgerTables>();
      const row = await tables.selectFrom("usage").selectAll().executeTakeFirstOrThrow();
      expect(row).toMatchObject({
        id: "r1",
        at_ms: NOON,
        session: "s1",
        credential: "c1",
        error_code: "overloaded",
        details: '{"retried":["a"]}',
        outcome: "cut_off",
        latency_ms: 12.5,
        estimated: 1,
        input_tokens: 10,
        cost_micro_usd: 175,
        price_version: "test@1",
      });
      const stored = await tables.selectFrom("usage_node").selectAll().where("path", "=", row.path).execute();
      expect(stored.map(({ kind, node }) => ({ kind, id: node }))).toEqual(expect.arrayContaining(nodes));
      await close();
    });

    it("costs nobody else their row where it is malformed, too long or absurd", async () => {
      await using home = await engine.createEmpty();
      const { ledger, database, close } = openTestLedger(home);
      const circular: Record<string, unknown> = {};
      circular.self = circular;
      ledger.record(entry("circular", { details: circular as never }));
      ledger.record(entry("long", { model: `${"m".repeat(5_000)}`, details: { text: "x".repeat(100_000) } }));
      ledger.record(entry("zero", { subject: "a\0b\nc" }));
      ledger.record(entry("absurd", { latencyMs: -5, costMicroUsd: 1e300 }));
      await ledger.settle();
      const rows = await (await database())
        .tables<LedgerTables>()
        .selectFrom("usage")
        .selectAll()
        .orderBy("id")
        .execute();
      expect(rows.map(({ id }) => id)).toEqual(["absurd", "long", "zero"]);
      expect(rows[0]).toMatchObject({ latency_ms: 0, cost_micro_usd: 1e11 });
      expect(rows[1]).toMatchObject({ model: "m".repeat(256), details: '{"leftOut":"too large"}' });
      expect(rows[2]?.subject).toBe("ab\nc");
      expect(ledger.state.droppedRows).toBe(1);
      await close();
    });
  });

  describe("a process that is killed", () => {
    it("loses no acknowledged row, and leaves none twice, however often", async () => {
      await using home = await engine.createEmpty();
      const acknowledged: { prefix: string; rows: number }[] = [];
      for (const prefix of ["a", "b", "c"]) {
        const child = await startProcess(process.execPath, [
          RECORDER,
          home.path,
          prefix,
          home.env.LOOM_SERVER_DATABASE_URL ?? "",
        ]);
        // Long enough for rows in memory, in the journal and in the database.
        await child.waitForOutput(/^[3-9]\d{3}$/m);
        child.signal("SIGKILL");
        const { stdout } = await child.exited;
        acknowledged.push({ prefix, rows: Number(stdout.trim().split("\n").at(-1)) });
      }
      const { ledger, database, close } = openTestLedger(home);
      await ledger.settle();
      const stored = await storedIds(await database());
      expect(new Set(stored).size).toBe(stored.length);
      for (const { prefix, rows } of acknowledged) {
        const own = stored.filter((id) => id.startsWith(prefix));
        expect(own.length).toBeGreaterThanOrEqual(rows);
        // No holes: what was recorded first was written first.
        expect(own).toEqual(own.map((_, index) => `${prefix}${String(index).padStart(7, "0")}`));
      }
      await close();
    });

    it("may leave a torn last line, which was never acknowledged", async () => {
      await using home = await engine.createEmpty();
      const first = openTestLedger(home);
      first.ledger.record(entry("whole"));
      await first.close();
      const [name = ""] = journals(home.path);
      const file = join(home.path, "ledger", name);
      for (const length of [1, 40, lineOf(entry("torn")).length - 1]) {
        appendFileSync(file, lineOf(entry("torn")).slice(0, length));
        const { ledger, database, close } = openTestLedger(home);
        await ledger.settle();
        expect(await storedIds(await database())).toEqual(["whole"]);
        expect(journals(home.path)).toEqual([]);
        await close();
        writeFileSync(file, lineOf(entry("whole")), { mode: 0o600 });
      }
    });

    it("leaves a journal that is brought in again and again without a row too many, and deleted when it is old", async () => {
      await using home = await engine.createEmpty();
      const writer = openTestLedger(home);
      for (const id of ids("r", 700)) writer.ledger.record(entry(id));
      await until(() => writer.ledger.state.acknowledgedRows === 700);
      const [name = ""] = journals(home.path);
      const { ledger, database, close } = openTestLedger(home);
      await ledger.settle();
      await ledger.recover();
      // It might be alive still.
      expect(journals(home.path)).toEqual([name]);
      utimesSync(join(home.path, "ledger", name), LONG_AGO, LONG_AGO);
      await ledger.recover();
      expect(journals(home.path)).toEqual([]);
      expect(await storedIds(await database())).toEqual(ids("r", 700));
      // And it was: nothing is lost, nothing is there twice.
      writer.ledger.record(entry("later"));
      await writer.ledger.settle();
      expect(await storedIds(await database())).toEqual(["later", ...ids("r", 700)]);
      await writer.close();
      await close();
    });

    it("never costs a file with damaged lines: it is kept under another name", async () => {
      await using home = await engine.createEmpty();
      const first = openTestLedger(home);
      first.ledger.record(entry("before"));
      await first.close();
      const [name = ""] = journals(home.path);
      appendFileSync(join(home.path, "ledger", name), `{"id":1}\n\0\0\0\0\n${lineOf(entry("after"))}`);
      const { ledger, database, close } = openTestLedger(home);
      await ledger.settle();
      expect(await storedIds(await database())).toEqual(["after", "before"]);
      expect(journals(home.path)).toEqual([`${name}.damaged`]);
      await close();
    });
  });

  describe("a process of one turn", () => {
    it("opens no database for the ledger's sake: its journal waits for who does", async () => {
      await using home = await engine.createEmpty();
      const { ledger, close } = openTestLedger(home);
      ledger.record(entry("r1"));
      await close();
      expect(readdirSync(home.path)).toEqual(["ledger"]);
      expect(journals(home.path)).toEqual([expect.stringMatching(/\.closed\.journal$/)]);
      const next = openTestLedger(home);
      await next.ledger.recover();
      expect(await storedIds(await next.database())).toEqual(["r1"]);
      expect(journals(home.path)).toEqual([]);
      await next.close();
    });

    it("makes no file at all where it asks no model", async () => {
      await using home = await engine.createEmpty();
      const { ledger, close } = openTestLedger(home);
      await ledger.recover();
      await close();
      expect(readdirSync(home.path)).toEqual([]);
    });

    it("without a directory keeps nothing and is fine", async () => {
      const { ledger, close } = openTestLedger(
        { path: "/nowhere", place: { file: "/nowhere/db" } },
        { directory: undefined },
      );
      ledger.record(entry("r1"));
      await ledger.settle();
      expect(ledger.healthy()).toBe(true);
      await close();
    });
  });

  describe("a bound", () => {
    it("with the policy drop lets requests go on and counts the rows that it gives up", async () => {
      await using home = await engine.createEmpty();
      const { ledger, database, close } = openTestLedger(home, { overflow: "drop", bounds: { unwrittenRows: 50 } });
      for (const id of ids("r", 80)) ledger.record(entry(id));
      expect(ledger.state).toMatchObject({ healthy: true, unwrittenRows: 50, droppedRows: 30 });
      await ledger.settle();
      expect(await storedIds(await database())).toEqual(ids("r", 50));
      await close();
    });
  });

  describe("two servers on one database", () => {
    it("store every row of both once", async () => {
      await using home = await engine.createEmpty();
      const servers = [openTestLedger(home), openTestLedger(home)];
      const children = await Promise.all(
        ["x", "y"].map((prefix) =>
          startProcess(process.execPath, [RECORDER, home.path, prefix, home.env.LOOM_SERVER_DATABASE_URL ?? ""]),
        ),
      );
      for (const [index, { ledger }] of servers.entries()) {
        for (const id of ids(`s${index}-`, 2_000)) ledger.record(entry(id));
      }
      for (const child of children) await child.waitForOutput(/^[2-9]\d{3}$/m);
      for (const child of children) child.signal("SIGKILL");
      const told = await Promise.all(
        children.map(async (child) => Number((await child.exited).stdout.trim().split("\n").at(-1))),
      );
      for (const { close } of servers) await close();
      const last = openTestLedger(home);
      await last.ledger.settle();
      const stored = await storedIds(await last.database());
      expect(new Set(stored).size).toBe(stored.length);
      expect(stored.filter((id) => id.startsWith("s"))).toEqual([...ids("s0-", 2_000), ...ids("s1-", 2_000)]);
      expect(stored.filter((id) => id.startsWith("x")).length).toBeGreaterThanOrEqual(told[0] ?? Number.NaN);
      expect(stored.filter((id) => id.startsWith("y")).length).toBeGreaterThanOrEqual(told[1] ?? Number.NaN);
      await last.close();
    });
  });

  describe("rows that are older than the retention time", () => {
    it("are deleted with the nodes that only they were charged to", async () => {
      await using home = await engine.createEmpty();
      const { ledger, close } = openTestLedger(home, { retentionDays: 10, now: () => NOON });
      const day = 86_400_000;
      for (const id of ids("old", 1_200))
        ledger.record(entry(id, { at: NOON - 11 * day, nodes: [{ kind: "loop", id: "l" }] }));
      ledger.record(entry("older-of-both", { at: NOON - 11 * day }));
      ledger.record(entry("young", { at: NOON - 9 * day }));
      await ledger.settle();
      await ledger.purge(new AbortController().signal);
      await close();
      const database = await openTestDatabase(home);
      expect(await storedIds(database)).toEqual(["young"]);
      const nodes = await database.tables<LedgerTables>().selectFrom("usage_node").select("node").execute();
      expect(nodes).toEqual([{ node: "owner" }]);
      await database.close();
    });
  });
});
