/**
 * Writes the model catalogue of `packages/llm` from the price data in `@pydantic/genai-prices`. Run it after an update of
 * that package: `npm run catalogue`. The result is committed, so that nothing at run time depends on the package.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type MatchLogic, type ModelInfo, type Provider, waitForUpdate } from "@pydantic/genai-prices";
import type {
  CatalogueEntry,
  CatalogueProvider,
  CatalogueSource,
  MatchRule,
  PriceList,
} from "../packages/llm/src/catalogue/data.ts";

const PACKAGE = "@pydantic/genai-prices";

/** The package does not carry its date: `npm view @pydantic/genai-prices time` tells it. */
const PUBLISHED: Readonly<Record<string, string>> = { "0.1.8": "2026-09-23" };

const PROVIDERS = [
  "anthropic",
  "openai",
  "google",
  "zai",
  "zhipuai",
  "x-ai",
  "deepseek",
  "mistral",
  "moonshotai",
  "minimax",
  "cohere",
  "perplexity",
  "groq",
  "cerebras",
  "together",
  "fireworks",
  "azure",
  "openrouter",
];

const RATE_KEYS = {
  input_mtok: "input",
  output_mtok: "output",
  cache_read_mtok: "cacheRead",
  cache_write_mtok: "cacheWrite",
  cache_write_1h_mtok: "cacheWriteLong",
} as const;

/** A bill with one of these depends on what a usage of Loom does not count, so no price is better than a wrong one. */
const UNCOUNTED = /^(requests|output_reasoning|output_citation|output_audio|output_image|output_video)_/;

/** Models that write nothing, so that a price for what they read is all that there is. */
const READERS = /embed|moderation|rerank/;

const target = fileURLToPath(new URL("../packages/llm/src/catalogue/catalogue.json", import.meta.url));

export async function catalogueText(): Promise<string> {
  const [all, source] = await Promise.all([waitForUpdate(), readSource()]);
  const providers = PROVIDERS.map((id) => {
    const provider = all?.find((candidate) => candidate.id === id);
    if (provider === undefined) throw new Error(`${PACKAGE} has no provider ${id}: correct the list in this script.`);
    return `${JSON.stringify(id)}: ${providerText(toProvider(provider))}`;
  });
  return `{\n"source": ${JSON.stringify(source)},\n"providers": {\n${providers.join(",\n")}\n}\n}\n`;
}

/** One model a line, so that an update reads well as a difference. */
function providerText({ resells, models }: CatalogueProvider): string {
  const lines = models.map((model) => JSON.stringify(model)).join(",\n");
  return `{${resells === undefined ? "" : `"resells": ${JSON.stringify(resells)}, `}"models": [\n${lines}\n]}`;
}

async function readSource(): Promise<CatalogueSource> {
  const manifest = new URL("../package.json", import.meta.resolve(PACKAGE));
  const { version }: { version: string } = JSON.parse(await readFile(manifest, "utf8"));
  const published = PUBLISHED[version];
  if (published === undefined) {
    throw new Error(`Add the day ${PACKAGE} ${version} was published to this script: npm view ${PACKAGE} time`);
  }
  return { package: PACKAGE, version, published };
}

function toProvider({ models, fallback_model_providers: resells }: Provider): CatalogueProvider {
  const kept = resells?.filter((id) => PROVIDERS.includes(id));
  return { ...(kept === undefined ? {} : { resells: kept }), models: models.map(toEntry) };
}

function toEntry(model: ModelInfo): CatalogueEntry {
  const rules = "or" in model.match ? model.match.or.map(toRule) : [toRule(model.match)];
  const prices = toPrices(model);
  return {
    id: model.id,
    ...(rules.length === 1 && rules[0] === model.id.toLowerCase() ? {} : { match: [...new Set(rules)] }),
    ...(model.context_window === undefined ? {} : { context: model.context_window }),
    ...(prices === undefined ? {} : { prices }),
  };
}

function toRule(logic: MatchLogic): MatchRule {
  if ("and" in logic) return logic.and.map(toRule);
  if ("or" in logic) return alternatives(logic.or);
  if ("regex" in logic) return `/${logic.regex}/`;
  if ("equals" in logic) return plain(logic.equals);
  if ("starts_with" in logic) return `${plain(logic.starts_with)}*`;
  if ("ends_with" in logic) return `*${plain(logic.ends_with)}`;
  return `*${plain(logic.contains)}*`;
}

function alternatives(rules: readonly MatchLogic[]): MatchRule {
  const [only, ...others] = rules;
  if (only === undefined || others.length > 0) throw new Error("A choice inside a rule has no place in the catalogue.");
  return toRule(only);
}

function plain(name: string): string {
  if (/^\/|\*/.test(name)) throw new Error(`The name ${name} would read as a rule.`);
  return name.toLowerCase();
}

function toPrices({ id, prices }: ModelInfo): readonly PriceList[] | undefined {
  if (!Array.isArray(prices)) {
    const list = toList(id, prices);
    return list === undefined ? undefined : [list];
  }
  const lists = prices.map(({ constraint, prices: inForce }) => {
    const list = toList(id, inForce);
    if (list === undefined || constraint === undefined) return list;
    if (constraint.type === "start_date") return { from: constraint.start_date, ...list };
    return { daily: `${minutes(constraint.start_time)}-${minutes(constraint.end_time)}`, ...list };
  });
  return lists.every((list) => list !== undefined) ? lists : undefined;
}

type Price = Provider["models"][number]["prices"] extends infer P ? Exclude<P, readonly unknown[]> : never;

function toList(id: string, prices: Price): PriceList | undefined {
  const keys = Object.keys(prices);
  if (keys.length === 0 && id.endsWith(":free")) return { input: 0, output: 0 };
  if (keys.some((key) => UNCOUNTED.test(key))) return undefined;
  const base: Partial<Record<RateName, number>> = {};
  const tiers = new Map<number, Partial<Record<RateName, number>>>();
  for (const [key, name] of Object.entries(RATE_KEYS)) {
    const price = prices[key];
    if (price === undefined) continue;
    base[name] = perMillion(typeof price === "number" ? price : price.base);
    if (typeof price === "number") continue;
    for (const tier of price.tiers) tiers.set(tier.start, { ...tiers.get(tier.start), [name]: perMillion(tier.price) });
  }
  const { input, output = READERS.test(id) ? 0 : undefined, ...cache } = base;
  if (input === undefined || output === undefined) return undefined;
  const sorted = [...tiers].toSorted(([a], [b]) => a - b).map(([above, rates]) => ({ above, ...rates }));
  return { input, output, ...cache, ...(sorted.length === 0 ? {} : { tiers: sorted }) };
}

type RateName = (typeof RATE_KEYS)[keyof typeof RATE_KEYS];

/** Micro-dollars for a million tokens. The few prices that are no whole number lose less than a dollar in 10^12 tokens. */
function perMillion(dollars: number): number {
  return Math.round(dollars * 1_000_000);
}

function minutes(time: string): string {
  const match = /^(\d{2}:\d{2}):00Z$/.exec(time);
  if (match?.[1] === undefined) throw new Error(`The time of day ${time} is not in whole minutes of UTC.`);
  return match[1];
}

// By its name, since the one who runs it may have imported it.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = await catalogueText();
  await writeFile(`${target}.new`, text);
  await rename(`${target}.new`, target);
  console.log(`${target}: ${Math.round(text.length / 1024)} KB`);
}
