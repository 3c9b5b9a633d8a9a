import { type Expression, type ExpressionBuilder, expressionBuilder, type SqlBool, sql } from "kysely";
import type { ListFilter, ResourceAttribute, ResourceColumns } from "../../kit/list-filter.ts";
import { allOf, anyOf, type Condition, not, oneOf } from "./condition.ts";
import { principalEntity, RESOURCE_ENTITIES } from "./entities.ts";
import { type PartialQuestion, whatAllows, whatApplies } from "./evaluate.ts";
import type { Policy, PolicyBook } from "./policy-book.ts";

/** What each organization forbids in itself. */
export type OwnForbids = () => Iterable<readonly [organization: string, policies: readonly Policy[]]>;

export function createListFilter({ questions, policies }: PolicyBook, own: OwnForbids): ListFilter {
  const asked = new Set(questions);
  return (subject, action, type, columns) => {
    const attributes = new Set(Object.keys(columns) as ResourceAttribute[]);
    if (type === "organization" || type === "team") attributes.add(type);
    const question = { principal: principalEntity(subject), action, resourceType: RESOURCE_ENTITIES[type], attributes };
    const isKnown = asked.has(`${action} ${question.resourceType}`);
    const forbidden = type === "policy" ? [] : [...own()].map(([id, forbids]) => forbiddenIn(id, forbids, question));
    const condition = isKnown && allOf([whatAllows(policies, question), not(anyOf(forbidden))]);
    return inSql(condition, {
      ...columns,
      ...(type === "organization" || type === "team" ? { [type]: columns.id } : {}),
    });
  };
}

function forbiddenIn(organization: string, policies: readonly Policy[], question: PartialQuestion): Condition {
  if (!question.attributes.has("organization")) return false;
  // What is in none would be neither in it nor not in it, as SQL sees it.
  const isInIt = allOf([{ attribute: "organization", is: "present" }, oneOf("organization", [organization])]);
  return allOf([isInIt, whatApplies(policies, "forbid", question)]);
}

type Builder = ExpressionBuilder<Record<string, never>, never>;

function inSql(condition: Condition, columns: ResourceColumns): Expression<SqlBool> {
  const build = expressionBuilder<Record<string, never>>() as unknown as Builder;
  return translate(condition, columns, build);
}

function translate(condition: Condition, columns: ResourceColumns, build: Builder): Expression<SqlBool> {
  // A constant of type boolean that both engines know.
  if (typeof condition === "boolean") return condition ? sql<SqlBool>`1 = 1` : sql<SqlBool>`1 = 0`;
  if ("all" in condition) return build.and(condition.all.map((each) => translate(each, columns, build)));
  if ("any" in condition) return build.or(condition.any.map((each) => translate(each, columns, build)));
  if ("not" in condition) return build.not(translate(condition.not, columns, build));
  const column = columns[condition.attribute];
  if (column === undefined) throw new Error(`The list has no column for ${condition.attribute}.`);
  if ("oneOf" in condition) return sql<SqlBool>`${column} in (${sql.join(condition.oneOf)})`;
  return condition.is === "true" ? (column as Expression<SqlBool>) : sql<SqlBool>`${column} is not null`;
}
