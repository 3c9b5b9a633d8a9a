import type { Usage } from "@loom/core";
import type { CatalogueData, CatalogueEntry, CatalogueSource, PriceList } from "./data.ts";
import { type Matcher, matcherOf, withDashedDate } from "./match.ts";
import { costOf } from "./price.ts";

/** What is known of a model. */
export type CatalogueModel = {
  /** Where its prices are listed: the provider asked for, or the one whose models that one resells. */
  readonly provider: string;
  /** The model's name in the catalogue, which may be shorter than the one asked for. */
  readonly id: string;
  /** Tokens of input and output together. */
  readonly contextWindow?: number;
  readonly prices?: readonly PriceList[];
};

export type Catalogue = {
  /** Where the prices are from, and of when they are. */
  readonly source: CatalogueSource;
  /** The model that a provider knows by this name, with or without its date; `undefined` where nobody listed it. */
  findModel(provider: string, model: string): CatalogueModel | undefined;
  /**
   * What an answer cost in whole micro-dollars, rounded half up, at the prices of the time `atMs` (default: now).
   * `undefined` for a model without known prices: that is not the same as free.
   */
  costMicroUsd(provider: string, model: string, usage: Usage, atMs?: number): number | undefined;
};

let loading: Promise<Catalogue> | undefined;

/** The catalogue that came with this version. Read at the first call, because start-up does not need it. */
export function loadCatalogue(): Promise<Catalogue> {
  loading ??= import("./catalogue.json", { with: { type: "json" } }).then((file) => createCatalogue(file.default));
  return loading;
}

export function createCatalogue(data: CatalogueData): Catalogue {
  const providers = new Map(Object.entries(data.providers));
  const matchers = new Map<string, readonly CompiledEntry[]>();

  /** Compiled at the first question about a provider: most servers know two or three of them. */
  function entriesOf(provider: string): readonly CompiledEntry[] {
    const known = matchers.get(provider);
    if (known !== undefined) return known;
    const models = providers.get(provider)?.models ?? [];
    const compiled = models.map((entry) => ({ entry, matches: matcherOf(entry) }));
    if (models.length > 0) matchers.set(provider, compiled);
    return compiled;
  }

  function findNamed(provider: string, name: string): CatalogueModel | undefined {
    for (const seller of [provider, ...(providers.get(provider)?.resells ?? [])]) {
      const found = entriesOf(seller).find(({ matches }) => matches(name));
      if (found !== undefined) return toModel(seller, found.entry);
    }
    return undefined;
  }

  /** The last answers: the same few models are asked for with every request. */
  const recent = new Map<string, CatalogueModel | undefined>();

  function findModel(provider: string, model: string): CatalogueModel | undefined {
    const key = `${provider}\0${model}`;
    const known = recent.get(key);
    if (known !== undefined || recent.has(key)) return known;
    const found = searchModel(provider, model);
    if (recent.size >= MAX_RECENT) recent.clear();
    recent.set(key, found);
    return found;
  }

  function searchModel(provider: string, model: string): CatalogueModel | undefined {
    const id = provider.toLowerCase();
    const source = ALIASES.get(id) ?? id;
    const name = model.toLowerCase().trim();
    const dashed = withDashedDate(name);
    return findNamed(source, name) ?? (dashed === undefined ? undefined : findNamed(source, dashed));
  }

  return {
    source: data.source,
    findModel,
    costMicroUsd(provider, model, usage, atMs = Date.now()) {
      const prices = findModel(provider, model)?.prices;
      return prices === undefined ? undefined : costOf(prices, usage, atMs);
    },
  };
}

const MAX_RECENT = 1_000;

type CompiledEntry = { readonly entry: CatalogueEntry; readonly matches: Matcher };

/** Names that Loom and others use, where the source of the catalogue has another. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["vertex", "google"],
  ["gemini", "google"],
  ["xai", "x-ai"],
  ["moonshot", "moonshotai"],
  ["zhipu", "zhipuai"],
  ["z.ai", "zai"],
]);

function toModel(provider: string, { id, context, prices }: CatalogueEntry): CatalogueModel {
  return {
    provider,
    id,
    ...(context === undefined ? {} : { contextWindow: context }),
    ...(prices === undefined ? {} : { prices }),
  };
}
