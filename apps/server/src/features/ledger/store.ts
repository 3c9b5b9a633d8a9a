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

/** So much older than the newest row of its path `last_at_ms` may be: it is not written for every row. */
const PATH_KNOWN_MS = 3_600_000;
const MAX_KNOWN_PATHS = 10_000;

/** Rows are known by their ids: servers need not wait for each other. */
const FREE = { lock: null } as const;

export function createLedgerStore(database: Database): LedgerStore {
  const insertion = createInsertion();
  /** Paths that are in the database, with the time of a row that is. */
  const known = new Map<string, number>();
  return {
    async insert(entries) {
      const rows: UsageRow[] = [];
      const paths = new Map<string, LedgerEntry>();
      for (const entry of entries) {
        const row = rowOf(entry);
        rows.push(row);
        const knownUntil = (known.get(row.path) ?? Number.NEGATIVE_INFINITY) + PATH_KNOWN_MS;
        if (row.path !== "" && row.at_ms > knownUntil) paths.set(row.path, entry);
      }
      await database.writeBehind<LedgerTables, void>(async (transaction) => {
        for (const entry of inOrder(paths)) await insertNodes(transaction, nodeRowsOf(entry));
        for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
          await transaction.executeQuery(insertion(transaction, rows.slice(start, start + ROWS_PER_STATEMENT)));
        }
      }, FREE);
      if (known.size > MAX_KNOWN_PATHS) known.clear();
      for (const [path, entry] of paths) known.set(path, entry.at);
    },
    purge: (beforeMs, max) =>
      database.writeBehind<LedgerTables, number>(async (transaction) => {
        const old = transaction.selectFrom("usage").select("id").where("at_ms", "<", beforeMs).limit(max);
        const [result] = await transaction.deleteFrom("usage").where("id", "in", old).execute();
        await transaction
          .deleteFrom("usage_node")
          .where("last_at_ms", "<", beforeMs - PATH_KNOWN_MS)
          .execute();
        return Number(result?.numDeletedRows ?? 0);
      }, FREE),
  };
}

function inOrder(paths: ReadonlyMap<string, LedgerEntry>): LedgerEntry[] {
  return [...paths.keys()].sort().flatMap((path) => paths.get(path) ?? []);
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

/** In one order everywhere: two servers that lock the same rows in different ones would lock each other out. */
function byNode(a: UsageNodeRow, b: UsageNodeRow): number {
  const [one, other] = [`${a.kind}\n${a.node}`, `${b.kind}\n${b.node}`];
  return one < other ? -1 : Number(one > other);
}

/** PostgreSQL refuses a statement that would change a row twice. */
function distinct(nodes: readonly UsageNodeRow[]): UsageNodeRow[] {
  return [...new Map(nodes.map((node) => [JSON.stringify([node.kind, node.node]), node])).values()].sort(byNode);
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
    const parameters: unknown[] = [];
    for (const row of rows) for (const column of columns) parameters.push(row[column]);
    return { ...query, parameters };
  };
}
