import { isUtf8 } from "node:buffer";
import type { ThreadExportFormat } from "@loom/api";
import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import { page } from "../../kit/html.ts";
import type { ThreadTables } from "./migrations.ts";
import type { OutputService } from "./outputs.ts";
import type { ThreadStore } from "./store.ts";
import { chunksFrom } from "./stored-records.ts";
import { threadBody, titleOf } from "./thread-html.ts";
import { threadJson } from "./thread-json.ts";
import { threadMarkdown } from "./thread-markdown.ts";
import type { ThreadRow } from "./thread-row.ts";
import { checkSize, messagesIn } from "./told-thread.ts";

/** A thread as one document. */
export type DocumentService = {
  /** `standalone`: to be kept as a file; else a page of this server's. @throws ProblemError where the thread is too large */
  document(row: ThreadRow, format: ThreadExportFormat, options: { readonly standalone: boolean }): Promise<string>;
};

export const DOCUMENT_TYPES: Readonly<Record<ThreadExportFormat, string>> = {
  json: "application/json",
  markdown: "text/markdown; charset=utf-8",
  html: "text/html; charset=utf-8",
};

/** Long outputs in one document, in bytes. */
const MAX_OUTPUTS = 64 * 1024 * 1024;

export function createDocumentService(
  database: () => Promise<Database>,
  store: ThreadStore,
  outputs: OutputService,
): DocumentService {
  return {
    async document(row, format, { standalone }) {
      checkSize(row);
      const db = (await database()).tables<ThreadTables>();
      const info = await store.infoOf(row);
      if (format === "json") return threadJson(info, await allRecords(db, row), await allOutputs(db, row, outputs));
      const told = { info, messages: await messagesIn(db, row, outputs) };
      if (format === "markdown") return threadMarkdown(told);
      return page({ title: titleOf(told), body: threadBody(told), wide: true, standalone });
    },
  };
}

async function allRecords(db: Kysely<ThreadTables>, { key }: ThreadRow): Promise<string[]> {
  const texts: string[] = [];
  for await (const { records } of chunksFrom(db, key, 0)) texts.push(...records.split("\n"));
  return texts;
}

async function allOutputs(db: Kysely<ThreadTables>, { key }: ThreadRow, outputs: OutputService) {
  const names = await db.selectFrom("thread_output").select("sha256").where("thread_key", "=", key).execute();
  const found: Record<string, string> = {};
  let bytes = 0;
  for (const { sha256 } of names) {
    const content = await outputs.read(key, sha256, MAX_OUTPUTS - bytes);
    if (content === undefined || !isUtf8(content)) continue;
    bytes += content.length;
    if (bytes >= MAX_OUTPUTS) break;
    found[sha256] = content.toString("utf8");
  }
  return found;
}
