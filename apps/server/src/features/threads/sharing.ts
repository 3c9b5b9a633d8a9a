import { hash, randomBytes } from "node:crypto";
import type { SupportAccess, ThreadShare } from "@loom/api";
import type { ThreadId } from "@loom/core";
import type { Kysely, Selectable } from "kysely";
import type { Database } from "../../kit/database.ts";
import { ProblemError, wrongFields } from "../../kit/problem-reply.ts";
import { presentThread, update } from "./changes.ts";
import type { ChangeContext, CommitQueue } from "./commit-queue.ts";
import type { ThreadTables } from "./migrations.ts";
import type { ThreadRow } from "./thread-row.ts";

const TOKEN_BYTES = 24;
const TOKEN = /^[0-9a-f]{48}$/;
const SUPPORT_DAYS = 31;
const DAY_MS = 86_400_000;
/** Void links of a thread that are remembered, so that who follows one is told what has become of it. */
const MAX_VOID_LINKS = 20;

/** What a link leads to. */
export type SharedThread =
  | { readonly state: "open"; readonly thread: ThreadRow }
  | { readonly state: "revoked" | "expired" | "unknown" };

/** Links by which anybody can read a thread, one a thread, and the support's access. */
export type SharingService = {
  share(id: string, expiresAt?: string): Promise<ThreadShare>;
  /** Says whether there was a link. */
  unshare(id: string): Promise<boolean>;
  shared(token: string): Promise<SharedThread>;
  supportAccess(id: string): Promise<SupportAccess>;
  request(id: string, by: string, reason: string): Promise<SupportAccess>;
  /** @throws ProblemError where nobody has asked. */
  approve(id: string): Promise<SupportAccess>;
  revoke(id: string): Promise<SupportAccess>;
};

type AccessRow = Selectable<ThreadTables["thread_support_access"]>;

export function createSharingService(
  database: () => Promise<Database>,
  queue: CommitQueue,
  now: () => number,
): SharingService {
  const tables = async (): Promise<Kysely<ThreadTables>> => (await database()).tables<ThreadTables>();
  const time = (): string => new Date(now()).toISOString();
  const changing = <Result>(id: string, work: (context: ChangeContext, row: ThreadRow) => Promise<Result>) =>
    queue.commit(async (context) => work(context, await presentThread(context.db, id)));
  const voidLinks = async ({ db }: ChangeContext, key: number): Promise<boolean> => {
    const voided = await db
      .updateTable("thread_share")
      .set({ revoked_at: time() })
      .where("thread_key", "=", key)
      .where("revoked_at", "is", null)
      .executeTakeFirst();
    return voided.numUpdatedRows > 0n;
  };
  return {
    async share(id, expiresAt) {
      if (expiresAt !== undefined && Date.parse(expiresAt) <= now()) {
        throw wrongFields([{ field: "expiresAt", message: "is over already" }]);
      }
      const token = randomBytes(TOKEN_BYTES).toString("hex");
      const expiry = expiresAt === undefined ? null : new Date(expiresAt).toISOString();
      return changing(id, async (context, row) => {
        if (row.deleted_at !== null) throw new ProblemError("invalid_input", "The thread is in the trash.");
        const { db } = context;
        await voidLinks(context, row.key);
        await forgetOldLinks(db, row.key);
        await db
          .insertInto("thread_share")
          .values({
            token_hash: hashOf(token),
            thread_key: row.key,
            created_at: time(),
            expires_at: expiry,
            revoked_at: null,
          })
          .execute();
        await update(context, row, { revision: row.revision + 1 });
        return { token, path: `/share/${token}`, expiresAt: expiry };
      });
    },
    unshare: (id) =>
      changing(id, async (context, row) => {
        const was = await voidLinks(context, row.key);
        if (was) await update(context, row, { revision: row.revision + 1 });
        return was;
      }),
    async shared(token) {
      if (!TOKEN.test(token)) return { state: "unknown" };
      const db = await tables();
      // The hash is what is looked up: how long that takes says nothing about a token.
      const link = await db
        .selectFrom("thread_share")
        .selectAll()
        .where("token_hash", "=", hashOf(token))
        .executeTakeFirst();
      if (link === undefined) return { state: "unknown" };
      if (link.revoked_at !== null) return { state: "revoked" };
      if (link.expires_at !== null && link.expires_at <= time()) return { state: "expired" };
      const thread = await db
        .selectFrom("thread")
        .selectAll()
        .where("key", "=", link.thread_key)
        .where("purged", "=", 0)
        .where("deleted_at", "is", null)
        .executeTakeFirst();
      return thread === undefined ? { state: "revoked" } : { state: "open", thread };
    },
    async supportAccess(id) {
      const db = await tables();
      const { key } = await presentThread(db, id);
      return accessOf(id, await accessRow(db, key), time());
    },
    request: (id, by, reason) =>
      changing(id, async ({ db }, { key }) => {
        const existing = await accessRow(db, key);
        const { state } = accessOf(id, existing, time());
        if (existing !== undefined && (state === "requested" || state === "approved"))
          return accessOf(id, existing, time());
        const row: AccessRow = {
          thread_key: key,
          requested_by: by,
          requested_at: time(),
          reason,
          approved_at: null,
          expires_at: null,
          revoked_at: null,
        };
        await db.deleteFrom("thread_support_access").where("thread_key", "=", key).execute();
        await db.insertInto("thread_support_access").values(row).execute();
        return accessOf(id, row, time());
      }),
    approve: (id) =>
      changing(id, async (context, thread) => {
        const row = await accessRow(context.db, thread.key);
        const { state } = accessOf(id, row, time());
        if (row === undefined || state !== "requested") {
          throw new ProblemError("invalid_input", `Nobody waits for an answer: the support's access is ${state}.`);
        }
        const approved = { approved_at: time(), expires_at: new Date(now() + SUPPORT_DAYS * DAY_MS).toISOString() };
        await context.db
          .updateTable("thread_support_access")
          .set(approved)
          .where("thread_key", "=", thread.key)
          .execute();
        await update(context, thread, { support_until: approved.expires_at, revision: thread.revision + 1 });
        return accessOf(id, { ...row, ...approved }, time());
      }),
    revoke: (id) =>
      changing(id, async (context, thread) => {
        const row = await accessRow(context.db, thread.key);
        if (row === undefined || row.revoked_at !== null) return accessOf(id, row, time());
        const revoked = { revoked_at: time() };
        await context.db
          .updateTable("thread_support_access")
          .set(revoked)
          .where("thread_key", "=", thread.key)
          .execute();
        await update(context, thread, { support_until: null, revision: thread.revision + 1 });
        return accessOf(id, { ...row, ...revoked }, time());
      }),
  };
}

function hashOf(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

async function forgetOldLinks(db: Kysely<ThreadTables>, key: number): Promise<void> {
  const old = await db
    .selectFrom("thread_share")
    .select("token_hash")
    .where("thread_key", "=", key)
    .orderBy("created_at", "desc")
    .offset(MAX_VOID_LINKS)
    .limit(MAX_VOID_LINKS)
    .execute();
  for (const { token_hash } of old) await db.deleteFrom("thread_share").where("token_hash", "=", token_hash).execute();
}

function accessRow(db: Kysely<ThreadTables>, key: number): Promise<AccessRow | undefined> {
  return db.selectFrom("thread_support_access").selectAll().where("thread_key", "=", key).executeTakeFirst();
}

function accessOf(id: string, row: AccessRow | undefined, now: string): SupportAccess {
  const thread = id as ThreadId;
  if (row === undefined) {
    const nothing = { requestedBy: null, requestedAt: null, reason: null, approvedAt: null, expiresAt: null };
    return { thread, state: "none", ...nothing };
  }
  return {
    thread,
    state: stateOf(row, now),
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    reason: row.reason,
    approvedAt: row.approved_at,
    expiresAt: row.expires_at,
  };
}

function stateOf({ approved_at, expires_at, revoked_at }: AccessRow, now: string): SupportAccess["state"] {
  if (revoked_at !== null) return "revoked";
  if (approved_at === null) return "requested";
  return expires_at !== null && expires_at <= now ? "expired" : "approved";
}
