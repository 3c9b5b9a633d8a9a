/** What `scripts/catalogue.ts` writes and this folder reads: facts and prices of models, one entry per model. */
export type CatalogueData = {
  readonly source: CatalogueSource;
  readonly providers: Readonly<Record<string, CatalogueProvider>>;
};

export type CatalogueSource = {
  readonly package: string;
  readonly version: string;
  /** The day that version was published, e.g. `2026-09-23`: prices that changed later are not in it. */
  readonly published: string;
};

export type CatalogueProvider = {
  /** Providers whose models this one resells under their names, at their prices. */
  readonly resells?: readonly string[];
  /** Order matters: the first entry that matches is the model. */
  readonly models: readonly CatalogueEntry[];
};

export type CatalogueEntry = {
  readonly id: string;
  /** Absent where the model answers to its own id only. Any of these rules will do. */
  readonly match?: readonly MatchRule[];
  /** Tokens of input and output together that the model can hold. */
  readonly context?: number;
  /** Absent where the bill depends on more than tokens of text. Of those in force, the last one counts. */
  readonly prices?: readonly PriceList[];
};

/**
 * A rule for a model name in lower case: `gpt-5` is that name, `gpt-5*` what starts with it, `*gpt-5` what ends with it,
 * `*gpt-5*` what contains it, `/^o[134]/` a regular expression, and an inner list wants all of its rules.
 */
export type MatchRule = string | readonly MatchRule[];

/** Prices of the four billed kinds of tokens, in micro-dollars for a million tokens. */
export type Rates = {
  readonly input: number;
  readonly output: number;
  /** Absent: as input. */
  readonly cacheRead?: number;
  /** For five minutes. Absent: as input. */
  readonly cacheWrite?: number;
  /** For an hour. Absent: as `cacheWrite`. */
  readonly cacheWriteLong?: number;
};

export type PriceList = Rates & {
  /** In force from the start of this day, UTC. */
  readonly from?: string;
  /** In force between two times of every day, UTC, e.g. `16:30-00:30`: the first is in, the second is out. */
  readonly daily?: string;
  /** Other rates for a request whose input, cached or not, has more tokens than `above`; the last that applies counts. */
  readonly tiers?: readonly (Partial<Rates> & { readonly above: number })[];
};
