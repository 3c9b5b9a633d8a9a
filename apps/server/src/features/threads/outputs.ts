import { hash } from "node:crypto";
import type { Kysely } from "kysely";
import type { Database } from "../../kit/database.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { presentThread, update } from "./changes.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { ThreadTables } from "./migrations.ts";

/** Bytes of one row: rows are copied and backed up by the hundred. */
const PART_BYTES = 128 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;

/** The long outputs that records refer to by their SHA-256. Whoever may read a thread may read what was put into it, and no other. */
export type OutputService = {
  /** To put it twice is the same as once. @throws ProblemError where the content is another than it should be. */
  put(id: string, sha256: string, content: Uint8Array): Promise<void>;
  get(id: string, sha256: string): Promise<Buffer>;
  /** At most the first `maxBytes`; `undefined` where the thread does not have it. */
  read(key: number, sha256: string, maxBytes: number): Promise<Buffer | undefined>;
  missing(id: string, sha256s: readonly string[]): Promise<string[]>;
};

export function createOutputService(database: () => Promise<Database>, queue: CommitQueue): OutputService {
  const tables = async (): Promise<Kysely<ThreadTables>> => (await database()).tables<ThreadTables>();
  async function read(key: number, sha256: string, maxBytes: number): Promise<Buffer | undefined> {
    const db = await tables();
    const parts = await db
      .selectFrom("thread_output")
      .innerJoin("thread_output_part", "thread_output_part.sha256", "thread_output.sha256")
      .select(["part", "content"])
      .where("thread_output.thread_key", "=", key)
      .where("thread_output.sha256", "=", sha256)
      .where("part", "<", Math.ceil(maxBytes / PART_BYTES))
      .orderBy("part")
      .execute();
    return parts.length === 0 ? undefined : Buffer.concat(parts.map(({ content }) => content)).subarray(0, maxBytes);
  }
  return {
    read,
    async put(id, sha256, content) {
      checkName(sha256);
      if (content.length === 0) throw wrongFields([{ field: "", message: "is empty" }]);
      if (hash("sha256", content) !== sha256) {
        throw wrongFields([{ field: "sha256", message: "is not the SHA-256 of the body" }]);
      }
      await queue.commit(async (context) => {
        const { db } = context;
        const thread = await presentThread(db, id);
        const { key } = thread;
        const known = await db
          .selectFrom("thread_output_part")
          .select("part")
          .where("sha256", "=", sha256)
          .limit(1)
          .executeTakeFirst();
        await db
          .insertInto("thread_output")
          .values({ thread_key: key, sha256 })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        // What searches for text looks again.
        await update(context, thread, {});
        if (known !== undefined) return;
        for (let part = 0; part * PART_BYTES < content.length; part++) {
          const piece = content.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
          await db
            .insertInto("thread_output_part")
            .values({ sha256, part, bytes: piece.length, content: piece })
            .execute();
        }
      });
    },
    async get(id, sha256) {
      checkName(sha256);
      const { key } = await presentThread(await tables(), id);
      const content = await read(key, sha256, Number.MAX_SAFE_INTEGER);
      if (content === undefined) throw new ProblemError("not_found", "The thread has no such output.");
      return content;
    },
    async missing(id, sha256s) {
      const db = await tables();
      const { key } = await presentThread(db, id);
      if (sha256s.length === 0) return [];
      const rows = await db
        .selectFrom("thread_output")
        .select("sha256")
        .where("thread_key", "=", key)
        .where("sha256", "in", [...sha256s])
        .execute();
      const here = new Set(rows.map(({ sha256 }) => sha256));
      return [...new Set(sha256s)].filter((sha256) => !here.has(sha256));
    },
  };
}

function checkName(sha256: string): void {
  if (!SHA256.test(sha256)) throw wrongFields([{ field: "sha256", message: "must be 64 hexadecimal digits" }]);
}
