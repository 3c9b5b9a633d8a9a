import { spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rgPath } from "@vscode/ripgrep";
import { createThread } from "../../apps/server/src/features/threads/changes.ts";
import { CommitQueue } from "../../apps/server/src/features/threads/commit-queue.ts";
import { readRecords } from "../../apps/server/src/features/threads/incoming-records.ts";
import { migrations, type ThreadTables } from "../../apps/server/src/features/threads/migrations.ts";
import { indexAll } from "../../apps/server/src/features/threads/search/indexer.ts";
import { searchThreads } from "../../apps/server/src/features/threads/search/searcher.ts";
import { openSqliteEngine } from "../../apps/server/src/features/threads/search/sqlite-engine.ts";
import type { VisibleThreads } from "../../apps/server/src/features/threads/visible-threads.ts";
import { openDatabase } from "../../apps/server/src/kit/database.ts";
import { OWNER } from "../../apps/server/src/kit/subject.ts";
import { median } from "../statistics.ts";
import { Corpus } from "./corpus.ts";
import { verdict } from "./live.ts";

const PER_THREAD = 500;
const SEARCHES = 40;
const SCANS = 3;
/** Before it is measured, with other words: a server that stays has been asked before. V8 compiles what is used much. */
const WARM_UP = 100;

/** A machine on which this does not suffice for all messages searches in those that it has. */
const MAX_INDEXING_MS = 4 * 60_000;
const PROGRESS_MS = 20_000;

/** A server's threads on SQLite: how fast they are indexed and searched, beside ripgrep over the same text as JSON lines. */
export async function benchSearch(messages: number): Promise<string[][]> {
  const directory = mkdtempSync(join(tmpdir(), "loom-search-bench-"));
  const orphaned = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", orphaned);
  try {
    return await measure(directory, messages);
  } finally {
    process.off("exit", orphaned);
    orphaned();
  }
}

async function measure(directory: string, messages: number): Promise<string[][]> {
  const file = join(directory, "server.sqlite");
  const database = await openDatabase({ file, migrations: [{ feature: "threads", migrations }] });
  const corpus = new Corpus(messages);
  const lines = join(directory, "corpus.jsonl");
  const { stored, ends } = await fill(database, corpus, lines, messages);
  const tables = async () => database.tables<ThreadTables>();
  const outputs = { read: async () => undefined };
  const engine = await openSqliteEngine(file);
  const indexStart = performance.now();
  const progress = setInterval(
    () => void engine.state().then(({ passages }) => console.log(`indexing: ${passages} messages`)),
    PROGRESS_MS,
  );
  await indexAll({ tables, engine, outputs }, AbortSignal.timeout(MAX_INDEXING_MS)).finally(() =>
    clearInterval(progress),
  );
  const indexing = (performance.now() - indexStart) / 1_000;
  const tidyStart = performance.now();
  await engine.tidy(() => false);
  const tidying = (performance.now() - tidyStart) / 1_000;
  // Each is one passage.
  const indexed = (await engine.state()).passages;
  const isWhole = indexed >= messages;
  const threads = Math.floor(indexed / PER_THREAD);
  if (!isWhole) truncateSync(lines, ends[threads] ?? 0);
  // Rare ones come in the first tenth, and again.
  const words = isWhole ? corpus : new Corpus(threads * PER_THREAD);
  const judged = (met: boolean): string => (isWhole ? verdict(met) : "fewer messages");
  // Everything: who may see what costs the same for each of them.
  const visible: VisibleThreads = (where) => where("thread.purged", "=", 0);
  const parts = { tables, engine, outputs, visible, now: Date.now };
  const rows = [
    ["corpus on SQLite", `${indexed} messages, ${megabytes(lines)} MB of JSON lines`, "", ""],
    ["stored", `${(messages / stored).toFixed(0)} messages a second`, "", ""],
    ["indexed", `${(indexed / indexing).toFixed(0)} messages a second`, "5000", verdict(indexed / indexing >= 5_000)],
    ["merged when nothing came any more", `${tidying.toFixed(1)} s`, "", ""],
    ["index", `${megabytes(join(directory, "thread-search.sqlite"))} MB`, "", ""],
  ];
  const search = async (query: string): Promise<void> => {
    const { hits } = await searchThreads(parts, OWNER, { query, limit: 20 });
    if (hits.length === 0) throw new Error(`Nothing was found for ${query}, which is there.`);
  };
  for (let n = 0; n < WARM_UP; n++) await search(words.word(n % 4 === 0 ? "common" : "rare", SEARCHES + n));
  for (const [kind, bar] of [
    ["rare", 50],
    ["common", 200],
  ] as const) {
    console.log(`searching: ${SEARCHES} ${kind} words, then ripgrep for ${SCANS} of them`);
    const times: number[] = [];
    for (let n = 0; n < SEARCHES; n++) {
      const query = words.word(kind, n);
      const from = performance.now();
      await search(query);
      times.push(performance.now() - from);
    }
    const p95 = times.toSorted((a, b) => a - b)[Math.floor(SEARCHES * 0.95)] ?? Number.NaN;
    const scan = median(Array.from({ length: SCANS }, (_, n) => ripgrep(words.word(kind, n), lines)));
    const ratio = scan / median(times);
    rows.push(
      [`a ${kind} word, p95`, `${p95.toFixed(1)} ms`, `${bar} ms`, judged(p95 <= bar)],
      [
        `a ${kind} word, median; ripgrep over it`,
        `${median(times).toFixed(1)} ms; ${ratio.toFixed(0)}x`,
        kind === "rare" ? "50x" : "",
        kind === "rare" ? judged(ratio >= 50) : "",
      ],
    );
  }
  await engine.close();
  await database.close();
  return rows;
}

type Opened = Awaited<ReturnType<typeof openDatabase>>;

/** `stored`: seconds, without making the text; `ends`: where in the file of lines each thread begins, and the end. */
async function fill(
  database: Opened,
  corpus: Corpus,
  lines: string,
  messages: number,
): Promise<{ readonly stored: number; readonly ends: readonly number[] }> {
  const queue = new CommitQueue(async () => database, Date.now);
  const out = createWriteStream(lines);
  const ends = [0];
  let storing = 0;
  for (let made = 0; made < messages; made += PER_THREAD) {
    const { id, records } = corpus.thread(made, Math.min(PER_THREAD, messages - made));
    const text = `${records.join("\n")}\n`;
    ends.push((ends.at(-1) ?? 0) + Buffer.byteLength(text));
    if (!out.write(text)) await new Promise((resolve) => out.once("drain", resolve));
    const from = performance.now();
    const thread = { id, owner: "owner", organization: null };
    const wish = { withRecords: false, now: Date.now() };
    await queue.commit((context) => createThread(context, thread, readRecords(records, id), wish));
    storing += performance.now() - from;
    if (made % (100 * PER_THREAD) === 0) console.log(`storing: ${made} messages`);
  }
  await new Promise<void>((resolve) => out.end(resolve));
  return { stored: storing / 1_000, ends };
}

/** Milliseconds of counting the lines with a word, with the file in the system's cache. */
function ripgrep(word: string, file: string): number {
  const from = performance.now();
  const { status, stderr } = spawnSync(
    rgPath,
    ["--count", "--ignore-case", "--word-regexp", "--fixed-strings", word, file],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`ripgrep found nothing or failed: ${stderr}`);
  return performance.now() - from;
}

function megabytes(file: string): string {
  return (statSync(file).size / 1_000_000).toFixed(0);
}
