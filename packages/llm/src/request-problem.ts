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

/** Refuses more stop sequences than a provider takes, before that does. `most` absent: nobody says how many. */
export function refuseMoreStops(sequences: readonly string[], most: number | undefined, who: string): void {
  if (most === undefined || sequences.length <= most) return;
  refuse("stopSequences", `holds ${sequences.length} sequences, and ${who} takes ${most} at most`);
}

/**
 * A body as `write` builds it: the first thing that it refuses becomes the `problem`. `leftOut` may be known before, or come
 * up while it is written.
 */
export function writeRequest(
  write: (leaveOut: (...names: readonly string[]) => void) => JsonObject,
  leftOut: readonly string[] = [],
): EncodedRequest {
  const names = [...leftOut];
  try {
    const body = write((...more) => void names.push(...more));
    return { ok: true, body, ...(names.length === 0 ? {} : { leftOut: names }) };
  } catch (error) {
    if (error instanceof RequestProblem) return { ok: false, problem: error.message };
    throw error;
  }
}
