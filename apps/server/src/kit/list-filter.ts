import type { Expression, SqlBool } from "kysely";
import type { Action, Resource, ResourceType } from "./policy.ts";
import type { Subject } from "./subject.ts";

/**
 * Where in a query stands what policies look at: `Resource`, one row of it. What is left out is the same for every row:
 * absent, or "private", or not shared. `owner`, `organization` and `team` may be null, the others not.
 */
export type ResourceColumns = {
  readonly id: Expression<string>;
  readonly owner?: Expression<string | null>;
  readonly organization?: Expression<string | null>;
  readonly team?: Expression<string | null>;
  readonly visibility?: Expression<string>;
  readonly sharedWithSupport?: Expression<SqlBool>;
};

/**
 * For lists and searches: which rows of a type a subject may do something with, e.g. `read`. True for exactly those that
 * `Authorize` allows, because both are made of the same policies.
 *
 * `query.where((where) => filter(subject, "read", "thread", { id: where.ref("thread.id"), … }))`
 */
export type ListFilter = (
  subject: Subject,
  action: Action,
  type: ResourceType,
  columns: ResourceColumns,
) => Expression<SqlBool>;

/** The names of what a policy can look at, in a resource and in the columns of a list. */
export type ResourceAttribute = Exclude<keyof Resource, "type">;
