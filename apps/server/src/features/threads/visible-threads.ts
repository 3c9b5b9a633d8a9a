import { type Expression, type ExpressionBuilder, type SqlBool, sql } from "kysely";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { Subject } from "../../kit/subject.ts";
import type { ThreadTables } from "./migrations.ts";

/** Which threads a subject may find in lists and by searching, in SQL over the table `thread`. */
export type VisibleThreads = (
  where: ExpressionBuilder<ThreadTables, "thread">,
  subject: Subject,
  now: string,
) => Expression<SqlBool>;

/** Those that he may read: what `resourceOf` says of a row, column by column. */
export function readableThreads(filter: ListFilter): VisibleThreads {
  return (where, subject, now) => {
    const isHere = where.and([where("thread.deleted_at", "is", null), where("thread.purged", "=", 0)]);
    return filter(subject, "read", "thread", {
      id: where.ref("thread.id"),
      owner: where.ref("thread.owner"),
      organization: where.ref("thread.organization"),
      team: where.ref("thread.team"),
      visibility: sql<string>`case when ${isHere} then ${where.ref("thread.visibility")} else 'private' end`,
      sharedWithSupport: where.and([
        isHere,
        where("thread.support_until", "is not", null),
        where("thread.support_until", ">", now),
      ]),
    });
  };
}
