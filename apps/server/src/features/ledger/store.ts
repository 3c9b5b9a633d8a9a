import type { Kysely } from "kysely";
import type { LedgerEntry } from "../../gateway-types.ts";
import type { Database } from "../../kit/database.ts";
import { rowInsertion } from "../../kit/row-insertion.ts";
import { type LedgerTables, USAGE_COLUMNS, type UsageNodeRow } from "./migrations.ts";
import { atMsOf, nodeRowsOf, pathOf, valuesOf } from "./usage-row.ts";

/** What is written to the tables of the ledger. */
export type LedgerStore = {
  /** All or none, in one transaction that waits for nobody; those whose id is known already stay as they are. */
  insert(entries: readonly LedgerEntry[]): Promise<void>;
  /** Deletes up to `max` rows from before a time, and gives their number. */
  purge(beforeMs: number, max: number): Promise<number>;
};

/** So much older than the newest row of its path `last_at_ms` may be: it is not written for every row. */
const PATH_KNOWN_MS = 3_600_000;
const MAX_KNOWN_PATHS = 10_000;

/** Rows are known by their ids: servers need not wait for each other. */
const FREE = { lock: null } as const;

export function createLedgerStore(database: Database): LedgerStore {
  const insert = rowInsertion<LedgerTables>(database.engine, "usage", USAGE_COLUMNS, { ifNew: "id" });
  /** Paths that are in the database, with the time of a row that is. */
  const known = new Map<string, number>();
  return {
    async insert(entries) {
      const rows: (string | number | null)[][] = [];
      const paths = new Map<string, LedgerEntry>();
      for (const entry of entries) {
        rows.push(valuesOf(entry));
        const path = pathOf(entry.nodes);
        const knownUntil = (known.get(path) ?? Number.NEGATIVE_INFINITY) + PATH_KNOWN_MS;
        if (path !== "" && atMsOf(entry) > knownUntil) paths.set(path, entry);
      }
      await database.writeBehind<LedgerTables, void>(async (transaction) => {
        for (const entry of inOrder(paths)) await insertNodes(transaction, nodeRowsOf(entry));
        await insert(transaction, rows);
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
