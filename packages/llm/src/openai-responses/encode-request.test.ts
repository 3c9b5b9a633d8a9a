import type { AssistantContent, LlmRequest, Message, UserContent } from "@loom/core";
import { describe, expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { openAiResponses } from "./codec.ts";

const BARE: LlmRequest = { model: "gpt-5.4", system: "", messages: [], tools: [], maxTokens: 100 };

function encode(request: Partial<LlmRequest>) {
  return bodyOf(openAiResponses.encodeRequest({ ...BARE, ...request }, { stream: false }));
}

function input(...messages: Message[]) {
  return encode({ messages }).input;
}

const user = (...content: UserContent[]): Message => ({ role: "user", content });
const assistant = (...content: AssistantContent[]): Message => ({ role: "assistant", content });
const text = (words: string) => ({ type: "text", text: words }) as const;
const toolUse = (id: string) => ({ type: "tool_use", id, name: "bash", input: { n: 1 } }) as const;
const result = (toolCallId: string, isError = false): UserContent => ({
  type: "tool_result",
  toolCallId,
  content: [text("no")],
  isError,
});

/** What OpenAI holds a model to. */
const CLOSED = { type: "object", additionalProperties: false } as const;

describe("a request", () => {
  test("has the provider's names for everything, and leaves nothing at the provider", () => {
    const tools = [{ name: "bash", description: "Runs.", inputSchema: CLOSED, strict: true }];
    const request: LlmRequest = {
      ...BARE,
      system: "Be brief.",
      messages: [user(text("Hi"))],
      tools,
      providerTools: [{ dialect: "responses", definition: { type: "web_search" } }],
      toolChoice: { type: "tool", name: "bash" },
      parallelToolCalls: false,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      seed: 7,
      thinking: { type: "on", effort: "high", visible: true },
      output: { type: "json_schema", name: "a", schema: CLOSED, strict: true },
      userId: "u",
      cacheKey: "k".repeat(80),
    };
    expect(bodyOf(openAiResponses.encodeRequest(request, { stream: true }))).toEqual({
      model: "gpt-5.4",
      instructions: "Be brief.",
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] }],
      tools: [
        { type: "function", name: "bash", description: "Runs.", parameters: CLOSED, strict: true },
        { type: "web_search" },
      ],
      tool_choice: { type: "function", name: "bash" },
      parallel_tool_calls: false,
      reasoning: { effort: "high", summary: "auto" },
      text: { format: { type: "json_schema", name: "a", schema: CLOSED, strict: true } },
      max_output_tokens: 100,
      safety_identifier: "u",
      prompt_cache_key: expect.stringMatching(/^k{47}_[0-9a-f]{16}$/),
      store: false,
      include: ["reasoning.encrypted_content"],
      stream: true,
    });
  });

  test("has numbers to choose among words by, but for models that think, and names those that are missing", () => {
    const numbers = { temperature: 0.5, topP: 0.9, topK: 40, seed: 7 };
    const sent = (model: string, thinking?: LlmRequest["thinking"]) =>
      openAiResponses.encodeRequest({ ...BARE, ...numbers, model, ...(thinking && { thinking }) }, { stream: false });
    const told = { ok: true, body: { temperature: 0.5, top_p: 0.9 }, leftOut: ["top_k", "seed"] };
    expect(sent("gpt-5.4")).toMatchObject(told);
    expect(sent("gpt-4.1")).toMatchObject(told);
    expect(sent("gpt-5.6", { type: "off" })).toMatchObject(told);
    expect(sent("gpt-oss-120b", { type: "on", effort: "high" })).toMatchObject(told);
    const thinking = [sent("gpt-5.4", { type: "on", effort: "low" }), sent("gpt-5.6"), sent("o3"), sent("gpt-5-mini")];
    for (const encoded of thinking) {
      expect(encoded).toMatchObject({ ok: true, leftOut: ["temperature", "top_p", "top_k", "seed"] });
      expect(encoded.ok && encoded.body).not.toHaveProperty("temperature");
    }
  });

  test("asks for at least as many tokens as the provider allows", () => {
    expect(encode({ maxTokens: 1 }).max_output_tokens).toBe(16);
  });

  test.each<[string, NonNullable<LlmRequest["thinking"]>, unknown]>([
    ["gpt-5.4", { type: "off" }, { effort: "none" }],
    ["gpt-5-mini", { type: "off" }, { effort: "minimal" }],
    ["o3", { type: "off" }, { effort: "low" }],
    ["openai/gpt-4.1", { type: "off" }, undefined],
    ["gpt-4.1", { type: "on", effort: "high" }, undefined],
    ["gpt-5.4", { type: "on", effort: "max" }, { effort: "xhigh" }],
    ["gpt-5.4", { type: "on", effort: "minimal" }, { effort: "low" }],
    ["o3", { type: "on", effort: "xhigh" }, { effort: "high" }],
    ["gpt-5.4", { type: "on", budgetTokens: 10_000 }, { effort: "medium" }],
    ["gpt-5.4", { type: "on", visible: true }, { summary: "auto" }],
    ["gpt-5.4", { type: "on" }, undefined],
    ["gpt-5.1", { type: "on", effort: "xhigh" }, { effort: "high" }],
    ["gpt-5.3-codex", { type: "off" }, { effort: "low" }],
    ["gpt-5-pro", { type: "on", effort: "low" }, { effort: "high" }],
    ["gpt-5.4-pro", { type: "off" }, { effort: "medium" }],
    ["gpt-oss-120b", { type: "on", effort: "max" }, { effort: "high" }],
  ])("%s is asked to think like this: %j", (model, thinking, reasoning) => {
    expect(encode({ model, thinking }).reasoning).toEqual(reasoning);
  });

  test("does not ask for encrypted thoughts where there are none", () => {
    expect(encode({ model: "gpt-4o" })).not.toHaveProperty("include");
  });
});

describe("a conversation", () => {
  test("is a list of items, results before what is said", () => {
    const items = input(
      user(text("Go")),
      assistant(
        { type: "thinking", text: "Hm.", signature: "gAAA", dialect: "responses" },
        text("One."),
        text("Two."),
        toolUse("a"),
      ),
      user(text("Well?"), result("a", true)),
    );
    expect(items).toEqual([
      { type: "message", role: "user", content: [{ type: "input_text", text: "Go" }] },
      { type: "reasoning", summary: [{ type: "summary_text", text: "Hm." }], encrypted_content: "gAAA" },
      {
        type: "message",
        role: "assistant",
        content: [
          { type: "output_text", text: "One." },
          { type: "output_text", text: "Two." },
        ],
      },
      { type: "function_call", call_id: "a", name: "bash", arguments: '{"n":1}' },
      { type: "function_call_output", call_id: "a", output: "Error: no" },
      { type: "message", role: "user", content: [{ type: "input_text", text: "Well?" }] },
    ]);
  });

  test("leaves out what another provider thought and sealed, and keeps the thoughts of an open model", () => {
    const items = input(
      assistant(
        { type: "thinking", text: "Sealed.", signature: "EqQ", dialect: "anthropic" },
        { type: "thinking", text: "", redactedData: "Emw", dialect: "anthropic" },
        { type: "thinking", text: "Open.", dialect: "responses" },
        text("So."),
        { type: "thinking", text: "Last.", signature: "gAAA", dialect: "responses" },
      ),
    );
    expect(items).toEqual([
      { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "Open." }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "So." }] },
    ]);
  });

  test("has results with images as lists", () => {
    const content = [text("See"), { type: "image", mediaType: "image/png", data: "iVBO" } as const];
    expect(input(user({ type: "tool_result", toolCallId: "a", content, isError: false }))).toEqual([
      {
        type: "function_call_output",
        call_id: "a",
        output: [
          { type: "input_text", text: "See" },
          { type: "input_image", detail: "auto", image_url: "data:image/png;base64,iVBO" },
        ],
      },
    ]);
  });

  test("has documents by whatever way", () => {
    const sources: Extract<UserContent, { type: "document" }>["source"][] = [
      { type: "base64", mediaType: "application/pdf", data: "JVBE" },
      { type: "url", url: "https://a.test/a.pdf" },
      { type: "file", fileId: "file-1" },
      { type: "text", text: "Plain." },
    ];
    expect(input(user(...sources.map((source) => ({ type: "document", source }) as const)))).toEqual([
      {
        type: "message",
        role: "user",
        content: [
          { type: "input_file", filename: "document.pdf", file_data: "data:application/pdf;base64,JVBE" },
          { type: "input_file", file_url: "https://a.test/a.pdf" },
          { type: "input_file", file_id: "file-1" },
          { type: "input_text", text: "Plain." },
        ],
      },
    ]);
  });

  test("shortens ids alike in calls and results, and makes impossible names possible", () => {
    const id = "x".repeat(90);
    const [called, answered] = [input(assistant({ ...toolUse(id), name: "a.b c" })), input(user(result(id)))].map(
      (items) => (Array.isArray(items) ? items[0] : undefined),
    );
    expect(called).toMatchObject({ name: "a_b_c", call_id: expect.stringMatching(/^x{47}_[0-9a-f]{16}$/) });
    expect(answered).toMatchObject({ call_id: called.call_id });
  });
});

describe("what the provider cannot be told", () => {
  test.each<[string, Partial<LlmRequest>]>([
    ["stopSequences cannot be asked of OpenAI Responses.", { stopSequences: ["x"] }],
    ["bash_20250124", { providerTools: [{ dialect: "anthropic", definition: { type: "bash_20250124" } }] }],
    ["only Gemini", { messages: [assistant({ type: "opaque", dialect: "gemini", data: { executableCode: {} } })] }],
    [
      "names a file that lies at another provider",
      { messages: [user({ type: "remote_image", source: { type: "file", fileId: "file_01" } })] },
    ],
  ])("is refused: %s", (problem, request) => {
    const encoded = openAiResponses.encodeRequest({ ...BARE, ...request }, { stream: false });
    expect(encoded).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  });
});
