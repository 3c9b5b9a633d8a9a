import type { AssistantContent, JsonObject, LlmEvent, LlmResponse } from "@loom/core";
import { bytesOf } from "../wire.testing.ts";
import { anthropicMessages } from "./codec.ts";

/** One event as the provider writes it. */
export function wire(data: JsonObject): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function start(usage: JsonObject = { input_tokens: 10, output_tokens: 1 }): string {
  const message = { id: "msg_01", type: "message", role: "assistant", model: "claude-test", content: [], usage };
  return wire({ type: "message_start", message: { ...message, stop_reason: null, stop_sequence: null } });
}

export function open(index: number, block: JsonObject): string {
  return wire({ type: "content_block_start", index, content_block: block });
}

export function delta(index: number, content: JsonObject): string {
  return wire({ type: "content_block_delta", index, delta: content });
}

export function stop(index: number): string {
  return wire({ type: "content_block_stop", index });
}

export function text(index: number, ...pieces: readonly string[]): string {
  const deltas = pieces.map((piece) => delta(index, { type: "text_delta", text: piece }));
  return open(index, { type: "text", text: "" }) + deltas.join("") + stop(index);
}

export function tool(index: number, id: string, ...pieces: readonly string[]): string {
  const deltas = pieces.map((piece) => delta(index, { type: "input_json_delta", partial_json: piece }));
  return open(index, { type: "tool_use", id, name: "bash", input: {} }) + deltas.join("") + stop(index);
}

export function reason(stopReason: string, usage: JsonObject = { output_tokens: 7 }): string {
  return wire({ type: "message_delta", delta: { stop_reason: stopReason, stop_sequence: null }, usage });
}

export const STOP = wire({ type: "message_stop" });

/** Every event that a stream gives, its end included. */
export function decode(...chunks: readonly (string | Uint8Array)[]): LlmEvent[] {
  const decoder = anthropicMessages.streamDecoder();
  const events = chunks.flatMap((chunk) => decoder.push(typeof chunk === "string" ? bytesOf(chunk) : chunk));
  return [...events, ...decoder.end()];
}

/** The answer of a stream that has to end well. */
export function answerOf(...chunks: readonly (string | Uint8Array)[]): LlmResponse {
  const last = decode(...chunks).at(-1);
  if (last?.type !== "completed") throw new Error(`The stream did not complete: ${JSON.stringify(last)}`);
  return last.response;
}

/** The blocks of an answer whose stream holds these events between its start and its end. */
export function contentOf(...blocks: readonly string[]): readonly AssistantContent[] {
  return answerOf(start(), ...blocks, reason("end_turn"), STOP).message.content;
}
