import type { JsonValue, LlmEvent, LlmResponse } from "@loom/core";
import { bytesOf } from "../wire.testing.ts";
import { openAiChat } from "./codec.ts";

/** A stream of `data:` events; strings go in as they are. */
export function stream(...chunks: readonly JsonValue[]): string {
  return chunks.map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`).join("");
}

/** A chunk with one choice, as OpenAI sends it. */
export function chunk(delta: JsonValue, finishReason: string | null = null): JsonValue {
  return {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "gpt-test",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  };
}

/** A chunk with fragments of tool calls. */
export function calls(...fragments: readonly JsonValue[]): JsonValue {
  return chunk({ tool_calls: fragments });
}

export function usageChunk(usage: JsonValue): JsonValue {
  return { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-test", choices: [], usage };
}

/** Every event that a stream gives, its end included. */
export function decode(...pieces: readonly (string | Uint8Array)[]): LlmEvent[] {
  const decoder = openAiChat.streamDecoder();
  const events = pieces.flatMap((piece) => decoder.push(typeof piece === "string" ? bytesOf(piece) : piece));
  return [...events, ...decoder.end()];
}

/** The answer of a stream that has to end well. */
export function answerOf(text: string): LlmResponse {
  const last = decode(text).at(-1);
  if (last?.type !== "completed") throw new Error(`The stream did not complete: ${JSON.stringify(last)}`);
  return last.response;
}
