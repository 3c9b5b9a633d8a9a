import { wordsOf } from "./terms.ts";

/** Terms that have to follow each other; of the last one, its beginning is enough where `prefix` is set. */
export type Phrase = { readonly terms: readonly string[]; readonly prefix: boolean };

/** One thing that was asked for: any of its phrases, or any of its names as a whole, will do. */
export type Wanted = { readonly phrases: readonly Phrase[]; readonly names: readonly Phrase[] };

/** A query as every index understands it: all of `all` (each of which may have alternatives), none of `none`. */
export type QueryPlan = {
  readonly all: readonly (readonly Wanted[])[];
  readonly none: readonly Wanted[];
};

const MAX_QUERY_UNITS = 1_000;
const MAX_WORDS = 32;

type Item = { readonly text: string; readonly excluded: boolean; readonly quoted: boolean } | "or";

/**
 * Reads a query: words that all have to be there, `"words in this order"`, `-without`, `this OR that`. What does not
 * follow these rules (an open quote, an OR without a side, only exclusions) is taken literally, as plain words.
 * `undefined` where there is nothing to search for.
 */
export function planQuery(query: string): QueryPlan | undefined {
  const text = query.slice(0, MAX_QUERY_UNITS).toWellFormed();
  return planItems(itemsOf(text)) ?? planItems(literally(text));
}

/** The same query, met by words that only begin as the words of the query do. */
export function withBeginnings(plan: QueryPlan): QueryPlan {
  return { ...plan, all: plan.all.map((choices) => choices.map(beginning)) };
}

function beginning({ phrases, names }: Wanted): Wanted {
  const open = (phrase: Phrase): Phrase => ({ ...phrase, prefix: phrase.prefix || isWordStart(phrase) });
  return { phrases: phrases.map(open), names: names.map(open) };
}

/** Two letters begin too many words, and a pair of characters is whole already. */
function isWordStart({ terms }: Phrase): boolean {
  return /^[\p{L}\p{N}]{3,}$/u.test(terms.at(-1) ?? "");
}

/** The items, or `undefined` where the quotes do not match. */
function itemsOf(text: string): Item[] | undefined {
  if ((text.match(/"/g)?.length ?? 0) % 2 !== 0) return undefined;
  const items: Item[] = [];
  for (const [word, minus, quoted, plain] of text.matchAll(/(-?)(?:"([^"]*)"|(\S+))/g)) {
    if (word === "OR") items.push("or");
    else items.push({ text: quoted ?? plain ?? "", excluded: minus === "-", quoted: quoted !== undefined });
  }
  return items;
}

function literally(text: string): Item[] {
  return text.split(/\s+/).map((word) => ({ text: word, excluded: false, quoted: false }));
}

/** `undefined` where the items make no query. */
function planItems(items: readonly Item[] | undefined): QueryPlan | undefined {
  if (items === undefined) return undefined;
  const all: Wanted[][] = [];
  const none: Wanted[] = [];
  let joins = false;
  for (const item of items.slice(0, 2 * MAX_WORDS)) {
    if (item === "or") {
      if (joins || all.length === 0) return undefined;
      joins = true;
      continue;
    }
    const wanted = wantedBy(item.text);
    if (wanted === undefined) continue;
    if (item.excluded) none.push(wanted);
    else if (joins) all.at(-1)?.push(wanted);
    else if (all.length < MAX_WORDS) all.push([wanted]);
    joins = false;
  }
  return all.length === 0 || joins ? undefined : { all, none };
}

/** What has to be found for a text without syntax: its terms side by side, or the identifier that they make. */
function wantedBy(text: string): Wanted | undefined {
  const words = [...wordsOf(text)];
  const terms = words.flatMap(({ parts }) => parts.map(({ term }) => term));
  const last = words.at(-1);
  const [first] = terms;
  if (first === undefined || last === undefined) return undefined;
  if (last.paired) {
    // The last character stands alone only where the run ends; where the text goes on, it begins a pair.
    const alone = last.parts.length === 1;
    return { phrases: [{ terms: alone ? terms : terms.slice(0, -1), prefix: alone }], names: [] };
  }
  const phrase = { terms, prefix: false };
  if (words.length > 1) return { phrases: [phrase], names: [] };
  // `fooBar` is also found where somebody wrote `foobar`, and the other way round.
  const name = { terms: [last.whole ?? first], prefix: false };
  return { phrases: last.whole === undefined ? [phrase] : [phrase, name], names: [name] };
}
