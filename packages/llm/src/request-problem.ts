import type { JsonObject, JsonValue } from "@loom/core";
import type { EncodedRequest } from "./codec.ts";
import { quote } from "./quote.ts";

/** What is wrong with a request. Thrown by `refuse`, and caught by `readRequest` and `writeRequest` at the edge. */
export class RequestProblem extends Error {
  override readonly name = "RequestProblem";
}

/** Refuses the request. `path` says where (`messages.2.content`), `what` goes on as in "must be a string". */
export function refuse(path: string, what: string): never {
  throw new RequestProblem(`${path} ${what}.`);
}

/** Refuses a value that is known but has no counterpart in Loom, or that nobody knows. */
export function refuseValue(path: string, value: JsonValue | undefined): never {
  if (value === undefined) refuse(path, "is missing");
  refuse(path, `has a value that is not supported: ${quote(JSON.stringify(value))}`);
}

/** A body as `write` builds it: the first thing that it refuses becomes the `problem`. */
export function writeRequest(write: () => JsonObject, leftOut: readonly string[] = []): EncodedRequest {
  try {
    return { ok: true, body: write(), ...(leftOut.length === 0 ? {} : { leftOut }) };
  } catch (error) {
    if (error instanceof RequestProblem) return { ok: false, problem: error.message };
    throw error;
  }
}
