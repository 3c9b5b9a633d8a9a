/** Prices of the kinds of tokens that are billed, in micro-dollars for a million tokens: 2500000 is $2.50. */
export type TokenPrices = {
  readonly input: number;
  readonly output: number;
  /** Absent: as input. */
  readonly cacheRead?: number | undefined;
  /** For five minutes. Absent: as input. */
  readonly cacheWrite?: number | undefined;
  /** For an hour. Absent: as `cacheWrite`. */
  readonly cacheWriteLong?: number | undefined;
};

/** A price of the server's own, before that of the catalogue. */
export type PriceOverrideInput = {
  /** Name of an upstream, or `*` for all of them. */
  readonly provider: string;
  /** A model's name; `*` at its beginning or end stands for any text. Case does not matter. */
  readonly model: string;
  /** In force from then on, RFC 3339. Absent: always. */
  readonly effectiveFrom?: string | undefined;
  readonly prices: TokenPrices;
};

export type PriceOverride = Omit<PriceOverrideInput, "effectiveFrom"> & {
  /** Stands in the ledger beside each cost that was made with it. */
  readonly id: string;
  /** `null`: always. */
  readonly effectiveFrom: string | null;
  readonly createdAt: string;
};

export type PriceOverrides = { readonly prices: readonly PriceOverride[] };
