import type { ThreadVisibility } from "@loom/api";
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from "kysely";
import type { ThreadTables } from "./migrations.ts";

/** Which threads are meant; all of the conditions that are given have to hold. */
export type ThreadFilters = {
  readonly workspace?: string | undefined;
  /** `host/path` of a remote, or its end: `acme/app`, `app`. */
  readonly repository?: string | undefined;
  /** The owner's id. */
  readonly author?: string | undefined;
  /** A model's name, or a part of it. */
  readonly model?: string | undefined;
  /** Each of them. */
  readonly tags?: readonly string[] | undefined;
  readonly visibility?: ThreadVisibility | undefined;
  readonly pinned?: boolean | undefined;
  /** Those in the trash, instead of the others. */
  readonly deleted?: boolean | undefined;
  readonly id?: string | undefined;
  readonly exceptId?: string | undefined;
};

/** The conditions over the table `thread`, the same on both engines: case counts everywhere. */
export function filtersIn(
  where: ExpressionBuilder<ThreadTables, "thread">,
  { tags = [], ...filters }: ThreadFilters,
): Expression<SqlBool>[] {
  const { workspace, repository, author, model, visibility, pinned, deleted = false, id, exceptId } = filters;
  return [
    where("thread.purged", "=", 0),
    where("thread.deleted_at", deleted ? "is not" : "is", null),
    ...given(workspace, (path) => where("thread.workspace", "=", path)),
    ...given(author, (owner) => where("thread.owner", "=", owner)),
    ...given(visibility, (level) => where("thread.visibility", "=", level)),
    ...given(pinned, (flag) => where("thread.pinned", "=", Number(flag))),
    ...given(id, (only) => where("thread.id", "=", only)),
    ...given(exceptId, (not) => where("thread.id", "<>", not)),
    ...given(repository, (name) => endsWith(name.replace(/^\/+/, ""))),
    ...given(model, (part) => contains("models", inJson(part))),
    // Tags are in JSON: the quotes make a whole one of it.
    ...tags.map((tag) => contains("tags", JSON.stringify(tag))),
  ];
}

function given<Value>(value: Value | undefined, condition: (value: Value) => Expression<SqlBool>) {
  return value === undefined ? [] : [condition(value)];
}

function endsWith(name: string): Expression<SqlBool> {
  const whole = sql`('/' || thread.remote)`;
  const end = `/${name}`;
  return sql<SqlBool>`substr(${whole}, length(${whole}) - ${[...end].length - 1}) = ${end}`;
}

/** `LIKE` tells cases apart on one engine and not on the other. */
function contains(column: "models" | "tags", text: string): Expression<SqlBool> {
  const value = sql.ref(`thread.${column}`);
  return sql<SqlBool>`replace(${value}, ${text}, '') <> ${value}`;
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
