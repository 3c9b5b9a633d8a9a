import type { LlmFailure } from "@loom/core";
import { ProblemError } from "../../kit/problem-reply.ts";

/** A failure of a provider as the answer to the client that asked. */
export function problemFor(failure: LlmFailure): ProblemError {
  return new ProblemError(failure.code, failure.message, {
    retryable: failure.retryable,
    retryAfterMs: failure.retryAfterMs,
  });
}
