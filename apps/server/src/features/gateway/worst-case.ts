import { NO_USAGE, type Usage } from "@loom/core";
import type { RouteStep, WorstCase } from "../../gateway-types.ts";
import type { Prices } from "../ledger/prices.ts";
import { LARGEST_WINDOW, likelyOutput, mostOutput, promptTokens } from "./output-bound.ts";
import type { GatewayParts } from "./parts.ts";
import type { Asked } from "./passage.ts";
import type { Question } from "./question.ts";
import type { Upstream } from "./upstream.ts";

/** RFC 9110, section 9.2.1. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

const FREE: WorstCase = { inputTokens: 0, outputTokens: 0, costMicroUsd: 0 };
/** What a smaller bound becomes on the way to OpenAI's Responses, which takes none. */
const LEAST_BOUND = 16;

const UNKNOWN: WorstCase = { inputTokens: 0, outputTokens: 0, isUnbounded: true };

/** Whether a provider may charge for it: for answers of models, and for other work with them that is more than a look. */
export function isBilled({ target, call }: Asked, upstream: Pick<Upstream, "config"> | undefined): boolean {
  if (target.operation === "generate") return true;
  if (target.operation !== "use" || SAFE_METHODS.has(call.incoming.method ?? "")) return false;
  return !(target.path.endsWith("/moderations") && isOpenAi(upstream));
}

/** OpenAI itself, where moderation is free; who imitates it may charge. https://developers.openai.com/api/docs/guides/moderation */
function isOpenAi(upstream: Pick<Upstream, "config"> | undefined): boolean {
  return upstream?.config.kind === "openai" && upstream.config.isOfficial;
}

/** Whether it only looks which models there are. */
export function isListing({ target, call }: Asked): boolean {
  return target.operation === "models" && SAFE_METHODS.has(call.incoming.method ?? "");
}

/** What a request costs at most on this step of its route. */
export function worstCase(
  asked: Asked,
  { upstream, model }: RouteStep,
  { prices, upstreams }: Pick<GatewayParts, "prices" | "upstreams">,
): WorstCase {
  const { question, target } = asked;
  const reader = { upstream: upstreams.get(upstream), model };
  if (!isBilled(asked, reader.upstream)) return FREE;
  if (question === undefined) return UNKNOWN;
  const window = prices.contextWindow(upstream, model);
  const prompt = promptTokens(question, window, reader);
  if (question.isUnbounded === true) return { ...UNKNOWN, inputTokens: prompt };
  const inputTokens = question.refersBack ? Math.max(prompt, window ?? LARGEST_WINDOW) : prompt;
  const mayBeRaised = upstream === "openai" && target.dialect !== "chat" && target.operation === "generate";
  const allowed = mayBeRaised ? atLeast(LEAST_BOUND, question) : question;
  const outputTokens = likelyOutput(allowed, model, window);
  const tokens = { inputTokens, outputTokens: mostOutput(allowed, model, window) };
  const step = { upstream, model };
  const rounded = dearest(step, tokens, prices);
  // Less than half a millionth is not free.
  const most = rounded === 0 && dearest(step, millionOf(tokens), prices) !== 0 ? 1 : rounded;
  return most === undefined ? { inputTokens, outputTokens } : { inputTokens, outputTokens, costMicroUsd: most };
}

function atLeast(least: number, { maxOutputTokens: bound, answers }: Question) {
  return { answers, maxOutputTokens: bound === undefined ? undefined : Math.max(bound, least) };
}

function millionOf({ inputTokens, outputTokens }: Pick<WorstCase, "inputTokens" | "outputTokens">) {
  return { inputTokens: 1_000_000 * inputTokens, outputTokens: 1_000_000 * outputTokens };
}

/** A prompt may be plain, or go to a cache, which costs more, for an hour the most. */
function dearest(
  { upstream, model }: Pick<RouteStep, "upstream" | "model">,
  { inputTokens, outputTokens }: { readonly inputTokens: number; readonly outputTokens: number },
  prices: Prices,
): number | undefined {
  const now = Date.now();
  const costOf = (usage: Usage): number | undefined => prices.price(upstream, model, usage, now)?.costMicroUsd;
  const plain = costOf({ ...NO_USAGE, inputTokens, outputTokens });
  if (plain === undefined) return undefined;
  const cached = costOf({ ...NO_USAGE, cacheWriteTokens: inputTokens, outputTokens });
  const cachedLong = costOf({
    ...NO_USAGE,
    cacheWriteTokens: inputTokens,
    cacheWriteLongTokens: inputTokens,
    outputTokens,
  });
  return cached === undefined || cachedLong === undefined ? undefined : Math.max(plain, cached, cachedLong);
}
