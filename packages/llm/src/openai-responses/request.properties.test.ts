import type { JsonObject, LlmRequest, Message, UserContent } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { answer, id, name, object, words } from "./arbitrary.testing.ts";
import { openAiResponses } from "./codec.ts";

describe("a request that is written and read again", () => {
  const text = words.map((text) => ({ type: "text" as const, text }));
  const data = fc.base64String({ minLength: 4 });
  const media = fc.oneof(
    data.map((bytes): UserContent => ({ type: "image", mediaType: "image/png", data: bytes })),
    id.map((fileId): UserContent => ({ type: "remote_image", source: { type: "file", fileId } })),
    name.map((host): UserContent => ({ type: "remote_image", source: { type: "url", url: `https://${host}.test/` } })),
    data.map(
      (bytes): UserContent => ({
        type: "document",
        source: { type: "base64", mediaType: "application/pdf", data: bytes },
        title: "a.pdf",
      }),
    ),
    name.map((host): UserContent => ({ type: "document", source: { type: "url", url: `https://${host}.test/a` } })),
  );
  const said = fc.tuple(text, fc.option(media)).map(([first, second]) => [first, ...(second === null ? [] : [second])]);
  const output = fc.oneof(
    text.map((block) => [block]),
    fc
      .tuple(text, data)
      .map(([block, bytes]) => [block, { type: "image" as const, mediaType: "image/png", data: bytes }]),
  );

  /** Only the dialect's own thoughts go to its provider, and none without something after it. */
  const own = answer.map((content) => {
    const kept = content.filter((block) => block.type !== "thinking" || block.dialect === "responses");
    return kept.slice(0, kept.findLastIndex(({ type }) => type !== "thinking") + 1);
  });

  /** A conversation as core keeps it: every call answered, in order, before anything else is said. */
  const conversation = fc.tuple(said, fc.array(fc.tuple(own, said, output), { maxLength: 4 })).map(([first, turns]) => {
    const messages: Message[] = [{ role: "user", content: first }];
    for (const [content, next, result] of turns) {
      if (content.length === 0) continue;
      const results = content.flatMap((block) =>
        block.type === "tool_use"
          ? [{ type: "tool_result" as const, toolCallId: block.id, content: result, isError: false }]
          : [],
      );
      messages.push({ role: "assistant", content }, { role: "user", content: [...results, ...next] });
    }
    return messages;
  });

  /** What OpenAI holds a model to, where it is asked to. */
  const schema = object.map(
    (each): JsonObject => ({ ...each, type: "object", properties: {}, additionalProperties: false }),
  );
  const tool = fc
    .record({ name, description: words, inputSchema: schema, strict: fc.boolean() })
    .map(({ strict, ...rest }) => (strict ? { ...rest, strict } : rest));

  const request: fc.Arbitrary<LlmRequest> = fc.record(
    {
      model: name.map((text) => `loom-${text}`),
      system: fc.oneof(fc.constant(""), words),
      messages: conversation,
      tools: fc.array(tool, { maxLength: 3 }),
      maxTokens: fc.integer({ min: 16, max: 1_000_000 }),
      temperature: fc.integer({ min: 0, max: 20 }).map((tenths) => tenths / 10),
      topP: fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10),
      toolChoice: fc.oneof(
        fc.record({ type: fc.constantFrom("auto", "none", "required") }),
        fc.record({ type: fc.constant("tool" as const), name }),
      ),
      parallelToolCalls: fc.boolean(),
      providerTools: fc.constant([{ dialect: "responses", definition: { type: "web_search" } }]),
      thinking: fc.oneof(
        fc.constant({ type: "off" as const }),
        fc.record({
          type: fc.constant("on" as const),
          effort: fc.constantFrom("minimal", "low", "medium", "high", "xhigh"),
        }),
        fc.constant({ type: "on" as const, effort: "low" as const, visible: true }),
      ),
      output: fc.oneof(
        fc.constant({ type: "json" as const }),
        fc.record({ type: fc.constant("json_schema" as const), name, schema, strict: fc.boolean() }),
      ),
      userId: id,
      cacheKey: id,
    },
    { requiredKeys: ["model", "system", "messages", "tools", "maxTokens"], noNullPrototype: true },
  );

  test("is the same", () => {
    fc.assert(
      fc.property(request, fc.boolean(), (sent, streaming) => {
        const body = JSON.stringify(bodyOf(openAiResponses.encodeRequest(sent, { stream: streaming })));
        expect(openAiResponses.decodeRequest(body)).toEqual({
          ok: true,
          request: sent,
          stream: streaming,
          leftOut: ["store", "include"],
        });
      }),
    );
  });
});

test("whatever a client sends is a request or a problem, and never an exception", () => {
  const item = fc.record(
    {
      type: fc.oneof(
        fc.constantFrom(
          "message",
          "reasoning",
          "function_call",
          "function_call_output",
          "custom_tool_call",
          "compaction",
        ),
        fc.jsonValue(),
      ),
      role: fc.oneof(fc.constantFrom("system", "developer", "user", "assistant"), fc.jsonValue()),
      content: fc.oneof(words, fc.jsonValue(), fc.array(fc.record({ type: fc.constant("input_text"), text: words }))),
      call_id: fc.jsonValue(),
      name: words,
      arguments: words,
      output: fc.oneof(words, fc.jsonValue()),
      summary: fc.jsonValue(),
      encrypted_content: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const body = fc.record(
    {
      model: fc.oneof(name, fc.jsonValue()),
      input: fc.oneof(fc.array(item), words),
      tools: fc.jsonValue(),
      tool_choice: fc.jsonValue(),
      reasoning: fc.jsonValue(),
      text: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(body, (value) => {
      const decoded = openAiResponses.decodeRequest(JSON.stringify(value));
      if (!decoded.ok) expect(decoded.problem).toMatch(/\.$/);
    }),
    { numRuns: 500 },
  );
});
