import type { ResourceAttribute } from "../../kit/list-filter.ts";

/** What has to hold of a resource; everything else is known already. */
export type Condition =
  | boolean
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | { readonly attribute: ResourceAttribute; readonly oneOf: readonly string[] }
  | { readonly attribute: ResourceAttribute; readonly is: "present" | "true" };

export function allOf(conditions: readonly Condition[]): Condition {
  return joined(conditions, { neutral: true, join: (all) => ({ all }) });
}

export function anyOf(conditions: readonly Condition[]): Condition {
  return joined(conditions, { neutral: false, join: (any) => ({ any }) });
}

export function not(condition: Condition): Condition {
  if (typeof condition === "boolean") return !condition;
  return "not" in condition ? condition.not : { not: condition };
}

export function oneOf(attribute: ResourceAttribute, values: readonly string[]): Condition {
  return values.length > 0 && { attribute, oneOf: [...new Set(values)] };
}

function joined(
  conditions: readonly Condition[],
  { neutral, join }: { readonly neutral: boolean; readonly join: (rest: readonly Condition[]) => Condition },
): Condition {
  if (conditions.includes(!neutral)) return !neutral;
  const rest = conditions.filter((each) => each !== neutral);
  const [first] = rest;
  if (first === undefined) return neutral;
  return rest.length === 1 ? first : join(rest);
}
