import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import { nextTurn } from "../../kit/next-turn.ts";
import { rowInsertion } from "../../kit/row-insertion.ts";
import { type ChainSeal, isSealedBy } from "./chain-seal.ts";
import type { AuditChainRow, AuditTables } from "./migrations.ts";
import { RECORDED_COLUMNS, type Recorded } from "./recorded.ts";
import { hashAt, NO_HASH } from "./row-hash.ts";

export type ChainEnd = { readonly seq: number; readonly hash: string };

/** What is written to the tables of the audit log. Servers on one database make one chain: they take turns. */
export type ChainStore = {
  /**
   * All or none behind the last row; those whose id is there already are left out. Gives those that are new, and the
   * chain's end. May be done again until the database's `sync` has resolved. `isFirst`: none of them can be there, which
   * saves looking; where one is all the same, all fails.
   */
  append(
    events: readonly Recorded[],
    options?: { readonly isFirst?: boolean },
  ): Promise<{ readonly added: readonly Recorded[]; readonly end: ChainEnd }>;
  /** Removes up to `max` rows from the front that are older than a time, and gives which. */
  expire(beforeMs: number, options: { readonly max: number; readonly nowMs: number }): Promise<Expired>;
};

export type Expired = { readonly rows: number; readonly firstSeq: number; readonly lastSeq: number };

const LOCK = "audit";
export const CHAIN_ID = 1;

const COLUMNS = Object.fromEntries(
  ["seq", ...RECORDED_COLUMNS, "previous_hash", "hash"].map(
    (column) => [column, column === "seq" || column === "at_ms" ? "bigint" : "text"] as const,
  ),
);

/** Rows after which everything else of this process may go on: some milliseconds. */
const ROWS_PER_TURN = 128;

/** No clock that is right is ahead of ours by more. A row from further on must not hold up the removal of others. */
const MAX_CLOCK_SKEW_MS = 86_400_000;

export const GENESIS: AuditChainRow = {
  id: CHAIN_ID,
  head_seq: 0,
  head_hash: NO_HASH,
  anchor_seq: 0,
  anchor_hash: NO_HASH,
  key_id: null,
  signature: null,
};

export function createChainStore(
  database: Database,
  {
    seal,
    patienceMs = 0,
  }: {
    readonly seal: ChainSeal | undefined;
    /** How long it waits for another process's write on SQLite. */
    readonly patienceMs?: number;
  },
): ChainStore {
  const turn = { lock: LOCK, patienceMs };
  const insert = rowInsertion<AuditTables>(database.engine, "audit", COLUMNS);
  return {
    append: (events, { isFirst = false } = {}) =>
      database.writeBehind<AuditTables, { added: readonly Recorded[]; end: ChainEnd }>(async (transaction) => {
        const added = isFirst ? events : await unknownOf(transaction, events);
        const chain = await readChain(transaction);
        if (added.length === 0) return { added, end: headOf(chain) };
        let end = { seq: Math.max(chain.head_seq, await lastSeq(transaction)), hash: chain.head_hash };
        for (let start = 0; start < added.length; start += ROWS_PER_TURN) {
          if (start > 0) await nextTurn();
          const rows = added.slice(start, start + ROWS_PER_TURN).map(({ values, json }) => {
            const [seq, previousHash] = [end.seq + 1, end.hash];
            end = { seq, hash: hashAt({ seq, previousHash }, json) };
            return [seq, ...values, previousHash, end.hash];
          });
          await insert(transaction, rows);
        }
        await writeChain(transaction, chain, { head_seq: end.seq, head_hash: end.hash }, seal);
        return { added, end: { seq: end.seq, hash: end.hash } };
      }, turn),
    expire: (beforeMs, { max, nowMs }) =>
      database.writeBehind<AuditTables, Expired>(async (transaction) => {
        const chain = await readChain(transaction);
        // What stands in front of the anchor was put there by somebody else: it stays, as evidence.
        const rows = await transaction
          .selectFrom("audit")
          .select(["seq", "at_ms", "hash"])
          .where("seq", ">", chain.anchor_seq)
          .orderBy("seq")
          .limit(max)
          .execute();
        const isOld = ({ at_ms }: { readonly at_ms: number }): boolean =>
          at_ms < beforeMs || at_ms > nowMs + MAX_CLOCK_SKEW_MS;
        const firstToStay = rows.findIndex((row) => !isOld(row));
        const old = firstToStay === -1 ? rows : rows.slice(0, firstToStay);
        const [first, last] = [old[0], old.at(-1)];
        if (first === undefined || last === undefined) return { rows: 0, firstSeq: 0, lastSeq: 0 };
        await transaction
          .deleteFrom("audit")
          .where("seq", ">", chain.anchor_seq)
          .where("seq", "<=", last.seq)
          .execute();
        await writeChain(transaction, chain, { anchor_seq: last.seq, anchor_hash: last.hash }, seal);
        return { rows: old.length, firstSeq: first.seq, lastSeq: last.seq };
      }, turn),
  };
}

export async function readChain(db: Kysely<AuditTables>): Promise<AuditChainRow> {
  return (await db.selectFrom("audit_chain").selectAll().where("id", "=", CHAIN_ID).executeTakeFirst()) ?? GENESIS;
}

/** Signs the chain as it is, whoever has been at it. For an operator who has looked at it. */
export function sealChain(database: Database, seal: ChainSeal): Promise<void> {
  return database.write<AuditTables, void>(
    async (transaction) => {
      const row = await readChain(transaction);
      const sealed = { ...row, key_id: seal.keyId, signature: seal.sign(row) };
      await transaction
        .insertInto("audit_chain")
        .values(sealed)
        .onConflict((conflict) => conflict.column("id").doUpdateSet(sealed))
        .execute();
    },
    { lock: LOCK },
  );
}

/**
 * What was not signed by us before is not signed afterwards: else the next event would make a change good that somebody
 * has made without the key.
 */
async function writeChain(
  db: Kysely<AuditTables>,
  before: AuditChainRow,
  change: Partial<AuditChainRow>,
  seal: ChainSeal | undefined,
): Promise<void> {
  const changed = { ...before, ...change };
  const isOurs = seal !== undefined && (before.head_seq === 0 || isSealedBy(seal, before));
  const row = isOurs ? { ...changed, key_id: seal.keyId, signature: seal.sign(changed) } : changed;
  await db
    .insertInto("audit_chain")
    .values(row)
    .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
    .execute();
}

/** What is told again may stand beside what was told before. */
async function unknownOf(db: Kysely<AuditTables>, events: readonly Recorded[]): Promise<readonly Recorded[]> {
  const ids = events.map(({ entry }) => entry.id);
  const rows = await db.selectFrom("audit").select("id").where("id", "in", ids).execute();
  const known = new Set(rows.map(({ id }) => id));
  return events.filter(({ entry }) => !known.has(entry.id) && known.add(entry.id));
}

/** More than the chain's end says where somebody has put rows there. */
async function lastSeq(db: Kysely<AuditTables>): Promise<number> {
  const row = await db.selectFrom("audit").select("seq").orderBy("seq", "desc").limit(1).executeTakeFirst();
  return row?.seq ?? 0;
}

function headOf({ head_seq, head_hash }: AuditChainRow): ChainEnd {
  return { seq: head_seq, hash: head_hash };
}
