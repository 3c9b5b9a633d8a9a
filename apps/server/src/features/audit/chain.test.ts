import fc from "fast-check";
import { sql } from "kysely";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Database } from "../../kit/database.ts";
import { engines, type TestDatabase, testDatabase } from "../../kit/engines.testing.ts";
import { recorded, SEAL } from "./audit.testing.ts";
import { createChainSeal } from "./chain-seal.ts";
import { createChainStore, sealChain } from "./chain-store.ts";
import { type AuditTables, migrations } from "./migrations.ts";
import { verifyChain } from "./verify.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);

describe.each(engines)("the chain on $name", (engine) => {
  let test: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    test = await testDatabase(engine, [{ feature: "audit", migrations }]);
    onTestFinished(() => test[Symbol.asyncDispose]());
    database = await test.open();
  });

  const grown = async (rows: number) => {
    const entries = Array.from({ length: rows }, (_, index) => recorded(`t${index}`, NOW + index));
    return (await createChainStore(database, { seal: SEAL }).append(entries)).end;
  };
  const db = () => database.tables<AuditTables>();
  const problems = async (remembered: Parameters<typeof verifyChain>[1]["remembered"] = []) =>
    (await verifyChain(database, { seal: SEAL, remembered })).problems;

  it("has an event once that is told twice, together or one after the other", async () => {
    const store = createChainStore(database, { seal: SEAL });
    const [one, other] = [recorded("one", NOW), recorded("other", NOW)];
    expect((await store.append([one, one, other])).added).toEqual([one, other]);
    expect((await store.append([other, one])).added).toEqual([]);
    expect(await problems()).toEqual([]);
  });

  it("is whole, also with texts that databases like to change", async () => {
    const strange = recorded("\u0000a\ud800", NOW, {
      organization: "ä\u2028'\"\\",
      details: { text: "\ud800\u0000", number: 1.5, list: [null, true, { deep: "x".repeat(9_000) }] },
    });
    await createChainStore(database, { seal: SEAL }).append([strange, recorded("plain", NOW)]);
    expect(await verifyChain(database, { seal: SEAL })).toMatchObject({ rows: 2, sealed: true, problems: [] });
  });

  it("takes an event once, however often it comes", async () => {
    const store = createChainStore(database, { seal: SEAL });
    const [one, two] = [recorded("one", NOW), recorded("two", NOW)];
    await store.append([one]);
    expect((await store.append([one, two])).added).toEqual([two]);
    expect(await verifyChain(database, { seal: SEAL })).toMatchObject({ rows: 2, problems: [] });
  });

  it("names the row that was edited", async () => {
    await grown(5);
    await db().updateTable("audit").set({ actor_name: "somebody else" }).where("seq", "=", 3).execute();
    expect(await problems()).toEqual([expect.stringMatching(/^Row 3 \(audit-.*\) was changed/)]);
  });

  it("names the rows that were removed", async () => {
    await grown(5);
    await db().deleteFrom("audit").where("seq", "in", [2, 3]).execute();
    expect(await problems()).toEqual(["Rows 2 to 3 are missing: they were removed."]);
  });

  it("names rows that were removed from its front", async () => {
    await grown(3);
    await db().deleteFrom("audit").where("seq", "=", 1).execute();
    expect(await problems()).toEqual(["Rows 1 are missing: they were removed."]);
  });

  it("names a row that took the place of another, with a hash that fits itself", async () => {
    await grown(4);
    const { hashOfRow } = await import("./row-hash.ts");
    const row = await db().selectFrom("audit").selectAll().where("seq", "=", 2).executeTakeFirstOrThrow();
    const forged = { ...row, actor_id: "nobody" };
    await db()
      .updateTable("audit")
      .set({ actor_id: "nobody", hash: hashOfRow(forged) })
      .where("seq", "=", 2)
      .execute();
    expect(await problems()).toEqual(["Row 3 does not follow the row before it: one of them was replaced or added."]);
  });

  it("names rows that were added behind its end", async () => {
    await grown(2);
    const row = await db().selectFrom("audit").selectAll().where("seq", "=", 2).executeTakeFirstOrThrow();
    await db()
      .insertInto("audit")
      .values({ ...row, seq: 3, id: "audit-forged" })
      .execute();
    expect((await problems()).join(" ")).toContain("Row 3 was added behind the end");
  });

  it("notices an end that was cut off, also together with what names the end", async () => {
    const end = await grown(5);
    await db().deleteFrom("audit").where("seq", ">", 3).execute();
    expect(await problems()).toEqual(["Rows 4 to 5 are missing at the end: they were cut off."]);
    const last = await db().selectFrom("audit").select("hash").where("seq", "=", 3).executeTakeFirstOrThrow();
    await db().updateTable("audit_chain").set({ head_seq: 3, head_hash: last.hash }).execute();
    expect(await problems()).toEqual([expect.stringContaining("do not fit their signature")]);
    expect((await problems([{ ...end, by: "the data directory" }])).at(-1)).toContain("remembers row 5");
  });

  it("does not make a forged end good by growing further", async () => {
    await grown(5);
    await db().deleteFrom("audit").where("seq", ">", 3).execute();
    const last = await db().selectFrom("audit").select("hash").where("seq", "=", 3).executeTakeFirstOrThrow();
    await db().updateTable("audit_chain").set({ head_seq: 3, head_hash: last.hash }).execute();
    await createChainStore(database, { seal: SEAL }).append([recorded("later", NOW + 9)]);
    expect(await problems()).toEqual([expect.stringContaining("do not fit their signature")]);
    await sealChain(database, SEAL);
    expect(await problems()).toEqual([]);
  });

  it("notices a chain that somebody has written anew without the key", async () => {
    const end = await grown(2);
    await db().deleteFrom("audit").execute();
    await db().deleteFrom("audit_chain").execute();
    await createChainStore(database, { seal: createChainSeal(Buffer.alloc(32, 2)) }).append([
      recorded("forged", NOW),
      recorded("forged too", NOW),
    ]);
    expect((await problems()).join(" ")).toContain("signed with another key");
    expect((await problems([{ ...end, by: "--end" }])).join(" ")).toContain("the chain was written anew");
  });

  it("loses what is past its time from its front, and holds", async () => {
    const store = createChainStore(database, { seal: SEAL });
    await store.append([
      recorded("old", NOW - 100 * DAY),
      recorded("old too", NOW - 91 * DAY),
      recorded("new", NOW - DAY),
    ]);
    // Late: it stays, because what is before it does.
    await store.append([recorded("late", NOW - 95 * DAY)]);
    const gone = await store.expire(NOW - 90 * DAY, { max: 500, nowMs: NOW });
    expect(gone).toEqual({ rows: 2, firstSeq: 1, lastSeq: 2 });
    expect(await verifyChain(database, { seal: SEAL })).toMatchObject({ rows: 2, firstSeq: 3, problems: [] });
    await store.append([recorded("more", NOW)]);
    expect(await problems()).toEqual([]);
  });

  it("is not held up for ever by a row from a clock that was ahead", async () => {
    const store = createChainStore(database, { seal: SEAL });
    await store.append([recorded("ahead", NOW + 3_650 * DAY), recorded("old", NOW - 100 * DAY), recorded("new", NOW)]);
    expect(await store.expire(NOW - 90 * DAY, { max: 500, nowMs: NOW })).toMatchObject({ rows: 2 });
  });

  it("holds after any interleaving of two servers' events and retention", { timeout: 120_000 }, async () => {
    const other = await test.open();
    const step = fc.record({
      kind: fc.constantFrom("append", "append", "expire"),
      second: fc.boolean(),
      rows: fc.integer({ min: 1, max: 30 }),
      days: fc.integer({ min: 0, max: 120 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        await sql`delete from audit`.execute(database.tables());
        await sql`delete from audit_chain`.execute(database.tables());
        const stores = [database, other].map((each) => createChainStore(each, { seal: SEAL, patienceMs: 5_000 }));
        let appended = 0;
        await Promise.all(
          steps.map(async ({ kind, second, rows, days }, index) => {
            const store = stores[second ? 1 : 0];
            if (kind === "append") {
              const made = Array.from({ length: rows }, (_, n) => recorded(`${index}-${n}`, NOW - days * DAY));
              const added = (await store?.append(made))?.added.length ?? 0;
              appended += added;
            } else await store?.expire(NOW - 60 * DAY, { max: 20, nowMs: NOW });
          }),
        );
        const report = await verifyChain(other, { seal: SEAL });
        expect(report.problems).toEqual([]);
        expect(report.head.seq).toBe(appended);
      }),
      { numRuns: 15 },
    );
  });
});
