import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import { type ChainSeal, isSealedBy } from "./chain-seal.ts";
import { type ChainEnd, readChain } from "./chain-store.ts";
import type { AuditChainRow, AuditRow, AuditTables } from "./migrations.ts";
import { hashOfRow } from "./row-hash.ts";

export type ChainReport = {
  readonly rows: number;
  readonly firstSeq: number;
  readonly head: ChainEnd;
  /** Whether the ends of the chain carry a signature of the given key. */
  readonly sealed: boolean;
  /** Whole sentences, in the order of the rows; at most 20. */
  readonly problems: readonly string[];
  readonly moreProblems: number;
};

export type VerifyOptions = {
  readonly seal: ChainSeal | undefined;
  /** Ends that the chain is known to have had: what a data directory or another system remembers. */
  readonly remembered?: readonly (ChainEnd & { readonly by: string })[];
};

const BATCH_ROWS = 1_000;
const MAX_PROBLEMS = 20;

/** Walks the whole chain, oldest row first, in one state of the database. */
export function verifyChain(database: Database, { seal, remembered = [] }: VerifyOptions): Promise<ChainReport> {
  return database.snapshot<AuditTables, ChainReport>(async (view) => {
    const chain = await readChain(view);
    const problems = new Problems();
    checkSeal(chain, seal, problems);
    const wanted = new Map(remembered.map((end) => [end.seq, end]));
    let previous: ChainEnd = { seq: chain.anchor_seq, hash: chain.anchor_hash };
    let rows = 0;
    let firstSeq = 0;
    for await (const row of allRows(view)) {
      if (rows === 0) firstSeq = row.seq;
      rows += 1;
      checkRow(row, previous, problems);
      if (row.seq === chain.head_seq + 1) problems.add(`Row ${row.seq} was added behind the end of the chain.`);
      if (row.seq === chain.head_seq && row.hash !== chain.head_hash) {
        problems.add(`Row ${row.seq} is not the one that the end of the chain names: it was replaced.`);
      }
      checkRemembered(row, wanted.get(row.seq), problems);
      previous = { seq: row.seq, hash: row.hash };
    }
    if (previous.seq < chain.head_seq) {
      problems.add(`Rows ${rangeOf(previous.seq + 1, chain.head_seq)} are missing at the end: they were cut off.`);
    }
    for (const end of remembered) {
      if (end.seq <= Math.max(previous.seq, chain.head_seq)) continue;
      problems.add(
        `The chain ends at row ${previous.seq}, but ${end.by} remembers row ${end.seq}: its end was cut off, or an older backup was restored.`,
      );
    }
    return {
      rows,
      firstSeq,
      head: { seq: chain.head_seq, hash: chain.head_hash },
      sealed: seal !== undefined && isSealedBy(seal, chain),
      problems: problems.first,
      moreProblems: problems.more,
    };
  });
}

async function* allRows(view: Kysely<AuditTables>): AsyncGenerator<AuditRow> {
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const batch = await view
      .selectFrom("audit")
      .selectAll()
      .where("seq", ">", after)
      .orderBy("seq")
      .limit(BATCH_ROWS)
      .execute();
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined || batch.length < BATCH_ROWS) return;
    after = last.seq;
  }
}

function checkSeal(chain: AuditChainRow, seal: ChainSeal | undefined, problems: Problems): void {
  if (chain.head_seq === 0) return;
  if (seal === undefined || isSealedBy(seal, chain)) return;
  if (chain.key_id === null) {
    problems.add(
      "The ends of the chain are not signed: rows were written without the key, or the signature was taken away.",
    );
  } else if (chain.key_id !== seal.keyId) {
    problems.add(`The ends of the chain are signed with another key (${chain.key_id}, not ${seal.keyId}).`);
  } else
    problems.add("The ends of the chain do not fit their signature: they were changed by somebody without the key.");
}

function checkRow(row: AuditRow, previous: ChainEnd, problems: Problems): void {
  const expected = previous.seq + 1;
  if (row.seq < expected) problems.add(`Row ${row.seq} was added in front of the chain.`);
  else if (row.seq > expected) problems.add(`Rows ${rangeOf(expected, row.seq - 1)} are missing: they were removed.`);
  else if (row.previous_hash !== previous.hash) {
    problems.add(`Row ${row.seq} does not follow the row before it: one of them was replaced or added.`);
  }
  if (hashOfRow(row) !== row.hash) problems.add(`Row ${row.seq} (${row.id}) was changed: its hash does not fit.`);
}

function checkRemembered(row: AuditRow, end: (ChainEnd & { readonly by: string }) | undefined, problems: Problems) {
  if (end === undefined || end.hash === row.hash) return;
  problems.add(`Row ${row.seq} is not the one that ${end.by} remembers: the chain was written anew.`);
}

function rangeOf(from: number, to: number): string {
  return from === to ? String(from) : `${from} to ${to}`;
}

class Problems {
  readonly first: string[] = [];
  more = 0;

  add(sentence: string): void {
    if (this.first.length < MAX_PROBLEMS) this.first.push(sentence);
    else this.more += 1;
  }
}
