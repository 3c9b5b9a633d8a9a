import { closeSync, openSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** Overwrites where the trees of these tables and of their indexes begin, or all but the first pages. */
export function damage(file: string, tables: readonly string[] | "all"): void {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const { page_size: size } = database.prepare("PRAGMA page_size").get() as { page_size: number };
  const { page_count: count } = database.prepare("PRAGMA page_count").get() as { page_count: number };
  const roots = database.prepare("SELECT tbl_name AS name, rootpage FROM sqlite_schema WHERE rootpage > 0").all();
  database.close();
  const pages =
    tables === "all"
      ? Array.from({ length: count - 2 }, (_, index) => index + 3)
      : roots.filter(({ name }) => tables.includes(String(name))).map(({ rootpage }) => Number(rootpage));
  const descriptor = openSync(file, "r+");
  for (const page of pages) writeSync(descriptor, Buffer.alloc(size, 0xa5), 0, size, (page - 1) * size);
  closeSync(descriptor);
}
