import type { LlmFailure } from "@loom/core";
import type { LlmCodec } from "@loom/llm";
import type { Refusal } from "./attempt.ts";

export type ReadRefusal = { readonly failure: LlmFailure; readonly quotaExhausted: boolean };

/** A 429 about money or a quota is over when the quota is, and not when a second has passed. */
const QUOTA = /quota|credit|billing|balance/i;

/** What a provider's HTTP error means. `redact` takes what this process keeps secret out of its words. */
export function readRefusal(
  { status, headers, body }: Refusal,
  codec: LlmCodec,
  redact: (text: string) => string,
): ReadRefusal {
  const text = body.toString("utf8");
  const found = codec.failureFromHttp({ status, headers, body: text }, Date.now());
  const quotaExhausted = found.code === "budget_exceeded" || (status === 429 && QUOTA.test(text));
  return { failure: { ...found, message: redact(found.message) }, quotaExhausted };
}
