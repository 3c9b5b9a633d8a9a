import type { JsonObject, LlmEvent, LlmResponse } from "@loom/core";
import { bytesOf } from "../wire.testing.ts";
import { openAiResponses } from "./codec.ts";

/** One event as the provider writes it. */
export function wire(data: JsonObject): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

export const CREATED = wire({
  type: "response.created",
  sequence_number: 0,
  response: { id: "resp_1", object: "response", status: "in_progress", model: "gpt-test", output: [] },
});

export function added(index: number, item: JsonObject): string {
  return wire({ type: "response.output_item.added", output_index: index, item });
}

export function done(index: number, item: JsonObject): string {
  return wire({ type: "response.output_item.done", output_index: index, item });
}

/** A part's delta or its end, e.g. `part("output_text.delta", 0, { delta: "Hi" })`. */
export function part(type: string, index: number, fields: JsonObject): string {
  return wire({ type: `response.${type}`, item_id: `item_${index}`, output_index: index, content_index: 0, ...fields });
}

export function message(index: number, ...pieces: readonly string[]): string {
  const item = { id: `item_${index}`, type: "message", role: "assistant" };
  const text = pieces.join("");
  const content = [{ type: "output_text", text, annotations: [] }];
  return [
    added(index, { ...item, status: "in_progress", content: [] }),
    part("content_part.added", index, { part: { type: "output_text", text: "", annotations: [] } }),
    ...pieces.map((delta) => part("output_text.delta", index, { delta })),
    part("output_text.done", index, { text }),
    part("content_part.done", index, { part: { type: "output_text", text, annotations: [] } }),
    done(index, { ...item, status: "completed", content }),
  ].join("");
}

export function call(index: number, callId: string, ...pieces: readonly string[]): string {
  const item = { id: `item_${index}`, type: "function_call", call_id: callId, name: "bash" };
  const text = pieces.join("");
  return [
    added(index, { ...item, status: "in_progress", arguments: "" }),
    ...pieces.map((delta) => part("function_call_arguments.delta", index, { delta })),
    part("function_call_arguments.done", index, { arguments: text, name: "bash" }),
    done(index, { ...item, status: "completed", arguments: text }),
  ].join("");
}

export function end(type: "completed" | "incomplete" | "failed", fields: JsonObject = {}): string {
  const response = { id: "resp_1", object: "response", status: type, model: "gpt-test", output: [], ...fields };
  return wire({ type: `response.${type}`, response });
}

/** Every event that a stream gives, its end included. */
export function decode(...pieces: readonly (string | Uint8Array)[]): LlmEvent[] {
  return decodeAll(pieces);
}

export function decodeAll(pieces: readonly (string | Uint8Array)[]): LlmEvent[] {
  const decoder = openAiResponses.streamDecoder();
  const events = pieces.flatMap((piece) => decoder.push(typeof piece === "string" ? bytesOf(piece) : piece));
  return [...events, ...decoder.end()];
}

/** The answer of a stream that has to end well. */
export function answerOf(...pieces: readonly (string | Uint8Array)[]): LlmResponse {
  const last = decodeAll(pieces).at(-1);
  if (last?.type !== "completed") throw new Error(`The stream did not complete: ${JSON.stringify(last)}`);
  return last.response;
}
