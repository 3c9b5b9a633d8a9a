import type { IndexBatch, PassagePiece } from "./index-types.ts";

type Question =
  | { readonly type: "rows"; readonly sql: string; readonly parameters: readonly (string | number | null)[] }
  /** A batch comes in pieces, one transaction in all: between two of them, others have a turn. */
  | ({ readonly type: "begin" } & Pick<IndexBatch, "revision" | "dropped" | "droppedPassages">)
  | ({ readonly type: "passages" } & PassagePiece)
  | ({ readonly type: "commit" } & Pick<IndexBatch, "state" | "threads" | "frequencies">)
  | { readonly type: "merge" }
  | { readonly type: "close" };

export type WorkerQuestion = Question & { readonly id: number };
export type WorkerAnswer = {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
  readonly errcode?: unknown;
};
export type WorkerFiles = { readonly index: string; readonly threads: string; readonly version: number };

/**
 * What runs in the thread beside: it is handed over as text, so it may use nothing from outside of itself. One connection
 * writes the index; another reads it together with the threads' tables, and cannot write.
 */
export function runIndexWorker(): void {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { chmodSync, closeSync, openSync, rmSync } = process.getBuiltinModule("node:fs");
  const files = workerData as WorkerFiles;

  // A batch becomes one segment, and nothing is merged while it is written: that is done afterwards, when sixteen have
  // come together. There is no index of beginnings: it costs as much as the words themselves, and is used for beginnings of
  // just its length alone.
  const OPTIONS = `
    INSERT INTO search_text (search_text, rank) VALUES ('hashsize', ${32 * 1024 * 1024});
    INSERT INTO search_text (search_text, rank) VALUES ('automerge', 0);
    INSERT INTO search_text (search_text, rank) VALUES ('usermerge', 16);
    INSERT INTO search_text (search_text, rank) VALUES ('crisismerge', 1000);`;
  const TABLES = `
    CREATE TABLE IF NOT EXISTS search_state (
      only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL, passages INTEGER NOT NULL,
      terms INTEGER NOT NULL, next_key INTEGER NOT NULL, change INTEGER NOT NULL);
    INSERT OR IGNORE INTO search_state VALUES (1, 0, 0, 0, 1, 0);
    CREATE TABLE IF NOT EXISTS search_thread (
      key INTEGER PRIMARY KEY, id TEXT NOT NULL, generation INTEGER NOT NULL, version INTEGER NOT NULL,
      digest TEXT NOT NULL, messages INTEGER NOT NULL, turns INTEGER NOT NULL, title_key INTEGER, title TEXT NOT NULL, waiting TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS search_passage (
      key INTEGER PRIMARY KEY, thread INTEGER NOT NULL, record INTEGER NOT NULL, turn INTEGER NOT NULL,
      role TEXT NOT NULL, at TEXT NOT NULL, at_ms INTEGER NOT NULL, length INTEGER NOT NULL, repeats TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS search_passage_thread ON search_passage (thread);
    CREATE TABLE IF NOT EXISTS search_frequency (term TEXT PRIMARY KEY, passages INTEGER NOT NULL) WITHOUT ROWID;
    CREATE VIRTUAL TABLE IF NOT EXISTS search_text USING fts5
      (body, names, content = '', contentless_delete = 1, tokenize = 'ascii');
    ${OPTIONS}
    PRAGMA user_version = ${files.version};`;

  function open() {
    // SQLite would make it readable for everybody; its side files take over the mode that it has.
    closeSync(openSync(files.index, "a", 0o600));
    chmodSync(files.index, 0o600);
    const opened = new DatabaseSync(files.index, { timeout: 5_000 });
    try {
      opened.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16000",
      );
      const version = opened.prepare("PRAGMA user_version").get()?.user_version;
      if (version !== 0 && version !== files.version) throw new Error("another version");
      opened.exec(TABLES);
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  function openAnew() {
    try {
      return open();
    } catch {
      // Damaged, or of another version: it is derived, and made again.
      for (const suffix of ["", "-wal", "-shm"]) rmSync(files.index + suffix, { force: true });
      return open();
    }
  }

  const writer = openAnew();
  const reader = new DatabaseSync(files.index, { timeout: 5_000 });
  reader.exec("PRAGMA cache_size = -65536");
  reader.prepare("ATTACH ? AS server").run(files.threads);
  reader.exec("PRAGMA query_only = ON");

  const prepared = new Map<string, ReturnType<typeof reader.prepare>>();
  function statement(sql: string) {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    if (prepared.size >= 50) prepared.clear();
    const made = reader.prepare(sql);
    prepared.set(sql, made);
    return made;
  }

  const revisionNow = writer.prepare("SELECT revision FROM search_state");
  const saveState = writer.prepare(
    "UPDATE search_state SET revision = revision + 1, passages = ?, terms = ?, next_key = ?, change = ?",
  );
  const textsOf = writer.prepare(
    "DELETE FROM search_text WHERE rowid IN (SELECT key FROM search_passage WHERE thread = ?)",
  );
  const passagesOf = writer.prepare("DELETE FROM search_passage WHERE thread = ?");
  const dropThread = writer.prepare("DELETE FROM search_thread WHERE key = ?");
  const dropText = writer.prepare("DELETE FROM search_text WHERE rowid = ?");
  const dropPassage = writer.prepare("DELETE FROM search_passage WHERE key = ?");
  const addText = writer.prepare(
    "INSERT INTO search_text (rowid, body, names) VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT))",
  );
  const addPassage = writer.prepare("INSERT INTO search_passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))");
  const addThread = writer.prepare("INSERT OR REPLACE INTO search_thread VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const addFrequency = writer.prepare(
    "INSERT INTO search_frequency VALUES (?, ?) ON CONFLICT (term) DO UPDATE SET passages = passages + excluded.passages",
  );

  const mergePages = writer.prepare("INSERT INTO search_text (search_text, rank) VALUES ('merge', 500)");
  const changes = writer.prepare("SELECT total_changes() AS changes");

  function begin({ revision, dropped, droppedPassages }: Extract<Question, { type: "begin" }>): boolean {
    // Whoever began before has given up.
    rollBack();
    writer.exec("BEGIN IMMEDIATE");
    if (revisionNow.get()?.revision !== revision) {
      rollBack();
      return false;
    }
    for (const key of dropped) {
      textsOf.run(key);
      passagesOf.run(key);
      dropThread.run(key);
    }
    for (const key of droppedPassages) {
      dropText.run(key);
      dropPassage.run(key);
    }
    return true;
  }

  function add({ passages, bytes }: PassagePiece): void {
    if (!writer.isTransaction) throw new Error("nothing was begun");
    for (const each of passages) {
      addPassage.run(
        each.key,
        each.thread,
        each.record,
        each.turn,
        each.role,
        each.at,
        each.atMs,
        each.length,
        bytes.subarray(each.repeats, each.end),
      );
      addText.run(each.key, bytes.subarray(each.body, each.names), bytes.subarray(each.names, each.repeats));
    }
  }

  function commit({ threads, frequencies, state }: Extract<Question, { type: "commit" }>): void {
    if (!writer.isTransaction) throw new Error("nothing was begun");
    for (const each of threads) {
      addThread.run(
        each.key,
        each.id,
        each.generation,
        each.version,
        each.digest,
        each.messages,
        each.turns,
        each.titleKey,
        each.title,
        each.waiting,
      );
    }
    for (const [term, passages] of frequencies) addFrequency.run(term, passages);
    saveState.run(state.passages, state.terms, state.nextKey, state.change);
    writer.exec("COMMIT");
  }

  /** Some of what there is to merge; false where there is nothing more, or something else is being written. */
  function merge(): boolean {
    if (writer.isTransaction) return false;
    const before = changes.get()?.changes;
    mergePages.run();
    // Where there was something to do, it has changed two rows or more.
    return Number(changes.get()?.changes) - Number(before) >= 2;
  }

  function rollBack(): void {
    if (writer.isTransaction) writer.exec("ROLLBACK");
  }

  function answerTo(question: Question): unknown {
    switch (question.type) {
      case "rows":
        return statement(question.sql).all(...question.parameters);
      case "begin":
        return begin(question);
      case "passages":
        return add(question);
      case "commit":
        return commit(question);
      case "merge":
        return merge();
      default:
        reader.close();
        writer.close();
        return parentPort?.close();
    }
  }

  parentPort?.on("message", (question: WorkerQuestion) => {
    try {
      parentPort.postMessage({ id: question.id, value: answerTo(question) });
    } catch (error) {
      if (question.type !== "rows") rollBack();
      const errcode = error instanceof Error && "errcode" in error ? error.errcode : undefined;
      parentPort.postMessage({ id: question.id, error: String(error), errcode });
    }
  });
}
