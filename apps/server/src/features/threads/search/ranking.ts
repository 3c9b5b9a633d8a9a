import type { Phrase, QueryPlan, Wanted } from "@loom/threads/records";
import { type RawBuilder, sql } from "kysely";
import type { IndexState, SearchDialect } from "./index-types.ts";

/** Okapi BM25, with the usual weights. */
const K1 = 1.2;
const B = 0.75;
const TITLE_WEIGHT = 1.5;
/** After so long, half of what newness adds to a score is gone. */
const RECENCY_MS = 14 * 86_400_000;
/** Of words that are only begun, nobody knows how many passages have them. */
const BEGINNING_SHARE = 0.01;

/** The terms whose frequency a ranking has to know. */
export function termsToWeigh({ all }: QueryPlan): string[] {
  return [...new Set(all.flat().flatMap(({ phrases, names }) => [...phrases, ...names].flatMap(({ terms }) => terms)))];
}

export type Ranking = {
  /** Columns that say of the passage `p` how often each thing that was asked for is in it. */
  readonly counts: RawBuilder<unknown>;
  /** How well it fits, over these columns in `counted`. */
  readonly score: RawBuilder<number>;
};

/**
 * BM25, where a phrase counts as often as its rarest term, times how new it is. Sums, products and quotients of the same
 * doubles in the same order: the same on every engine.
 */
export function rankingOf(
  plan: QueryPlan,
  known: { readonly state: IndexState; readonly frequencies: ReadonlyMap<string, number>; readonly now: number },
  dialect: SearchDialect,
): Ranking {
  const { state, frequencies, now } = known;
  const passages = Math.max(1, state.passages);
  const average = Math.max(1, state.terms / passages);
  const lengthPart = sql`(${real(K1 * (1 - B))} + ${real((K1 * B) / average)} * counted.length)`;
  const counts = plan.all.map(
    (choices, index) => sql`${countIn(choices, frequencies, dialect)} as ${countName(index)}`,
  );
  const parts = plan.all.map((choices, index) => {
    const frequency = choices.reduce((sum, wanted) => sum + frequencyOf(wanted, frequencies, passages), 0);
    const met = Math.min(passages, Math.max(1, frequency));
    const rarity = Math.log(1 + (passages - met + 0.5) / (met + 0.5));
    return sql`${real(rarity * (K1 + 1))} * ${countName(index)} / (${countName(index)} + ${lengthPart})`;
  });
  const greatest = sql.raw(dialect.greatest);
  const age = sql`${greatest}(0, ${whole(now)} - counted.at_ms) / ${real(RECENCY_MS)}`;
  const recency = sql`(${real(1)} + ${real(1)} / (${real(1)} + ${age}))`;
  const weight = sql`(case when counted.role = 'title' then ${real(TITLE_WEIGHT)} else ${real(1)} end)`;
  return {
    counts: sql.join(counts),
    score: sql<number>`(${sql.join(parts, sql` + `)}) * ${recency} * ${weight}`,
  };
}

function countName(index: number): RawBuilder<unknown> {
  return sql.raw(`count_${index}`);
}

/** Passages that have one of its phrases or names: as many as have its rarest term, or fewer. */
function frequencyOf({ phrases, names }: Wanted, frequencies: ReadonlyMap<string, number>, passages: number): number {
  const known = [...phrases, ...names].map((phrase) => {
    const term = rarest(phrase, frequencies);
    return term === undefined ? passages * BEGINNING_SHARE : (frequencies.get(term) ?? 0);
  });
  return Math.max(0, ...known);
}

/** The term of a phrase that fewest passages have; of one that is only begun, among those in front. */
function rarest({ terms, prefix }: Phrase, frequencies: ReadonlyMap<string, number>): string | undefined {
  const whole = prefix ? terms.slice(0, -1) : terms;
  return whole.reduce<string | undefined>((best, term) => {
    if (best === undefined) return term;
    return (frequencies.get(term) ?? 0) < (frequencies.get(best) ?? 0) ? term : best;
  }, undefined);
}

/** How often the passage says what was asked for; once, where nothing else is known. */
function countIn(
  choices: readonly Wanted[],
  frequencies: ReadonlyMap<string, number>,
  dialect: SearchDialect,
): RawBuilder<unknown> {
  const terms = new Set(choices.flatMap(({ phrases }) => phrases.flatMap((each) => rarest(each, frequencies) ?? [])));
  const counts = Array.from(terms, (term) => dialect.countOf(term));
  const [first] = counts;
  if (first === undefined) return real(1);
  return counts.length === 1 ? first : sql`${sql.raw(dialect.greatest)}(${sql.join(counts)})`;
}

function real(value: number): RawBuilder<number> {
  return sql<number>`cast(${value} as double precision)`;
}

function whole(value: number): RawBuilder<number> {
  return sql<number>`cast(${Math.round(value)} as bigint)`;
}
