import type { LlmFailure } from "@loom/core";
import { type LlmCodec, redactFailure } from "@loom/llm";
import type { Refusal } from "./attempt.ts";
import { codecFor } from "./codecs.ts";
import type { WireDialect } from "./target.ts";
import type { Upstream } from "./upstream.ts";

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

/** What the errors of one upstream mean, in the words of the dialect that it was asked in. */
export class UpstreamErrors {
  readonly #upstream: Upstream;
  readonly #dialect: WireDialect;
  readonly #redact: (text: string) => string;

  /** `redact` takes what this process keeps secret out of the provider's words. */
  constructor(upstream: Upstream, dialect: WireDialect, redact: (text: string) => string) {
    this.#upstream = upstream;
    this.#dialect = dialect;
    this.#redact = redact;
  }

  /** Of an HTTP error. */
  ofRefusal({ status, headers, body }: Refusal): ReadRefusal {
    const text = body.toString("utf8");
    const found = this.#codec.failureFromHttp({ status, headers, body: text }, Date.now());
    return this.#read(found, text, status === 429);
  }

  /** Of an error that comes with a status of success; `undefined` where it is an answer after all. */
  ofAnswer(text: string): ReadRefusal | undefined {
    const decoded = this.#codec.decodeResponse(text);
    if (decoded.ok) return undefined;
    return this.#read(decoded.failure, text, decoded.failure.code === "rate_limited");
  }

  /** Of what a stream begins with; `undefined` where that is no error. */
  ofFirstEvent(chunk: Buffer): LlmFailure | undefined {
    const [event] = this.#codec.streamDecoder().push(chunk);
    return event?.type === "error" ? event.error : undefined;
  }

  /** Of the last events of a stream, where they are the provider's own word that it failed. */
  ofLastEvents(events: string): LlmFailure | undefined {
    const decoder = this.#codec.streamDecoder();
    const last = [...decoder.push(Buffer.from(events, "utf8")), ...decoder.end()].at(-1);
    return last?.type === "error" && isRefusal(last.error) ? last.error : undefined;
  }

  get #codec(): LlmCodec {
    return codecFor(this.#upstream, this.#dialect);
  }

  #read(found: LlmFailure, text: string, isOfRate: boolean): ReadRefusal {
    const quotaExhausted = found.code === "budget_exceeded" || (isOfRate && QUOTA.test(text));
    const contextTooLong = found.code === "invalid_request" && TOO_LONG.test(text);
    return { failure: redactFailure(found, this.#redact), quotaExhausted, contextTooLong };
  }
}
