import type { JsonObject, LlmEvent } from "@loom/core";
import fc from "fast-check";
import type { EncodedRequest } from "./codec.ts";

const encoder = new TextEncoder();

/** The body of a request that can be said; the problem of one that cannot, as an error. */
export function bodyOf(encoded: EncodedRequest): JsonObject {
  if (!encoded.ok) throw new Error(encoded.problem);
  return encoded.body;
}

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The same bytes whole and cut at random places, also into single bytes and empty pieces. */
export function splits(whole: Uint8Array): fc.Arbitrary<{ whole: Uint8Array; chunks: Uint8Array[] }> {
  const everyByte = fc.constant(Array.from(whole.keys()));
  const somewhere = fc.array(fc.nat(whole.length), { maxLength: 12 });
  return fc.oneof({ weight: 1, arbitrary: everyByte }, { weight: 4, arbitrary: somewhere }).map((cuts) => {
    const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
    return { whole, chunks: places.slice(1).map((end, index) => whole.slice(places[index], end)) };
  });
}

/** The events with neighbouring texts put together, which a decoder may do or leave. */
export function withTextsJoined(events: readonly LlmEvent[]): LlmEvent[] {
  const joined: LlmEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (last?.type === "text_delta" && event.type === "text_delta") {
      joined[joined.length - 1] = { type: "text_delta", text: last.text + event.text };
    } else joined.push(event);
  }
  return joined;
}
