import type { Admission, WorstCase } from "../../gateway-types.ts";
import { fitsPattern } from "../../kit/name-pattern.ts";
import type { BudgetedNode } from "./budgeted-node.ts";
import { moneyLimit, type Periods, renewalOf, type Span } from "./periods.ts";

export type Refusal = Pick<Extract<Admission, { ok: false }>, "reason" | "message" | "retryAfterMs">;

export type Question = {
  readonly model: string;
  readonly worst: WorstCase;
  readonly periods: Periods;
  /** Monotonic and wall clock, in milliseconds. */
  readonly now: number;
  readonly wall: number;
  /** Whether models without a known price may be used by those who have a budget. */
  readonly allowUnpriced: boolean;
};

/** Nobody knows when a running request ends. */
const CONCURRENCY_RETRY_MS = 1_000;

/** Why this node cannot bear the request, as one sentence for whoever asked; nothing where it can. */
export function refusalOf(node: BudgetedNode, question: Question): Refusal | undefined {
  return refusedModel(node, question.model) ?? refusedMoney(node, question) ?? refusedRate(node, question);
}

function refusedModel(node: BudgetedNode, model: string): Refusal | undefined {
  const { models } = node.rule.limits;
  if (models === undefined || models.some((pattern) => fitsPattern(pattern, model))) return undefined;
  const asked = model === "" ? "a request without a model" : `the model ${quoted(model)}`;
  return { reason: "model", message: `${who(node)} may not use ${asked}: allowed is ${models.join(", ")}.` };
}

function refusedMoney(
  node: BudgetedNode,
  { worst, periods, wall, model, allowUnpriced }: Question,
): Refusal | undefined {
  const { limits } = node.rule;
  const cost = worst.costMicroUsd;
  // What costs nothing passes, also when everything has been spent.
  if (cost === 0) return undefined;
  const counters = node.counters(periods);
  for (let index = 0; index < counters.length; index += 1) {
    const span = node.spans[index];
    const counter = counters[index];
    const limit = span && moneyLimit(limits, span);
    if (limit === undefined || span === undefined || counter === undefined) continue;
    if (cost === undefined && !allowUnpriced) {
      const message = `The price of the model ${quoted(model)} is not known, so the budget of ${inside(node)} could not be kept: choose another model, or set LOOM_SERVER_UNPRICED_MODELS=allow on the Loom server.`;
      return { reason: "money", message };
    }
    const { committed } = counter;
    if (cost === undefined ? committed < limit : committed + Math.ceil(cost) <= limit) continue;
    const price = cost === undefined ? "" : `, and this request may cost up to ${usd(cost)}`;
    const message = `The budget of ${inside(node)} does not suffice: ${usd(committed)} of ${usd(limit)} ${PER[span]} are spent or reserved${price}; ${renewal(span, wall)}.`;
    return { reason: "money", message };
  }
  return undefined;
}

function refusedRate(node: BudgetedNode, { worst, now }: Question): Refusal | undefined {
  const { concurrency, requestsPerMinute, tokensPerMinute } = node.rule.limits;
  if (concurrency !== undefined && node.running >= concurrency) {
    const message = `${who(node)} may have ${count(concurrency, "request")} running at once and has ${node.running}: try again when one has ended.`;
    return { reason: "rate", message, retryAfterMs: CONCURRENCY_RETRY_MS };
  }
  const forRequest = node.requests?.waitFor(1, now) ?? 0;
  if (forRequest > 0) {
    const message = `${who(node)} may make ${count(requestsPerMinute ?? 0, "request")} a minute: try again in ${seconds(forRequest)}.`;
    return { reason: "rate", message, retryAfterMs: forRequest };
  }
  const forTokens = node.tokens?.waitFor(worst.inputTokens + worst.outputTokens, now) ?? 0;
  if (forTokens > 0) {
    const message = `${who(node)} may use ${count(tokensPerMinute ?? 0, "token")} a minute: try again in ${seconds(forTokens)}, or ask for fewer output tokens.`;
    return { reason: "rate", message, retryAfterMs: forTokens };
  }
  return undefined;
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
