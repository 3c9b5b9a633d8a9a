import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { ThreadId } from "@loom/core";
import type { ThreadRecord } from "../record.ts";
import { MAX_OUTPUT_BYTES, searchableText } from "../searchable-text.ts";
import { type OutputSource, restoreOutputs } from "../stored-outputs.ts";
import { indexTerms } from "../text/terms.ts";
import { addToFacts, factsOf, factsText, type ThreadFacts } from "../thread-facts.ts";
import { readLines, recordIn } from "../thread-lines.ts";
import { checkHeader } from "../thread-reader.ts";
import { anchorAt } from "./anchor.ts";
import { hearOutputs } from "./heard-outputs.ts";
import { awaitOutput } from "./late-outputs.ts";

/** What was read of a thread, and up to where. */
type Reading = {
  readonly key: number;
  readonly position: number;
  readonly facts: ThreadFacts | undefined;
  readonly damaged: readonly number[];
};

/** The thread's title, tags, branch, remote and commits: found like something that was said. */
const FACTS_ROLE = "title";

/**
 * Brings the index up to what a thread's file holds now; only what was appended is read. A file that was rewritten is
 * read anew. To be called within a transaction. @throws ThreadError where the file is no thread; Node's own errors.
 */
export function readIntoIndex(database: DatabaseSync, id: ThreadId, file: string, outputs: OutputSource): void {
  const stat = statSync(file);
  const reading = startReading(database, id, file, stat.size);
  const { key } = reading;
  let { facts, position } = reading;
  const damaged = [...reading.damaged];
  const addEntry = entryWriter(database, key);
  const addCommit = database.prepare("INSERT OR IGNORE INTO commit_of (sha, thread, at) VALUES (?, ?, ?)");
  const before = facts;
  for (const { position: start, bytes } of readLines(file, position)) {
    const record = recordIn(bytes);
    position = start + bytes.length + 1;
    if (facts === undefined) {
      facts = factsOf(checkHeader(file, record));
      continue;
    }
    const heard = hearOutputs(outputs);
    const said = record === undefined ? undefined : readRecord(record, facts, heard);
    facts = said?.facts ?? addToFacts(facts, "unknown");
    if (said === undefined) damaged.push(facts.version);
    for (const { sha, at } of said?.commits ?? []) addCommit.run(sha, key, at);
    if (said?.entry === undefined) continue;
    const { role, text, at } = said.entry;
    const entry = addEntry({ turn: facts.turns, role, at, position: start, length: bytes.length }, text);
    for (const sha256 of heard.unread) awaitOutput(database, { sha256, entry, thread: key });
  }
  // Not even a header yet: a thread that is just being made.
  if (facts === undefined) return;
  if (facts !== before) writeFactsEntry(database, key, facts, addEntry);
  saveReading(database, { key, position, facts, damaged }, { file, ...stat });
}

/** What one record adds; `undefined` where it is damaged. */
function readRecord(record: ThreadRecord | "unknown", facts: ThreadFacts, outputs: OutputSource) {
  if (record === "unknown") return { facts: addToFacts(facts, record), commits: [], entry: undefined };
  if (record.type === "thread") return undefined;
  try {
    const said = searchableText(restoreOutputs(record, outputs, MAX_OUTPUT_BYTES));
    return {
      facts: addToFacts(facts, record),
      commits: commitsIn(record),
      entry: said && { ...said, at: record.at },
    };
  } catch {
    return undefined;
  }
}

function commitsIn(record: ThreadRecord): readonly { readonly sha: string; readonly at: string }[] {
  if (record.type === "commit") return [{ sha: record.sha, at: record.at }];
  return record.type === "git" && record.commit !== undefined ? [{ sha: record.commit, at: record.at }] : [];
}

/** Where to go on; a new thread, or one whose file is not what it was, begins anew. */
function startReading(database: DatabaseSync, id: ThreadId, file: string, size: number): Reading {
  const row = database.prepare("SELECT key, position, anchor, damaged, facts FROM thread WHERE id = ?").get(id);
  if (row === undefined) {
    const { key } = database.prepare("SELECT coalesce(max(key), 0) + 1 AS key FROM thread").get() ?? {};
    return { key: Number(key), position: 0, facts: undefined, damaged: [] };
  }
  const key = Number(row.key);
  const position = Number(row.position);
  if (position <= size && anchorAt(file, position) === row.anchor) {
    return { key, position, facts: JSON.parse(String(row.facts)), damaged: JSON.parse(String(row.damaged)) };
  }
  forgetThread(database, key);
  return { key, position: 0, facts: undefined, damaged: [] };
}

/** Takes a thread out of the index. */
export function forgetThread(database: DatabaseSync, key: number): void {
  database.prepare("DELETE FROM entry_text WHERE rowid IN (SELECT key FROM entry WHERE thread = ?)").run(key);
  for (const table of ["entry", "awaited", "commit_of"])
    database.prepare(`DELETE FROM ${table} WHERE thread = ?`).run(key);
  database.prepare("DELETE FROM thread WHERE key = ?").run(key);
}

type Entry = {
  readonly turn: number;
  readonly role: string;
  readonly at: string;
  readonly position: number;
  readonly length: number;
};

function entryWriter(database: DatabaseSync, thread: number): (entry: Entry, text: string) => number {
  const insert = database.prepare(
    "INSERT INTO entry (thread, turn, role, at, position, length) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const insertText = database.prepare("INSERT INTO entry_text (rowid, body, names) VALUES (?, ?, ?)");
  return ({ turn, role, at, position, length }, text) => {
    const { body, names } = indexTerms(text);
    const { lastInsertRowid } = insert.run(thread, turn, role, at, position, length);
    insertText.run(lastInsertRowid, body, names);
    return Number(lastInsertRowid);
  };
}

function writeFactsEntry(
  database: DatabaseSync,
  key: number,
  facts: ThreadFacts,
  addEntry: (entry: Entry, text: string) => number,
): void {
  database
    .prepare("DELETE FROM entry_text WHERE rowid IN (SELECT key FROM entry WHERE thread = ? AND role = ?)")
    .run(key, FACTS_ROLE);
  database.prepare("DELETE FROM entry WHERE thread = ? AND role = ?").run(key, FACTS_ROLE);
  addEntry({ turn: 0, role: FACTS_ROLE, at: facts.updatedAt, position: 0, length: 0 }, factsText(facts));
}

type FileState = { readonly file: string; readonly size: number; readonly mtimeMs: number; readonly ino: number };

function saveReading(
  database: DatabaseSync,
  { key, position, facts, damaged }: Reading & { readonly facts: ThreadFacts },
  { file, size, mtimeMs, ino }: FileState,
): void {
  database
    .prepare(
      `INSERT OR REPLACE INTO thread (key, id, size, modified_ms, inode, position, anchor, damaged, facts, updated_at,
         workspace, remote, visibility, pinned, private, deleted, tags, models)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      key,
      facts.id,
      size,
      mtimeMs,
      ino,
      position,
      anchorAt(file, position),
      JSON.stringify(damaged),
      JSON.stringify(facts),
      facts.updatedAt,
      facts.workspace,
      facts.git.remote ?? null,
      facts.visibility,
      Number(facts.pinned),
      Number(facts.private),
      Number(facts.deletedAt !== undefined),
      JSON.stringify(facts.tags),
      JSON.stringify(facts.models),
    );
}
