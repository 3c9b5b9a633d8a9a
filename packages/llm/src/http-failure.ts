import type { JsonObject, LlmErrorCode, LlmFailure } from "@loom/core";
import type { HttpFailure } from "./codec.ts";
import { JsonObjectEnd } from "./json-end.ts";
import { parseJsonObject } from "./json-reader.ts";
import { quote } from "./quote.ts";

/** `setTimeout` fires at once for more than 24.8 days, and nobody waits for one. */
const MAX_RETRY_AFTER_MS = 24 * 60 * 60 * 1000;

/** What a dialect finds in an error body: its own words, and a code where its own error type says more than the status. */
export type ErrorDetail = { readonly said?: string; readonly code?: LlmErrorCode };

/** An HTTP answer that is no success, as a failure. `read` is the dialect's own reading of a JSON body. */
export function failureFromStatus(
  { status, headers, body }: HttpFailure,
  nowMs: number,
  read: (body: JsonObject) => ErrorDetail,
): LlmFailure {
  const detail = readErrorBody(body, read);
  // "Trouble of mine" is what some say of everything: about a request or a key, the status knows better.
  const isVague = detail.code === "overloaded" && status < 500;
  const code = isVague || detail.code === undefined ? codeForStatus(status) : detail.code;
  const wish = firstValue(headers["x-should-retry"]);
  const retryAfterMs = retryAfter(headers, nowMs);
  return providerFailure({
    code,
    status,
    ...(detail.said === undefined ? {} : { said: detail.said }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(wish === "true" || wish === "false" ? { retryable: wish === "true" } : {}),
  });
}

/** What an error body says, whatever it is. */
export function readErrorBody(body: string, read: (body: JsonObject) => ErrorDetail): ErrorDetail {
  const json = parseJsonObject(body);
  if (json !== undefined) return read(json);
  // A page of HTML comes from something in between, and says nothing that a quote would make clearer.
  return body.trimStart().startsWith("<") ? {} : { said: body };
}

export type ProviderProblem = {
  readonly code: LlmErrorCode;
  /** The provider's own words, as they came: they are bounded and masked here. */
  readonly said?: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  /** Default: what the code says. */
  readonly retryable?: boolean;
  /** What happened, and what to do, where there is more to say than the code says. */
  readonly sentence?: readonly [string, string];
};

/** What the sentence of a failure was made of; of its words a little more than a quote reads. */
const problems = new WeakMap<LlmFailure, ProviderProblem>();
const MAX_SAID = 8_192;

/** A failure with a sentence for a person. */
export function providerFailure(problem: ProviderProblem): LlmFailure {
  const failure = failureOf(problem);
  const { said } = problem;
  if (said !== undefined) problems.set(failure, { ...problem, said: said.slice(0, MAX_SAID) });
  return failure;
}

/** The same failure with another wait: no spread, which would lose what its words were. */
export function withRetryAfter(failure: LlmFailure, retryAfterMs: number): LlmFailure {
  const changed = { ...failure, retryAfterMs };
  const problem = problems.get(failure);
  if (problem !== undefined) problems.set(changed, problem);
  return changed;
}

/**
 * The failure without what is secret. Its words are looked at as the provider said them: in the sentence they are masked
 * and cut, and half a secret is found by nobody.
 */
export function redactFailure(failure: LlmFailure, redact: (text: string) => string): LlmFailure {
  const problem = problems.get(failure);
  const clean = problem?.said === undefined ? problem : { ...problem, said: redact(problem.said) };
  const isClean = clean === undefined || clean.said === problem?.said;
  return { ...failure, message: redact(isClean ? failure.message : failureOf(clean).message) };
}

function failureOf({ code, said, status, retryAfterMs, retryable, sentence }: ProviderProblem): LlmFailure {
  const [what, usualAdvice] = sentence ?? SENTENCES[code];
  const advice = (code === "rate_limited" && adviceToWait(retryAfterMs)) || usualAdvice;
  const words = said === undefined ? "" : quote(said);
  const facts = [...(status === undefined ? [] : [`HTTP ${status}`]), ...(words === "" ? [] : [`"${words}"`])];
  const where = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  return {
    code,
    message: `${what}${where}: ${advice}.`,
    retryable: retryable ?? RETRYABLE.has(code),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status }),
  };
}

/** The body of an answer in one piece that no codec could read: something else, or an answer without its end. */
export function unreadableAnswer(body: string): LlmFailure {
  const code = "invalid_response";
  return isCut(body)
    ? providerFailure({ code, sentence: ["The provider's answer ended too early", "try again"], retryable: true })
    : providerFailure({ code, said: body, retryable: true });
}

function isCut(body: string): boolean {
  if (!/^\s*[{[]/.test(body)) return false;
  const end = new JsonObjectEnd();
  end.push(body);
  return !end.ended;
}

/** For a time that nobody waits out: how long it is. */
function adviceToWait(retryAfterMs: number | undefined): string | undefined {
  const minutes = Math.ceil((retryAfterMs ?? 0) / 60_000);
  if (minutes < 2) return undefined;
  return minutes < 120 ? `try again in ${minutes} minutes` : `try again in ${Math.ceil(minutes / 60)} hours`;
}

export function codeForStatus(status: number): LlmErrorCode {
  if (status >= 500) return "overloaded";
  if (status < 400) return "invalid_response";
  return CLIENT_ERRORS[status] ?? "invalid_request";
}

/** Milliseconds from `retry-after-ms`, or from `retry-after` in seconds or as a date (RFC 9110, 10.2.3); at most a day. */
export function retryAfter(headers: HttpFailure["headers"], nowMs: number): number | undefined {
  const exact = decimal(firstValue(headers["retry-after-ms"]));
  if (exact !== undefined) return bounded(exact);
  const value = firstValue(headers["retry-after"]);
  const seconds = decimal(value);
  if (seconds !== undefined) return bounded(seconds * 1000);
  if (value === undefined || !/^[A-Z][a-z]{2}/.test(value)) return undefined;
  const date = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(date) ? undefined : bounded(date - nowMs);
}

const CLIENT_ERRORS: Readonly<Record<number, LlmErrorCode>> = {
  401: "unauthorized",
  402: "budget_exceeded",
  403: "unauthorized",
  404: "unknown_model",
  408: "timeout",
  // A conflict with another request of the same key; the providers' own clients try again.
  409: "overloaded",
  429: "rate_limited",
};

const RETRYABLE: ReadonlySet<LlmErrorCode> = new Set(["network", "timeout", "rate_limited", "overloaded"]);

/** What happened, and what to do. */
const SENTENCES: Readonly<Record<LlmErrorCode, readonly [string, string]>> = {
  network: ["The connection to the provider broke", "check the network of the server, or try again"],
  timeout: ["The provider took too long", "try again"],
  rate_limited: ["The provider is limiting the rate of this key", "wait a little and try again"],
  overloaded: ["The provider is overloaded or in trouble", "try again in a while"],
  unauthorized: ["The provider refused the server's key", "check the key that the server has for this provider"],
  unknown_model: [
    "The provider does not know this model or address",
    "check the model's name and the provider's address",
  ],
  budget_exceeded: ["The account at the provider has no credit left", "check its billing"],
  invalid_request: ["The provider refused the request", "change the request, sending it again would not help"],
  invalid_response: ["The provider did not answer in its own protocol", "check the provider's address"],
  not_configured: ["The provider has no key on the server", "configure one"],
  internal: ["The request failed inside the server", "see the server's log"],
};

function firstValue(header: string | readonly string[] | undefined): string | undefined {
  return (typeof header === "string" ? header : header?.[0])?.trim();
}

function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function bounded(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), MAX_RETRY_AFTER_MS);
}
