import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { LlmCodec } from "./codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";

const word = (content: string) => ({ choices: [{ index: 0, delta: { content } }] });
const stop = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
const counts = (tokens: number) => ({ usage: { prompt_tokens: 7, completion_tokens: tokens } });

const part = (text: string, tokens: number) => ({
  candidates: [{ content: { parts: [{ text }] }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 7, candidatesTokenCount: tokens },
});
const blocked = { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 7 } };

const start = { type: "message_start", message: { id: "m", usage: { input_tokens: 7, output_tokens: 1 } } };
const delta = { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hi" } };
const end = { type: "message_delta", delta: { stop_reason: "end_turn" } };

describe("the counts in a stream", () => {
  test.each<readonly [name: string, whole: boolean, codec: LlmCodec, events: readonly object[]]>([
    ["with the reason to stop", true, openAiChat, [word("Hi"), { ...stop, ...counts(9) }]],
    ["behind the reason to stop", true, openAiChat, [word("Hi"), stop, { choices: [], ...counts(9) }]],
    ["in a choice", true, openAiChat, [word("Hi"), { choices: [{ ...stop.choices[0], ...counts(9) }] }]],
    ["before it only", false, openAiChat, [{ ...word("Hi"), ...counts(9) }, stop]],
    ["of no output beside a text", false, openAiChat, [word("Hi"), stop, { choices: [], ...counts(0) }]],
    ["before more of the text", false, openAiChat, [{ ...stop, ...counts(9) }, word("Hi")]],
    [
      "in events that are all alike",
      false,
      openAiChat,
      ["H", "i"].map((content) => ({
        choices: [{ index: 0, delta: { content }, finish_reason: "stop" }],
        ...counts(9),
      })),
    ],
    ["of Gemini, in the only event", true, gemini, [part("Hi", 9)]],
    ["of Gemini, in each event", false, gemini, [part("H", 1), part("i", 2)]],
    ["of a prompt that was blocked", true, gemini, [blocked]],
    ["of Anthropic, at both ends", true, anthropicMessages, [start, delta, { ...end, usage: { output_tokens: 9 } }]],
    ["of Anthropic, at the beginning only", false, anthropicMessages, [start, delta, end]],
  ])("%s: all of them %s", (_name, whole, codec, events) => {
    const decoder = codec.streamDecoder();
    for (const event of events) {
      const name = "type" in event ? `event: ${event.type}\n` : "";
      decoder.push(Buffer.from(`${name}data: ${JSON.stringify(event)}\n\n`));
    }
    expect(decoder.finished && decoder.counted).toBe(whole);
  });
});
