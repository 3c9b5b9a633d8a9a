import type { AuditQuery } from "@loom/api";
import { AUDIT_FILTERS } from "@loom/api";
import type { CompiledQuery } from "kysely";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Database } from "../../kit/database.ts";
import { engines, testDatabase } from "../../kit/engines.testing.ts";
import { FILLED_FROM, fillAudit } from "./audit.testing.ts";
import { type AuditPlace, auditBatch, auditStep, SCAN_ROWS, type VisibleRows } from "./audit-query.ts";
import { type AuditTables, migrations } from "./migrations.ts";

const ROWS = 30_000;

const VALUES: Required<{ [Name in keyof AuditQuery]: string }> = {
  actor: "user-7",
  impersonator: "user-x",
  family: "session",
  event: "session.created",
  target: "thing-7",
  organization: "org-7",
  address: "10.0.0.7",
  outcome: "denied",
  from: new Date(FILLED_FROM + 1_000).toISOString(),
  to: new Date(FILLED_FROM + ROWS - 1_000).toISOString(),
};

/** As an organization may hide its own rows, in every third combination. */
function visibleOf({ length }: readonly string[]): VisibleRows | undefined {
  if (length % 3 !== 0) return undefined;
  return (where) => where.or([where("audit.organization", "is", null), where("audit.organization", "!=", "org-3")]);
}

function everyCombination(): AuditQuery[] {
  return Array.from({ length: 2 ** AUDIT_FILTERS.length }, (_, bits) =>
    Object.fromEntries(AUDIT_FILTERS.flatMap((name, bit) => ((bits >> bit) & 1 ? [[name, VALUES[name]]] : []))),
  );
}

async function planOf(database: Database, query: CompiledQuery): Promise<string> {
  const explain = database.engine === "sqlite" ? "explain query plan " : "explain ";
  const { rows } = await database.tables<AuditTables>().executeQuery({ ...query, sql: explain + query.sql });
  return rows.map((row) => Object.values(row as object).at(-1)).join("\n");
}

function isSearch(plan: string): boolean {
  return /SEARCH audit USING (COVERING )?INDEX audit_/.test(plan) && !/SCAN audit(?! *$)|TEMP B-TREE/m.test(plan);
}

/** Where an index gives not many more rows than a step looks at, PostgreSQL may rather read them all and sort those. */
function isIndexScan(plan: string): boolean {
  const sorted = [...plan.matchAll(/\bSort +\(cost=\S+ rows=(\d+)/g)].map(([, rows]) => Number(rows));
  const isByIndex = /Index (Only )?Scan/.test(plan) && !/Seq Scan/.test(plan);
  return isByIndex && sorted.every((rows) => rows <= 2 * SCAN_ROWS);
}

describe.each(engines)("a list of the audit log on $name", (engine) => {
  const opened = async () => {
    const test = await testDatabase(engine, [{ feature: "audit", migrations }]);
    onTestFinished(() => test[Symbol.asyncDispose]());
    const database = await test.open();
    await fillAudit(database, ROWS);
    return database;
  };

  it("is found by an index, whatever it is narrowed by: no combination reads the whole table", {
    timeout: 240_000,
  }, async () => {
    const database = await opened();
    const behind = { atMs: FILLED_FROM + ROWS - 500, seq: ROWS - 500 };
    const wrong: string[] = [];
    for (const filter of everyCombination()) {
      // With a cursor in every other combination: the others begin at the front.
      const place = Object.keys(filter).length % 2 === 0 ? undefined : behind;
      const { query, end } = auditStep(
        database.tables(),
        { filter, behind: place, visible: visibleOf(Object.keys(filter)) },
        100,
      );
      for (const statement of [query.compile(), ...(end === undefined ? [] : [end.compile()])]) {
        const plan = await planOf(database, statement);
        const isByIndex = database.engine === "sqlite" ? isSearch(plan) : isIndexScan(plan);
        if (!isByIndex) wrong.push(`${JSON.stringify(filter)}\n${plan}`);
      }
    }
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  it("looks at a bounded number of rows in each step, and gives the same rows as a look at all of them", async () => {
    const database = await opened();
    for (const filter of [
      { family: "session", outcome: "denied", organization: "org-0" },
      { actor: "user-0", event: "session.created", address: "10.0.0.0" },
      { outcome: "success", target: "thing-9" },
      { outcome: "success" },
    ] satisfies AuditQuery[]) {
      const seqs: number[] = [];
      let behind: AuditPlace | undefined;
      let steps = 0;
      do {
        const batch = await auditBatch(database.tables(), { filter, behind }, 100);
        seqs.push(...batch.records.map(({ seq }) => seq));
        behind = batch.next;
        steps += 1;
      } while (behind !== undefined && seqs.length < 400);
      let whole = database
        .tables<AuditTables>()
        .selectFrom("audit")
        .select("seq")
        .orderBy("seq", "desc")
        .limit(seqs.length);
      for (const [name, value] of Object.entries(filter)) {
        const column = name === "actor" || name === "target" ? (`${name}_id` as const) : (name as "family");
        whole = whole.where(column, "=", value);
      }
      expect(seqs).toEqual((await whole.execute()).map(({ seq }) => seq));
      expect(steps).toBeLessThanOrEqual(Math.ceil(ROWS / SCAN_ROWS) + 5);
    }
  });
});
