import type { Admission, WorstCase } from "../../gateway-types.ts";
import { fitsInAnyCase } from "../../kit/name-pattern.ts";
import type { BudgetedNode } from "./budgeted-node.ts";
import type { HeldRequest } from "./held-request.ts";
import type { MoneyCounter } from "./money-counter.ts";
import { moneyLimit, type Periods, renewalOf, SPANS, type Span } from "./periods.ts";
import { inUnits, SharedRate, UNIT } from "./shared-rates.ts";

export type Refusal = Pick<Extract<Admission, { ok: false }>, "reason" | "message" | "retryAfterMs">;

/** A limit of which nothing is in this process: the store has to be asked for a slice. */
export type Lack = { readonly counter: MoneyCounter; readonly cost: number };

export type Verdict = { readonly refusal: Refusal | undefined; readonly lacks: readonly Lack[] };

export type Question = {
  /** See `Budgets`. */
  readonly model: string | undefined;
  /** The field of the request by which the provider may take another model. */
  readonly choice: string | undefined;
  readonly worst: WorstCase;
  readonly periods: Periods;
  /** Monotonic and wall clock, in milliseconds. */
  readonly now: number;
  readonly wall: number;
  /** Whether models without a known price may be used by those who have a budget. */
  readonly allowUnpriced: boolean;
  /** The same request of a client, when it was tried elsewhere. */
  readonly before: HeldRequest | undefined;
};

/** Nobody knows when a running request ends. */
const CONCURRENCY_RETRY_MS = 1_000;
/** Servers give back what others are short of at least as often. */
const SLICE_RETRY_MS = 1_000;

/** Why this node cannot bear the request, as one sentence for whoever asked, or what has to be found out first. */
export function verdictOf(node: BudgetedNode, question: Question): Verdict {
  const forbidden = refusedModel(node, question.model) ?? refusedChoice(node, question);
  if (forbidden !== undefined) return { refusal: forbidden, lacks: NONE };
  const money = moneyVerdict(node, question);
  if (money.refusal !== undefined) return money;
  const rate = node.slots === undefined ? refusedRate(node, question) : sharedRateVerdict(node, node.slots, question);
  if (rate === undefined) return money;
  if ("message" in rate) return { refusal: rate, lacks: NONE };
  return { refusal: undefined, lacks: [...money.lacks, ...rate] };
}

const NONE: readonly Lack[] = [];
const FINE: Verdict = { refusal: undefined, lacks: NONE };

function refusedModel(node: BudgetedNode, model: string | undefined): Refusal | undefined {
  const { models } = node.rule.limits;
  if (model === undefined || models === undefined || models.some((pattern) => fitsInAnyCase(pattern, model)))
    return undefined;
  const asked = model === "" ? "a request without a model" : `the model ${quoted(model)}`;
  return { reason: "model", message: `${who(node)} may not use ${asked}: allowed is ${models.join(", ")}.` };
}

/** Which model is limited, and what it costs, is known of the one that the request names. */
function refusedChoice(node: BudgetedNode, { choice, allowUnpriced }: Question): Refusal | undefined {
  if (choice === undefined) return undefined;
  const { limits } = node.rule;
  const hasBudget = !allowUnpriced && SPANS.some((span) => moneyLimit(limits, span) !== undefined);
  if (limits.models === undefined && !hasBudget) return undefined;
  const limit = limits.models === undefined ? "budget" : "list of models";
  const message = `${who(node)} may not use the field ${choice} like this: it lets the provider take another model, so that the ${limit} of ${inside(node)} could not be kept. Name one model, and leave the rest out.`;
  return { reason: "model", message };
}

function moneyVerdict(node: BudgetedNode, question: Question): Verdict {
  const { limits } = node.rule;
  const { periods, now, allowUnpriced } = question;
  const cost = question.worst.costMicroUsd;
  // What costs nothing passes, also when everything has been spent.
  if (cost === 0) return FINE;
  let lacks: Lack[] | undefined;
  const counters = node.counters(periods);
  for (let index = 0; index < counters.length; index += 1) {
    const span = node.spans[index];
    const counter = counters[index];
    const limit = span && moneyLimit(limits, span);
    if (limit === undefined || span === undefined || counter === undefined) continue;
    if (cost === undefined) {
      if (!allowUnpriced) return { refusal: unpriced(node, question), lacks: NONE };
      if (counter.committed < limit) continue;
      return { refusal: exhausted(node, { span, counter, limit, question }), lacks: NONE };
    }
    const whole = Math.ceil(cost);
    if (whole <= counter.free(limit, now)) continue;
    if (whole > limit || counter.isExhausted(whole, limit, now)) {
      return { refusal: exhausted(node, { span, counter, limit, question }), lacks: NONE };
    }
    lacks ??= [];
    lacks.push({ counter, cost: whole });
  }
  return lacks === undefined ? FINE : { refusal: undefined, lacks };
}

function unpriced(node: BudgetedNode, { model, worst }: Question): Refusal {
  if (worst.isUnbounded === true || model === undefined || model === "") {
    const message = `What such a request costs is not known before it is done, so the budget of ${inside(node)} could not be kept: set LOOM_SERVER_UNPRICED_MODELS=allow on the Loom server to let it pass.`;
    return { reason: "money", message };
  }
  const message = `The price of the model ${quoted(model)} is not known, so the budget of ${inside(node)} could not be kept: choose another model, or set LOOM_SERVER_UNPRICED_MODELS=allow on the Loom server.`;
  return { reason: "money", message };
}

type Limited = {
  readonly span: Span;
  readonly counter: MoneyCounter;
  readonly limit: number;
  readonly question: Question;
};

function exhausted(node: BudgetedNode, { span, counter, limit, question }: Limited): Refusal {
  const { wall, worst } = question;
  const { committed, slackElsewhere } = counter;
  const cost = worst.costMicroUsd;
  if (slackElsewhere > 0 && committed - slackElsewhere + Math.ceil(cost ?? 1) <= limit) {
    const message = `The rest of the budget of ${inside(node)} is set aside at another server of this Loom, which gives it back: try again in a second.`;
    return { reason: "rate", message, retryAfterMs: SLICE_RETRY_MS };
  }
  const price = cost === undefined ? "" : `, and this request may cost up to ${usd(cost)}`;
  const message = `The budget of ${inside(node)} does not suffice: ${usd(committed)} of ${usd(limit)} ${PER[span]} are spent or reserved${price}; ${renewal(span, wall)}.`;
  return { reason: "money", message };
}

function refusedRate(node: BudgetedNode, { worst, now, before }: Question): Refusal | undefined {
  const { concurrency, requestsPerMinute, tokensPerMinute } = node.rule.limits;
  if (concurrency !== undefined && node.running >= concurrency) return tooMany(node, concurrency, `${node.running}`);
  const counted = before?.countedOn(node);
  const forRequest = counted === undefined ? (node.requests?.waitFor(1, now) ?? 0) : 0;
  if (forRequest > 0) return tooOften(node, requestsPerMinute ?? 0, forRequest);
  const forTokens = node.tokens?.waitFor(worst.inputTokens + worst.outputTokens, now, counted) ?? 0;
  if (forTokens > 0) return tooMuch(node, tokensPerMinute ?? 0, forTokens);
  return undefined;
}

/** Of limits that several servers share: what this one may still let in, is in its slices. */
function sharedRateVerdict(
  node: BudgetedNode,
  slots: MoneyCounter,
  { worst, now, before }: Question,
): Refusal | readonly Lack[] | undefined {
  const { requests, tokens, rule } = node;
  const { concurrency } = rule.limits;
  const counted = before?.countedOn(node);
  let lacks: Lack[] | undefined;
  const fits = (counter: MoneyCounter, limit: number, cost: number): boolean => {
    if (cost <= 0 || cost <= counter.free(limit, now)) return true;
    if (counter.isExhausted(cost, limit, now)) return false;
    lacks ??= [];
    lacks.push({ counter, cost });
    return true;
  };
  if (concurrency !== undefined && !fits(slots, inUnits(concurrency), UNIT)) {
    const elsewhere = slots.heldElsewhere / UNIT;
    return tooMany(
      node,
      concurrency,
      elsewhere === 0 ? `${node.running}` : `${node.running}, and other servers of this Loom ${elsewhere}`,
    );
  }
  if (
    requests instanceof SharedRate &&
    counted === undefined &&
    !fits(requests.counter, inUnits(requests.perMinute), UNIT)
  ) {
    return tooOften(node, requests.perMinute, sharedWait(requests, { amount: 1, now, counted }));
  }
  if (tokens instanceof SharedRate) {
    const amount = worst.inputTokens + worst.outputTokens;
    const cost = inUnits(Math.min(amount, tokens.perMinute)) - inUnits(counted ?? 0);
    if (!fits(tokens.counter, inUnits(tokens.perMinute), cost)) {
      return tooMuch(node, tokens.perMinute, sharedWait(tokens, { amount, now, counted }));
    }
  }
  return lacks;
}

/** Until it has filled up, or until others have given back what they hold of it. */
function sharedWait(
  limit: SharedRate,
  { amount, now, counted }: { readonly amount: number; readonly now: number; readonly counted: number | undefined },
): number {
  return Math.max(limit.waitFor(amount, now, counted), limit.counter.heldElsewhere > 0 ? SLICE_RETRY_MS : 1);
}

function tooMany(node: BudgetedNode, limit: number, has: string): Refusal {
  const message = `${who(node)} may have ${count(limit, "request")} running at once and has ${has}: try again when one has ended.`;
  return { reason: "rate", message, retryAfterMs: CONCURRENCY_RETRY_MS };
}

function tooOften(node: BudgetedNode, limit: number, retryAfterMs: number): Refusal {
  const message = `${who(node)} may make ${count(limit, "request")} a minute: try again in ${seconds(retryAfterMs)}.`;
  return { reason: "rate", message, retryAfterMs };
}

function tooMuch(node: BudgetedNode, limit: number, retryAfterMs: number): Refusal {
  const message = `${who(node)} may use ${count(limit, "token")} a minute: try again in ${seconds(retryAfterMs)}, or ask for fewer output tokens.`;
  return { reason: "rate", message, retryAfterMs };
}

const PER: Readonly<Record<Span, string>> = { day: "a day", month: "a month", total: "in total" };

function renewal(span: Span, wall: number): string {
  const at = renewalOf(span, wall);
  return at === undefined ? "it does not renew" : `it renews at ${new Date(at).toISOString().replace(".000Z", "Z")}`;
}

/** Ids of sessions and models come from clients: no more of them than a sentence bears. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function inside({ kind, id, rule }: BudgetedNode): string {
  if (kind === "token" && id === "owner") return "the owner";
  return `the ${kind} ${quoted(rule.label ?? id)}`;
}

function who(node: BudgetedNode): string {
  const name = inside(node);
  return `T${name.slice(1)}`;
}

function usd(microUsd: number): string {
  const dollars = microUsd / 1_000_000;
  return `${microUsd % 10_000 === 0 ? dollars.toFixed(2) : dollars.toFixed(dollars < 0.01 ? 6 : 4)} USD`;
}

function count(amount: number, noun: string): string {
  return `${amount.toLocaleString("en-US")} ${noun}${amount === 1 ? "" : "s"}`;
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
