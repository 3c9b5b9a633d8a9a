import type { PriceOverride, PriceOverrideInput, TokenPrices } from "@loom/api";
import type { Usage } from "@loom/core";
import { type Catalogue, costOf, loadCatalogue } from "@loom/llm";
import type { Log } from "../../kit/log.ts";
import type { PriceStore } from "./price-store.ts";

/** What answers cost: by the server's own prices, else by the catalogue that came with this version. */
export type Prices = {
  /** Resolves when prices can be asked for; `undefined` after the first time. Never rejects. */
  ready(): Promise<void> | undefined;
  /** In the memory of this process. `undefined` where nobody knows a price, which is not the same as free. */
  price(upstream: string, model: string, usage: Usage, atMs?: number): Price | undefined;
  /** Tokens that a model takes and gives in one request at most, where the catalogue knows. */
  contextWindow(upstream: string, model: string): number | undefined;
};

export type Price = {
  readonly costMicroUsd: number;
  /** The id of a price of the server's own, or the catalogue with its version. */
  readonly version: string;
};

export type PriceService = Prices & {
  /** Other processes may have changed what is in the database. Does nothing before `ready`. */
  reload(): Promise<void>;
  list(): Promise<readonly PriceOverride[]>;
  put(input: PriceOverrideInput): Promise<PriceOverride>;
  retire(id: string): Promise<PriceOverride | undefined>;
};

export type PriceServiceOptions = {
  readonly store: PriceStore;
  readonly log: Log;
  /** Prices of the server's own are not looked for until one is set. */
  readonly keepsNothing: boolean;
};

export function createPrices({ store, log, keepsNothing }: PriceServiceOptions): PriceService {
  let catalogue: Catalogue | undefined;
  let overrides: OverrideList = createOverrideList([]);
  let loading: Promise<void> | undefined;

  async function load(): Promise<void> {
    overrides = createOverrideList(await store.list());
  }

  async function loadOrWarn(): Promise<void> {
    await load().catch((error: unknown) =>
      log.warn("the server's own prices cannot be read: the catalogue's count", { error: String(error) }),
    );
  }

  async function start(): Promise<void> {
    const [loaded] = await Promise.all([loadCatalogue(), keepsNothing ? undefined : loadOrWarn()]);
    catalogue = loaded;
  }

  return {
    ready() {
      if (catalogue !== undefined) return undefined;
      loading ??= start();
      return loading;
    },
    price(upstream, model, usage, atMs = Date.now()) {
      const own = overrides.find(upstream, model, atMs);
      if (own !== undefined) {
        const costMicroUsd = costOf(own.rates, usage, atMs);
        if (costMicroUsd !== undefined) return { costMicroUsd, version: own.override.id };
      }
      const costMicroUsd = catalogue?.costMicroUsd(upstream, model, usage, atMs);
      if (catalogue === undefined || costMicroUsd === undefined) return undefined;
      return { costMicroUsd, version: `${catalogue.source.package}@${catalogue.source.version}` };
    },
    contextWindow: (upstream, model) => catalogue?.findModel(upstream, model)?.contextWindow,
    async reload() {
      if (!keepsNothing && catalogue !== undefined) await load();
    },
    list: () => store.list(),
    async put(input) {
      const override = await store.put(input);
      await load();
      return override;
    },
    async retire(id) {
      const override = await store.retire(id);
      await load();
      return override;
    },
  };
}

function ratesOf({ input, output, cacheRead, cacheWrite, cacheWriteLong }: TokenPrices) {
  return {
    input,
    output,
    ...(cacheRead === undefined ? {} : { cacheRead }),
    ...(cacheWrite === undefined ? {} : { cacheWrite }),
    ...(cacheWriteLong === undefined ? {} : { cacheWriteLong }),
  };
}

type OverrideList = { find(upstream: string, model: string, atMs: number): Candidate | undefined };

type Candidate = {
  readonly override: PriceOverride;
  readonly rates: Parameters<typeof costOf>[0];
  readonly fromMs: number;
};

/** Names come from clients: so many are remembered. */
const MAX_REMEMBERED = 1_000;

/**
 * The provider's own before that of all, the longer pattern before the shorter, the later before the earlier. What fits
 * a name is worked out once.
 */
function createOverrideList(overrides: readonly PriceOverride[]): OverrideList {
  const candidates = overrides
    .map((override) => ({
      override,
      rates: [ratesOf(override.prices)],
      fromMs: override.effectiveFrom === null ? 0 : Date.parse(override.effectiveFrom),
    }))
    .sort((a, b) => precedence(a) - precedence(b) || lengthOf(b) - lengthOf(a) || b.fromMs - a.fromMs);
  const remembered = new Map<string, readonly Candidate[]>();
  /** A request asks several times for one and the same. */
  let last: { readonly upstream: string; readonly model: string; readonly found: readonly Candidate[] } | undefined;

  function fitting(upstream: string, model: string): readonly Candidate[] {
    if (last === undefined || last.upstream !== upstream || last.model !== model)
      last = { upstream, model, found: find(upstream, model) };
    return last.found;
  }

  function find(upstream: string, model: string): readonly Candidate[] {
    const key = `${upstream}\n${model}`;
    const known = remembered.get(key);
    if (known !== undefined) return known;
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    const found = candidates.filter(({ override }) => fits(override, upstream.toLowerCase(), model.toLowerCase()));
    remembered.set(key, found);
    return found;
  }

  return {
    find(upstream, model, atMs) {
      if (candidates.length === 0) return undefined;
      return fitting(upstream, model).find(({ fromMs }) => fromMs <= atMs);
    },
  };
}

function precedence({ override }: Candidate): number {
  return override.provider === "*" ? 1 : 0;
}

function lengthOf({ override }: Candidate): number {
  // A name without a star is the most exact of its length.
  return override.model.replaceAll("*", "").length + (override.model.includes("*") ? 0 : 0.5);
}

function fits({ provider, model: pattern }: PriceOverride, upstream: string, model: string): boolean {
  if (provider !== "*" && provider !== upstream) return false;
  const opens = pattern.startsWith("*");
  const ends = pattern.endsWith("*");
  const text = pattern.slice(opens ? 1 : 0, ends && pattern.length > 1 ? -1 : undefined);
  if (opens && ends) return model.includes(text);
  if (opens) return model.endsWith(text);
  return ends ? model.startsWith(text) : model === text;
}
