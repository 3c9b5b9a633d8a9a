import type { DocumentBlock, LlmRequest, Message, OpaqueBlock, TextBlock, UserContent } from "@loom/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonObject, response, words } from "../arbitrary.testing.ts";
import { bodyOf } from "../wire.testing.ts";
import { anthropicMessages } from "./codec.ts";

/** For records some of whose fields are left out. */
const SOME = { requiredKeys: [], noNullPrototype: true } satisfies fc.RecordConstraints<never>;

const cache = fc.record({ cache: fc.constantFrom("5m" as const, "1h" as const) }, SOME);
const url = words.map((path) => ({ type: "url", url: `https://a.example/${path}` }) as const);
const file = fc.stringMatching(/^file_\w{1,9}$/).map((fileId) => ({ type: "file", fileId }) as const);
const pdf = words.map((data) => ({ type: "base64", mediaType: "application/pdf", data }) as const);
const plain = words.map((text) => ({ type: "text", text }) as const);

const text = fc.tuple(words, cache).map(([value, mark]): TextBlock => ({ type: "text", text: value, ...mark }));
const image = fc
  .tuple(words, cache)
  .map(([data, mark]) => ({ type: "image", mediaType: "image/png", data, ...mark }) as const);
const remoteImage = fc
  .tuple(fc.oneof(url, file), cache)
  .map(([source, mark]) => ({ type: "remote_image", source, ...mark }) as const);
const document = fc
  .tuple(fc.oneof(url, file, pdf, plain), fc.record({ title: words }, SOME), cache)
  .map(([source, title, mark]): DocumentBlock => ({ type: "document", source, ...title, ...mark }));
const opaque = (type: string) =>
  jsonObject.map((data): OpaqueBlock => ({ type: "opaque", dialect: "anthropic", data: { ...data, type } }));

const shown = fc.oneof(text, image, remoteImage, document);
const toolResult = fc
  .tuple(
    fc.record({
      toolCallId: fc.constantFrom("call_1", "call_2"),
      content: fc.array(shown, { minLength: 1, maxLength: 2 }),
      isError: fc.boolean(),
    }),
    cache,
  )
  .map(([result, mark]) => ({ type: "tool_result", ...result, ...mark }) as const);

const asked = fc
  .tuple(
    fc.array(toolResult, { maxLength: 2 }),
    fc.array(fc.oneof(shown, opaque("container_upload")), { minLength: 1, maxLength: 3 }),
  )
  .map(([results, others]): Message => ({ role: "user", content: [...results, ...others] }));

/** As the provider takes it. */
const toolName = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);

const answered = fc.tuple(response, opaque("server_tool_use"), toolName).map(([{ message }, ran, name]): Message => {
  const named = message.content.map((block) => (block.type === "tool_use" ? { ...block, name } : block));
  const kept = named.filter(
    (block) =>
      (block.type !== "tool_use" || block.malformedInput === undefined) &&
      (block.type !== "thinking" || block.dialect !== undefined),
  );
  return { role: "assistant", content: [...kept, ran, { type: "text", text: "." }] };
});

/** Of those that the provider takes as they are. */
const schemas = words.map((description) => ({
  type: "object",
  description,
  properties: { a: { type: "string" } },
  additionalProperties: false,
}));
const tool = fc
  .tuple(
    fc.record({ name: toolName, description: words, inputSchema: schemas }),
    fc.record({ strict: fc.boolean(), cache: fc.constant("1h" as const) }, SOME),
  )
  .map(([definition, more]) => ({ ...definition, ...more }));
const providerTool = fc.record({
  dialect: fc.constant("anthropic"),
  definition: jsonObject.map((definition) => ({ ...definition, type: "web_search_20250305" })),
});

const settings = fc.record(
  {
    temperature: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0),
    topP: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0),
    topK: fc.integer({ min: 1, max: 500 }),
    userId: words,
  },
  SOME,
);
const forms = fc.record(
  {
    stopSequences: fc.array(words, { minLength: 1, maxLength: 3 }),
    output: schemas.map((schema) => ({ type: "json_schema", name: "answer", schema, strict: true }) as const),
    providerTools: fc.array(providerTool, { minLength: 1, maxLength: 2 }),
  },
  SOME,
);
const choice = fc.constantFrom<Pick<LlmRequest, "toolChoice" | "parallelToolCalls">>(
  {},
  { toolChoice: { type: "auto" } },
  { toolChoice: { type: "none" } },
  { toolChoice: { type: "required" }, parallelToolCalls: false },
  { toolChoice: { type: "tool", name: "bash" } },
);
/** With what was set for the model that thinks by a bound, and for the one that does by an effort. */
const thinking = fc.constantFrom<Pick<LlmRequest, "thinking"> & { model: string }>(
  { model: "claude-sonnet-4-0" },
  { model: "claude-sonnet-4-5", thinking: { type: "on", budgetTokens: 2_000, visible: true } },
  { model: "claude-sonnet-5", thinking: { type: "on", effort: "xhigh" } },
  { model: "claude-opus-5", thinking: { type: "off" } },
);

const request: fc.Arbitrary<LlmRequest> = fc
  .tuple(
    fc.record({
      system: fc.oneof(words, fc.constant("")),
      messages: fc
        .tuple(fc.array(fc.tuple(asked, answered), { maxLength: 3 }), asked)
        .map(([turns, last]) => answering([...turns.flat(), last])),
      tools: fc.array(tool, { minLength: 1, maxLength: 2 }),
      maxTokens: fc.integer({ min: 4_000 }),
    }),
    settings,
    forms,
    choice,
    thinking,
  )
  .map(([asks, sampling, form, chosen, model]) => ({
    ...asks,
    ...(model.model === "claude-sonnet-4-0" ? sampling : {}),
    ...form,
    // It does not think where it has to call.
    ...(model.model === "claude-sonnet-4-5" ? {} : chosen),
    ...model,
    // A client that marks one place marks all that it wants.
    ...(asks.system === "" ? {} : { systemCache: "5m" as const }),
  }));

/** Every result answers a call of the message before it, in their order. */
function answering(messages: readonly Message[]): Message[] {
  return messages.map((message, index) => {
    if (message.role !== "user") return message;
    const calls = messages[index - 1]?.content.filter((block) => block.type === "tool_use") ?? [];
    let answered = 0;
    const content = message.content.flatMap((block): UserContent[] => {
      if (block.type !== "tool_result") return [block];
      const call = calls[answered++];
      return call === undefined ? [] : [{ ...block, toolCallId: call.id }];
    });
    return { role: "user", content };
  });
}

test("what Loom encodes, it decodes again, like a client that speaks the dialect", () => {
  fc.assert(
    fc.property(request.filter(isMarked), fc.boolean(), (given, stream) => {
      const body = JSON.stringify(bodyOf(anthropicMessages.encodeRequest(given, { stream })));
      expect(anthropicMessages.decodeRequest(body)).toEqual({ ok: true, request: given, stream });
    }),
    { numRuns: 200 },
  );
});

function isMarked(given: LlmRequest): boolean {
  return given.systemCache !== undefined;
}
