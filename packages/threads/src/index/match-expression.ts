import type { Phrase, QueryPlan, Wanted } from "../text/query.ts";

/** A plan as an FTS5 query over the columns `body` and `names`. Terms are letters, digits and marks: quoting is enough. */
export function matchExpression({ all, none }: QueryPlan): string {
  const required = all.map((choices) => `(${choices.flatMap(alternatives).join(" OR ")})`).join(" AND ");
  const excluded = none.flatMap(alternatives);
  return excluded.length === 0 ? required : `(${required}) NOT (${excluded.join(" OR ")})`;
}

function alternatives({ phrases, names }: Wanted): string[] {
  return [...phrases.map((each) => phrase("body", each)), ...names.map((each) => phrase("names", each))];
}

function phrase(column: string, { terms, prefix }: Phrase): string {
  return `${column} : "${terms.join(" ")}"${prefix ? " *" : ""}`;
}
