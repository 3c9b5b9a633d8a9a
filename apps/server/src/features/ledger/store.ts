import type { CompiledQuery, Kysely } from "kysely";
import type { LedgerEntry } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import type { LedgerTables, UsageNodeRow, UsageRow } from "./migrations.ts";
import { nodeRowsOf, rowOf } from "./usage-row.ts";

/** What is written to the tables of the ledger. */
export type LedgerStore = {
  /** All or none, in one transaction that waits for nobody; those whose id is known already stay as they are. */
  insert(entries: readonly LedgerEntry[]): Promise<void>;
  /** Deletes up to `max` rows from before a time, and gives their number. */
  purge(beforeMs: number, max: number): Promise<number>;
};

/** Rows of one statement: a few hundred values, which every engine takes. */
const ROWS_PER_STATEMENT = 25;

export function createLedgerStore(database: Database): LedgerStore {
  const insertion = createInsertion();
  return {
    async insert(entries) {
      const rows: UsageRow[] = [];
      const nodes = new Map<string, readonly UsageNodeRow[]>();
      for (const entry of entries) {
        const row = rowOf(entry);
        rows.push(row);
        // The last of a path is the newest, or near enough.
        if (row.path !== "") nodes.set(row.path, nodeRowsOf(entry));
      }
      await database.writeBehind<LedgerTables, void>(async (transaction) => {
        for (const some of nodes.values()) await insertNodes(transaction, some);
        for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
          await transaction.executeQuery(insertion(transaction, rows.slice(start, start + ROWS_PER_STATEMENT)));
        }
      });
    },
    purge: (beforeMs, max) =>
      database.writeBehind<LedgerTables, number>(async (transaction) => {
        const old = transaction.selectFrom("usage").select("id").where("at_ms", "<", beforeMs).limit(max);
        const [result] = await transaction.deleteFrom("usage").where("id", "in", old).execute();
        await transaction.deleteFrom("usage_node").where("last_at_ms", "<", beforeMs).execute();
        return Number(result?.numDeletedRows ?? 0);
      }),
  };
}

async function insertNodes(db: Kysely<LedgerTables>, nodes: readonly UsageNodeRow[]): Promise<void> {
  await db
    .insertInto("usage_node")
    .values(distinct(nodes))
    .onConflict((conflict) =>
      conflict
        .columns(["path", "kind", "node"])
        .doUpdateSet(({ ref }) => ({ last_at_ms: ref("excluded.last_at_ms") }))
        .whereRef("usage_node.last_at_ms", "<", "excluded.last_at_ms"),
    )
    .execute();
}

/** PostgreSQL refuses a statement that would change a row twice. */
function distinct(nodes: readonly UsageNodeRow[]): UsageNodeRow[] {
  return [...new Map(nodes.map((node) => [JSON.stringify([node.kind, node.node]), node])).values()];
}

/** Makes the statement for each number of rows once: making it costs more than running it. */
function createInsertion(): (db: Kysely<LedgerTables>, rows: readonly UsageRow[]) => CompiledQuery {
  const made = new Map<number, { readonly query: CompiledQuery; readonly columns: readonly (keyof UsageRow)[] }>();
  return (db, rows) => {
    let statement = made.get(rows.length);
    if (statement === undefined) {
      const query = db
        .insertInto("usage")
        .values(rows)
        .onConflict((conflict) => conflict.column("id").doNothing())
        .compile();
      statement = { query, columns: Object.keys(rows[0] ?? {}) as (keyof UsageRow)[] };
      made.set(rows.length, statement);
    }
    const { query, columns } = statement;
    return { ...query, parameters: rows.flatMap((row) => columns.map((column) => row[column])) };
  };
}
