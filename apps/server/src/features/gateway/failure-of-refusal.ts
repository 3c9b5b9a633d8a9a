import type { LlmFailure } from "@loom/core";
import { type LlmCodec, redactFailure } from "@loom/llm";
import type { Refusal } from "./attempt.ts";

export type ReadRefusal = {
  readonly failure: LlmFailure;
  readonly quotaExhausted?: boolean;
  /** The prompt does not fit into the model; a larger one could take it. */
  readonly contextTooLong?: boolean;
};

/** A 429 about money or a quota is over when the quota is, and not when a second has passed. */
const QUOTA = /quota|credit|billing|balance/i;

/**
 * How the providers say it: "prompt is too long: 210000 tokens > 200000 maximum", "maximum context length",
 * `context_length_exceeded`, "exceeds the context window", "exceeds the maximum number of tokens", and Z.ai's 1261.
 */
const TOO_LONG =
  /prompt is too long|context[ _](?:length|window)|exceeds the maximum number of tokens|prompt exceeds max length|"1261"/i;

/** Found by Loom in what came: nobody has refused anything. */
const NO_REFUSALS: ReadonlySet<string> = new Set(["network", "invalid_response"]);

/** Whether a failure that a codec found in the bytes of an answer is the provider's own word, and not that they are none. */
export function isRefusal({ code }: LlmFailure): boolean {
  return !NO_REFUSALS.has(code);
}

/** What an error means that a provider gives with a status of success; `undefined` where it is none. */
export function readErrorAnswer(
  text: string,
  codec: LlmCodec,
  redact: (text: string) => string,
): ReadRefusal | undefined {
  const decoded = codec.decodeResponse(text);
  if (decoded.ok) return undefined;
  const { failure } = decoded;
  const { code } = failure;
  const quotaExhausted = code === "budget_exceeded" || (code === "rate_limited" && QUOTA.test(text));
  const contextTooLong = code === "invalid_request" && TOO_LONG.test(text);
  return { failure: redactFailure(failure, redact), quotaExhausted, contextTooLong };
}

/** What a provider's HTTP error means. `redact` takes what this process keeps secret out of its words. */
export function readRefusal(
  { status, headers, body }: Refusal,
  codec: LlmCodec,
  redact: (text: string) => string,
): ReadRefusal {
  const text = body.toString("utf8");
  const found = codec.failureFromHttp({ status, headers, body: text }, Date.now());
  const quotaExhausted = found.code === "budget_exceeded" || (status === 429 && QUOTA.test(text));
  const contextTooLong = found.code === "invalid_request" && TOO_LONG.test(text);
  return { failure: redactFailure(found, redact), quotaExhausted, contextTooLong };
}
