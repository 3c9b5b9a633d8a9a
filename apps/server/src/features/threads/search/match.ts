import type { Phrase, QueryPlan, Wanted } from "@loom/threads/records";

/** A plan as an FTS5 query over the columns `body` and `names`. Terms are letters, digits and marks: quoting is enough. */
export function fts5Match({ all, none }: QueryPlan): string {
  const phrase = (column: string, { terms, prefix }: Phrase): string =>
    `${column} : "${terms.join(" ")}"${prefix ? " *" : ""}`;
  const either = ({ phrases, names }: Wanted): string[] => [
    ...phrases.map((each) => phrase("body", each)),
    ...names.map((each) => phrase("names", each)),
  ];
  const required = all.map((choices) => `(${choices.flatMap(either).join(" OR ")})`).join(" AND ");
  return none.length === 0 ? required : `(${required}) NOT (${none.flatMap(either).join(" OR ")})`;
}

/** The same as a `tsquery`; a name is a term with `=` in front. */
export function tsQuery({ all, none }: QueryPlan): string {
  const phrase = (mark: string, { terms, prefix }: Phrase): string => {
    const quoted = terms.map((term, index) => `'${mark}${term}'${prefix && index === terms.length - 1 ? ":*" : ""}`);
    return `(${quoted.join(" <-> ")})`;
  };
  const either = ({ phrases, names }: Wanted): string[] => [
    ...phrases.map((each) => phrase("", each)),
    ...names.map((each) => phrase("=", each)),
  ];
  const required = all.map((choices) => `(${choices.flatMap(either).join(" | ")})`).join(" & ");
  return none.length === 0 ? required : `${required} & !(${none.flatMap(either).join(" | ")})`;
}
