import { type JsonObject, type LlmEvent, type LlmRequest, NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { LlmCodec } from "./codec.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";
import { bodyOf, bytesOf } from "./wire.testing.ts";

const think = (n: number): JsonObject => ({ type: "thinking", thinking: `Hm ${n}.`, signature: `S${n}` });
const redacted = (n: number): JsonObject => ({ type: "redacted_thinking", data: `R${n}` });
const text = (words = "Looking."): JsonObject => ({ type: "text", text: words });
const call = (n: number): JsonObject => ({ type: "tool_use", id: `c${n}`, name: "ls", input: { n } });

/** What Claude answered, and has to be given back in the next turn. */
const ANSWERS: readonly (readonly [string, readonly JsonObject[]])[] = [
  ["two thoughts, text, a call", [think(1), think(2), text(), call(1)]],
  ["two redacted thoughts, a call", [redacted(1), redacted(2), call(1)]],
  ["a redacted thought, text, a call", [redacted(1), text(), call(1)]],
  ["a thought, a redacted one, text, two calls", [think(1), redacted(2), text(), call(1), call(2)]],
  ["a thought before each call", [think(1), call(1), think(2), call(2)]],
  ["a thought, a call, a redacted thought, a call", [think(1), call(1), redacted(2), call(2)]],
  [
    "thoughts between texts, and texts between calls",
    [think(1), text("One."), think(2), text("Two."), call(1), think(3), text("Three."), redacted(4), call(2)],
  ],
];

describe.each(ANSWERS)("%s", (_name, blocks) => {
  describe.each([
    ["gemini", gemini, "contents", contentOfChunks],
    ["responses", openAiResponses, "input", itemsOfStream],
  ] as const)("through a client of %s", (_dialect, codec, field, kept) => {
    test.each([
      ["in one piece", () => encodedWhole(codec, blocks)],
      ["streamed", () => kept(codec.streamEncoder({ id: "1" }).push(eventsOf(blocks)))],
    ])("come back as they were, %s", (_how, answer) => {
      expect(nextTurn(codec, field, answer())).toEqual(blocks);
    });
  });

  test("come back from a client of gemini that keeps no thoughts, or each piece of them on its own", () => {
    const parts = partsOf(gemini.streamEncoder({ id: "1" }).push(eventsOf(blocks)));
    const withoutThoughts = parts.filter(({ thought }) => thought !== true);
    const inPieces = parts.flatMap((part) => (part.thought === true ? halves(part) : [part]));
    for (const each of [withoutThoughts, inPieces]) {
      expect(nextTurn(gemini, "contents", [{ role: "model", parts: joined(each) }])).toEqual(blocks);
    }
  });
});

test("a stream to a client of Anthropic Messages has a redacted thought in its place", () => {
  const encoder = anthropicMessages.streamEncoder({ id: "1" });
  const blocks = [redacted(1), text(), call(1)];
  const out = eventsOf(blocks).map((event) => encoder.push([event]));
  const started = dataOf(out.join("")).flatMap(({ content_block: block }) => (block === undefined ? [] : [block]));
  expect(started).toEqual([redacted(1), text(""), { ...call(1), input: {} }]);
});

/** What Claude is given of it when the conversation goes on. */
function nextTurn(codec: LlmCodec, field: "contents" | "input", answer: readonly JsonObject[]): unknown {
  const asked =
    field === "input"
      ? { type: "message", role: "user", content: "Look." }
      : { role: "user", parts: [{ text: "Look." }] };
  const results = answer.flatMap((item) => resultsOf(item));
  const decoded = codec.decodeRequest(
    JSON.stringify({ model: "claude-sonnet-5", [field]: [asked, ...answer, ...results] }),
  );
  if (!decoded.ok) throw new Error(decoded.problem);
  const request: LlmRequest = { ...decoded.request, model: "claude-sonnet-5" };
  const body = bodyOf(anthropicMessages.encodeRequest(request, { stream: false }));
  const [, answered] = body.messages as { content: JsonObject[] }[];
  return answered?.content.map(({ cache_control: _, ...block }) => block);
}

function resultsOf(item: JsonObject): JsonObject[] {
  if (item.type === "function_call")
    return [{ type: "function_call_output", call_id: item.call_id ?? "", output: "x" }];
  const responses = ((item.parts ?? []) as JsonObject[]).flatMap(({ functionCall }) =>
    functionCall === undefined
      ? []
      : [{ functionResponse: { ...(functionCall as JsonObject), response: { output: "x" } } }],
  );
  return responses.length === 0 ? [] : [{ role: "user", parts: responses }];
}

function encodedWhole(codec: LlmCodec, blocks: readonly JsonObject[]): JsonObject[] {
  const last = eventsOf(blocks).at(-1);
  if (last?.type !== "completed") throw new Error("no answer");
  const body = codec.encodeResponse(last.response, { id: "1" }) as {
    readonly output?: JsonObject[];
    readonly candidates?: { readonly content: JsonObject }[];
  };
  return body.output ?? body.candidates?.map(({ content }) => content) ?? [];
}

/** Claude's answer as it is streamed, one event each. */
function eventsOf(blocks: readonly JsonObject[]): LlmEvent[] {
  const wire = [
    { type: "message_start", message: { id: "m", model: "claude-sonnet-5", usage: NO_USAGE } },
    ...blocks.flatMap((block, index) => [
      { type: "content_block_start", index, content_block: emptied(block) },
      ...deltasOf(block).map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ]),
    { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: {} },
    { type: "message_stop" },
  ];
  return anthropicMessages
    .streamDecoder()
    .push(bytesOf(wire.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")));
}

function emptied(block: JsonObject): JsonObject {
  if (block.type === "thinking") return { type: "thinking", thinking: "", signature: "" };
  if (block.type === "tool_use") return { ...block, input: {} };
  return block.type === "text" ? text("") : block;
}

function deltasOf({ type, thinking, signature, text: words, input }: JsonObject): JsonObject[] {
  if (type === "thinking") {
    return [
      { type: "thinking_delta", thinking: thinking ?? "" },
      { type: "signature_delta", signature: signature ?? "" },
    ];
  }
  if (type === "tool_use") return [{ type: "input_json_delta", partial_json: JSON.stringify(input) }];
  return type === "text" ? [{ type: "text_delta", text: words ?? "" }] : [];
}

function dataOf(stream: string): JsonObject[] {
  return stream.split(/\r?\n/).flatMap((line) => (line.startsWith("data: ") ? [JSON.parse(line.slice(6))] : []));
}

/** Items in the order in which they are done, which is how clients keep them. */
function itemsOfStream(stream: string): JsonObject[] {
  return dataOf(stream).flatMap(({ type, item }) => (type === "response.output_item.done" ? [item as JsonObject] : []));
}

function partsOf(stream: string): JsonObject[] {
  type Chunk = { readonly candidates: { readonly content: { readonly parts: JsonObject[] } }[] };
  return (dataOf(stream) as Chunk[]).flatMap(({ candidates }) => candidates.flatMap(({ content }) => content.parts));
}

function contentOfChunks(stream: string): JsonObject[] {
  return [{ role: "model", parts: joined(partsOf(stream)) }];
}

function halves(part: JsonObject): JsonObject[] {
  const words = String(part.text);
  return [
    { ...part, text: words.slice(0, 2) },
    { ...part, text: words.slice(2) },
  ];
}

/** Texts in a row as one, as Google's clients keep them. */
function joined(parts: readonly JsonObject[]): JsonObject[] {
  const all: JsonObject[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    const goesOn = last !== undefined && isPlain(last) && isPlain(part);
    if (goesOn) all[all.length - 1] = { text: `${last.text}${part.text}` };
    else all.push(part);
  }
  return all;
}

function isPlain(part: JsonObject): boolean {
  return part.text !== undefined && part.thought !== true && part.thoughtSignature === undefined;
}
