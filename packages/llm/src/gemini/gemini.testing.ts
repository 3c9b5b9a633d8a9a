import type { JsonObject, JsonValue, LlmEvent, LlmResponse } from "@loom/core";
import { bytesOf } from "../wire.testing.ts";
import { gemini } from "./codec.ts";

/** Chunks as events, with the line ends that the provider has. */
export function stream(...chunks: readonly JsonValue[]): string {
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join("");
}

/** The same chunks as the stream without `alt=sse`. */
export function arrayStream(...chunks: readonly JsonValue[]): string {
  return `[${chunks.map((chunk) => JSON.stringify(chunk, null, 2)).join("\n,\r\n")}\n]\n`;
}

export function chunk(parts: readonly JsonObject[], fields: JsonObject = {}): JsonObject {
  const { finishReason, ...rest } = fields;
  const reason = finishReason === undefined ? {} : { finishReason };
  return {
    candidates: [{ content: { role: "model", parts }, ...reason, index: 0 }],
    modelVersion: "gemini-test",
    responseId: "r1",
    ...rest,
  };
}

export const STOP = { finishReason: "STOP" };

/** Every event that a stream gives, its end included. */
export function decode(...pieces: readonly (string | Uint8Array)[]): LlmEvent[] {
  return decodeAll(pieces);
}

export function decodeAll(pieces: readonly (string | Uint8Array)[]): LlmEvent[] {
  const decoder = gemini.streamDecoder();
  const events = pieces.flatMap((piece) => decoder.push(typeof piece === "string" ? bytesOf(piece) : piece));
  return [...events, ...decoder.end()];
}

/** The answer of a stream that has to end well. */
export function answerOf(...pieces: readonly (string | Uint8Array)[]): LlmResponse {
  const last = decodeAll(pieces).at(-1);
  if (last?.type !== "completed") throw new Error(`The stream did not complete: ${JSON.stringify(last)}`);
  return last.response;
}
