import type { DatabaseSync } from "node:sqlite";
import type { OutputStore } from "../output-store.ts";
import { indexTerms } from "../text/terms.ts";
import { hearOutputs } from "./heard-outputs.ts";
import { inTransaction } from "./index-file.ts";
import { type EntrySources, textOfEntry } from "./text-of-entry.ts";

/** Remembers that an entry lacks an output, or one that cannot be read. */
export function awaitOutput(
  database: DatabaseSync,
  { sha256, entry, thread }: { readonly sha256: string; readonly entry: number; readonly thread: number },
): void {
  database.prepare("INSERT OR IGNORE INTO awaited (sha256, entry, thread) VALUES (?, ?, ?)").run(sha256, entry, thread);
}

/**
 * Puts the text of outputs into the index that have come after the records that refer to them were read. What cannot be
 * read now is awaited on.
 */
export function readLateOutputs(
  database: DatabaseSync,
  { fileOf, outputs }: EntrySources & { readonly outputs: OutputStore },
): void {
  const came = awaitedOf(database, outputs);
  if (came.length === 0) return;
  const entriesOf = database.prepare(
    `SELECT entry.key, thread.id, entry.position, entry.length
     FROM awaited JOIN entry ON entry.key = awaited.entry JOIN thread ON thread.key = entry.thread
     WHERE awaited.sha256 = ?`,
  );
  const rewrite = database.prepare("INSERT OR REPLACE INTO entry_text (rowid, body, names) VALUES (?, ?, ?)");
  const forget = database.prepare("DELETE FROM awaited WHERE sha256 = ? AND entry = ?");
  for (const sha256 of came) {
    inTransaction(database, () => {
      for (const { key = null, ...entry } of entriesOf.all(sha256)) {
        const heard = hearOutputs(outputs);
        const text = textOfEntry(entry, { fileOf, outputs: heard });
        // Where the file has become another meanwhile, it is read anew, and its entries are awaited no more.
        if (text === undefined || heard.unread.has(sha256)) continue;
        const { body, names } = indexTerms(text);
        rewrite.run(key, body, names);
        forget.run(sha256, key);
      }
    });
  }
}

function awaitedOf(database: DatabaseSync, outputs: OutputStore): string[] {
  const rows = database.prepare("SELECT DISTINCT sha256 FROM awaited").all();
  return rows.map(({ sha256 }) => String(sha256)).filter((sha256) => outputs.has(sha256));
}
