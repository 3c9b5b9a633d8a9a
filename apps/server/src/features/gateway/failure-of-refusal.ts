import type { LlmFailure } from "@loom/core";
import type { LlmCodec } from "@loom/llm";
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
  return { failure: { ...found, message: redact(found.message) }, quotaExhausted, contextTooLong };
}
