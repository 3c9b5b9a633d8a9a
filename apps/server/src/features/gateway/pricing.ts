import type { Usage } from "@loom/core";
import { type Catalogue, loadCatalogue } from "@loom/llm";

/** What answers cost, by the catalogue that came with this version. */
export type Pricing = {
  /** Resolves when prices can be asked for; at once after the first time. */
  ready(): Promise<void> | undefined;
  /** Micro-dollars; `undefined` where nobody listed the model, or before `ready`. */
  cost(upstream: string, model: string, usage: Usage): number | undefined;
  readonly version: string | undefined;
};

export function createPricing(): Pricing {
  let catalogue: Catalogue | undefined;
  let loading: Promise<void> | undefined;
  return {
    ready() {
      if (catalogue !== undefined) return undefined;
      loading ??= loadCatalogue().then((loaded) => {
        catalogue = loaded;
      });
      return loading;
    },
    cost: (upstream, model, usage) => catalogue?.costMicroUsd(upstream, model, usage),
    get version() {
      return catalogue === undefined ? undefined : versionOf(catalogue);
    },
  };
}

function versionOf({ source }: Catalogue): string {
  return `${source.package}@${source.version}`;
}
