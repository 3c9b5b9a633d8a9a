import { randomUUIDv7 } from "node:crypto";
import type { Notice } from "@loom/api";
import { decodeCursor, pageOf } from "../../kit/paging.ts";
import type { PeopleDesk } from "./desk.ts";
import type { Page } from "./members.ts";

export type Notices = {
  /** Newest first. */
  list(
    userId: string,
    page: Page,
  ): Promise<{ readonly notices: readonly Notice[]; readonly nextCursor: string | null }>;
  /** Marks those with these ids as read, or all; gives how many were not yet. */
  read(userId: string, ids: readonly string[] | undefined): Promise<number>;
  add(userId: string, notice: Pick<Notice, "kind" | "text">): Promise<Notice>;
};

export function createNotices(desk: PeopleDesk): Notices {
  return {
    async list(userId, { limit, cursor }) {
      const db = await desk.read();
      const before = cursor === undefined ? undefined : String(decodeCursor(cursor, ["string"])[0]);
      const rows = await db
        .selectFrom("notice")
        .selectAll()
        .where("person_id", "=", userId)
        .$if(before !== undefined, (query) => query.where("id", "<", before ?? ""))
        .orderBy("id", "desc")
        .limit(limit + 1)
        .execute();
      const { items, nextCursor } = pageOf(rows, limit, ({ id }) => [id]);
      const notices = items.map(({ id, kind, text, created_at, read_at }) => {
        return { id, kind: kind as Notice["kind"], text, createdAt: created_at, readAt: read_at };
      });
      return { notices, nextCursor };
    },
    read: (userId, ids) =>
      desk.change(async (db, now) => {
        const marked = await db
          .updateTable("notice")
          .set({ read_at: now })
          .where("person_id", "=", userId)
          .where("read_at", "is", null)
          .$if(ids !== undefined, (query) => query.where("id", "in", [...(ids ?? [])]))
          .returning("id")
          .execute();
        return marked.length;
      }),
    add: (userId, { kind, text }) =>
      desk.change(async (db, now) => {
        const notice = { id: `notice-${randomUUIDv7()}`, kind, text, createdAt: now, readAt: null };
        await db
          .insertInto("notice")
          .values({ id: notice.id, person_id: userId, kind, text, created_at: now, read_at: null })
          .execute();
        return notice;
      }),
  };
}
