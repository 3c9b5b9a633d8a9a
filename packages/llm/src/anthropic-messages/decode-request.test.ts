import type { JsonObject } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./codec.ts";

const HELLO: JsonObject = { model: "claude-test", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };

function decode(body: JsonObject) {
  return anthropicMessages.decodeRequest(JSON.stringify(body));
}

function messagesOf(...messages: JsonObject[]) {
  const decoded = decode({ ...HELLO, messages });
  return decoded.ok ? decoded.request.messages : decoded.problem;
}

describe("a client's request", () => {
  test("may be as short as the provider allows", () => {
    expect(decode(HELLO)).toEqual({
      ok: true,
      request: {
        model: "claude-test",
        system: "",
        messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
        tools: [],
        maxTokens: 100,
      },
      stream: false,
    });
  });

  test("as a coding agent sends it comes out in Loom's words", () => {
    const decoded = decode({
      ...HELLO,
      stream: true,
      temperature: 1,
      thinking: { type: "adaptive" },
      metadata: { user_id: "u" },
      tool_choice: { type: "auto" },
      system: [
        { type: "text", text: "You are an agent.", cache_control: { type: "ephemeral", ttl: "1h" } },
        { type: "text", text: "Be brief." },
      ],
      tools: [
        { name: "bash", description: "Runs.", input_schema: { type: "object" }, cache_control: { type: "ephemeral" } },
        { type: "custom", name: "stop", input_schema: { type: "object" } },
      ],
    });
    expect(decoded).toMatchObject({
      ok: true,
      stream: true,
      request: {
        system: "You are an agent.\n\nBe brief.",
        temperature: 1,
        tools: [
          { name: "bash", description: "Runs.", inputSchema: { type: "object" } },
          { name: "stop", description: "", inputSchema: { type: "object" } },
        ],
      },
    });
  });

  test("keeps thinking with the name of its sealer, calls, results, documents, and what ran at the provider as it is", () => {
    const decoded = messagesOf(
      {
        role: "user",
        content: [{ type: "document", source: { type: "text", media_type: "text/plain", data: "Page." } }],
      },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm.", signature: "EqQ" },
          { type: "thinking", thinking: "Hm?", signature: "" },
          { type: "redacted_thinking", data: "Emw" },
          { type: "server_tool_use", id: "s", name: "web_search", input: {} },
          { type: "web_search_tool_result", tool_use_id: "s", content: [] },
          { type: "tool_use", id: "a", name: "bash", input: {} },
          { type: "tool_use", id: "b", name: "bash", input: {} },
        ],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "ok" }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "b", is_error: true }] },
      { role: "system", content: "Remember." },
    );
    expect(decoded).toEqual([
      { role: "user", content: [{ type: "document", source: { type: "text", text: "Page." } }] },
      {
        role: "assistant",
        content: [
          { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" },
          { type: "thinking", text: "Hm?", dialect: "anthropic" },
          { type: "thinking", text: "", redactedData: "Emw", dialect: "anthropic" },
          ...[
            { type: "server_tool_use", id: "s", name: "web_search", input: {} },
            { type: "web_search_tool_result", tool_use_id: "s", content: [] },
          ].map((data) => ({ type: "opaque", dialect: "anthropic", data })),
          { type: "tool_use", id: "a", name: "bash", input: {} },
          { type: "tool_use", id: "b", name: "bash", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", toolCallId: "a", content: [{ type: "text", text: "ok" }], isError: false },
          { type: "tool_result", toolCallId: "b", content: [], isError: true },
          { type: "text", text: "Remember.", instructs: true },
        ],
      },
    ]);
  });
});

describe("results of tools", () => {
  const call = (id: string, path: string) => ({ type: "tool_use", id, name: "read", input: { path } });
  const result = (id: string) => ({ type: "tool_result", tool_use_id: id, content: `content of ${id}` });
  const hi = { role: "user", content: "Hi" };

  test("come in the order of their calls, before what the person says", () => {
    const messages = messagesOf(
      hi,
      { role: "assistant", content: [call("A", "a.txt"), call("B", "b.txt")] },
      { role: "user", content: [{ type: "text", text: "On." }, result("B"), result("A")] },
    );
    expect(messages).toMatchObject([
      {},
      {},
      { content: [{ toolCallId: "A" }, { toolCallId: "B" }, { type: "text", text: "On." }] },
    ]);
  });

  test("answer a call just before them", () => {
    const problem = 'messages hold a tool result for "A", which answers no call just before it.';
    expect(messagesOf({ role: "user", content: [result("A")] })).toBe(problem);
    const late = [{ role: "assistant", content: [call("A", "a")] }, hi, { role: "assistant", content: "Yes." }];
    expect(messagesOf(hi, ...late, { role: "user", content: [result("A")] })).toBe(problem);
  });
});

describe("a request that is wrong", () => {
  const content = (...blocks: JsonObject[]) => ({ messages: [{ role: "user", content: blocks }] });
  test.each<[string, JsonObject]>([
    ["model must be a string", { model: 7 }],
    ["model must not be empty", { model: "" }],
    ["max_tokens must be a whole number", { max_tokens: 0 }],
    ["messages must be an array", { messages: "Hi" }],
    ["messages must not be empty", { messages: [] }],
    ['messages.0.role must be "user"', { messages: [{ role: "assistant", content: "Hi" }] }],
    [
      'messages.0.role has a value that is not supported: "narrator"',
      { messages: [{ role: "narrator", content: "" }] },
    ],
    ["messages.0 must be an object", { messages: [null] }],
    ["messages.0.content.0.type must be a string", content({})],
    [
      "messages.0.content.0.content.0.type has a value",
      content({ type: "tool_result", tool_use_id: "a", content: [{ type: "tool_reference" }] }),
    ],
    ["messages.0.content.0.text must be a string", content({ type: "text" })],
    [
      "messages.0.content.0.source.url must be a data: URL in base64, or begin with https://",
      content({ type: "image", source: { type: "url", url: "file:///etc/passwd" } }),
    ],
    [
      "messages.0.content.0.source.media_type must be a string",
      content({ type: "document", source: { type: "base64", data: "JVBE" } }),
    ],
    ["messages.0.content.0.tool_use_id must be a string", content({ type: "tool_result" })],
    [
      "messages.0.content.0.content.1 must be an object",
      content({ type: "tool_result", tool_use_id: "a", content: [{ type: "text", text: "" }, 7] }),
    ],
    ["tools.0.type has a value that is not supported: 7", { tools: [{ type: 7, name: "web_search" }] }],
    ["mcp_servers would have to run at Anthropic", { mcp_servers: [{ type: "url", url: "https://a.example" }] }],
    ["container lies at Anthropic", { container: "container_1" }],
    ["tool_choice.type has a value that is not supported", { tool_choice: { type: "some" } }],
    ["thinking.budget_tokens must be a whole number", { thinking: { type: "enabled" } }],
    ["output_config.effort has a value that is not supported", { output_config: { effort: "utmost" } }],
    ["output_config.format.type has a value that is not supported", { output_config: { format: { type: "xml" } } }],
    ["top_p must be a number from 0 to 1", { top_p: 2 }],
    ["top_k must be a whole number", { top_k: 1.5 }],
    ["stop_sequences.0 must be a string", { stop_sequences: [7] }],
    ["tools.0.input_schema must be an object", { tools: [{ name: "a" }] }],
    ["temperature must be a number", { temperature: "hot" }],
    ["system.0.text must be a string", { system: [{ type: "text" }] }],
  ])("is refused: %s", (problem, change) => {
    expect(decode({ ...HELLO, ...change })).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  test.each([["", "not json", "[]", "null"]])("is refused as a body that is no object: %j", (body) => {
    expect(anthropicMessages.decodeRequest(body)).toEqual({ ok: false, problem: "The body is not a JSON object." });
  });

  test("is never more than a problem, whatever it holds", () => {
    const keys = fc.constantFrom(
      "type",
      "role",
      "content",
      "messages",
      "source",
      "text",
      "tools",
      "input",
      "system",
      "model",
    );
    const values = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<unknown>("user", "assistant", "text", "image", "tool_use", "tool_result", "", 0, null, true),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(keys, tie("value"), { maxKeys: 5 }),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(keys, values), fc.boolean(), (body, based) => {
        const decoded = anthropicMessages.decodeRequest(JSON.stringify(based ? { ...HELLO, ...body } : body));
        expect(decoded.ok || decoded.problem.endsWith(".")).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
