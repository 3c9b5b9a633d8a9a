import type { SQLInputValue } from "node:sqlite";
import type { ThreadId } from "@loom/core";
import type { Visibility } from "../record.ts";

/** Which threads are meant; all of the conditions that are given have to hold. */
export type ThreadFilters = {
  readonly id?: ThreadId;
  /** All but this one. */
  readonly exceptId?: ThreadId;
  /** Absolute path. */
  readonly workspace?: string;
  /** `host/path` of a remote, or its end: `acme/app`, `app`. */
  readonly repository?: string;
  /** A model's name, or a part of it. */
  readonly model?: string;
  /** Each of them. */
  readonly tags?: readonly string[];
  readonly visibility?: Visibility;
  readonly pinned?: boolean;
  readonly private?: boolean;
  /** RFC 3339; of the last use of a thread, of a message in a search. */
  readonly since?: string;
  readonly until?: string;
  /** Those in the trash, instead of the others. */
  readonly deleted?: boolean;
};

/** The conditions in SQL over `thread`; `time` is the column that `since` and `until` are about. */
export function filterSql(
  filters: ThreadFilters,
  time: string,
): { readonly sql: string; readonly values: SQLInputValue[] } {
  const {
    id,
    exceptId,
    workspace,
    repository,
    model,
    tags = [],
    visibility,
    pinned,
    since,
    until,
    deleted = false,
  } = filters;
  const conditions: [string, ...SQLInputValue[]][] = [["thread.deleted = ?", Number(deleted)]];
  if (id !== undefined) conditions.push(["thread.id = ?", id]);
  if (exceptId !== undefined) conditions.push(["thread.id <> ?", exceptId]);
  if (workspace !== undefined) conditions.push(["thread.workspace = ?", workspace]);
  if (repository !== undefined) {
    conditions.push(["('/' || thread.remote) LIKE ? ESCAPE '\\'", `%/${literal(repository.replace(/^\/+/, ""))}`]);
  }
  if (model !== undefined) conditions.push(["thread.models LIKE ? ESCAPE '\\'", `%${literal(model)}%`]);
  for (const tag of tags) conditions.push(["EXISTS (SELECT 1 FROM json_each(thread.tags) WHERE value = ?)", tag]);
  if (visibility !== undefined) conditions.push(["thread.visibility = ?", visibility]);
  if (pinned !== undefined) conditions.push(["thread.pinned = ?", Number(pinned)]);
  if (filters.private !== undefined) conditions.push(["thread.private = ?", Number(filters.private)]);
  if (since !== undefined) conditions.push([`${time} >= ?`, since]);
  if (until !== undefined) conditions.push([`${time} < ?`, until]);
  return {
    sql: conditions.map(([sql]) => sql).join(" AND "),
    values: conditions.flatMap(([, ...values]) => values),
  };
}

function literal(text: string): string {
  return text.replace(/[\\%_]/g, "\\$&");
}
