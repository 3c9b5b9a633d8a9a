import type { CatalogueEntry, MatchRule } from "./data.ts";

export type Matcher = (model: string) => boolean;

/** Whether a name, in lower case, is the one of this entry. */
export function matcherOf({ id, match }: CatalogueEntry): Matcher {
  if (match === undefined) return compile(id.toLowerCase());
  return anyOf(match.map(compile));
}

function compile(rule: MatchRule): Matcher {
  if (typeof rule !== "string") return allOf(rule.map(compile));
  if (rule.startsWith("/") && rule.endsWith("/")) {
    const expression = new RegExp(rule.slice(1, -1));
    return (model) => expression.test(model);
  }
  const open = rule.startsWith("*");
  const name = rule.slice(open ? 1 : 0, rule.endsWith("*") ? -1 : undefined);
  if (!rule.endsWith("*")) return open ? (model) => model.endsWith(name) : (model) => model === name;
  return open ? (model) => model.includes(name) : (model) => model.startsWith(name);
}

function anyOf(matchers: readonly Matcher[]): Matcher {
  return (model) => matchers.some((matches) => matches(model));
}

function allOf(matchers: readonly Matcher[]): Matcher {
  return (model) => matchers.every((matches) => matches(model));
}

/**
 * The name with its date written out, `gpt-5-2025-08-07` for `gpt-5-20250807`, or `undefined` where it has none: some
 * resellers leave the dashes out.
 */
export function withDashedDate(model: string): string | undefined {
  const dashed = model.replace(DATE_WITHOUT_DASHES, "-$1-$2-$3");
  return dashed === model ? undefined : dashed;
}

const DATE_WITHOUT_DASHES = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g;
