import type { Expression, ExpressionBuilder, SqlBool } from "kysely";
import { principalOf, type Subject } from "../../kit/subject.ts";
import type { ThreadTables } from "./migrations.ts";

/** Which threads a subject may find in lists and by searching, in SQL over the table `thread`. */
export type VisibleThreads = (
  where: ExpressionBuilder<ThreadTables, "thread">,
  subject: Subject,
  now: string,
) => Expression<SqlBool>;

/** One's own. */
export const ownThreads: VisibleThreads = (where, subject) => where("thread.owner", "=", principalOf(subject));
