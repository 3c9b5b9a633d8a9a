import type { AssistantContent, LlmRequest, Message, UserContent } from "@loom/core";
import { describe, expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { gemini, geminiOnVertex } from "./codec.ts";

const BARE: LlmRequest = {
  model: "gemini-3.1-pro",
  system: "",
  messages: [{ role: "user", content: [{ type: "text", text: "Go." }] }],
  tools: [],
  maxTokens: 100,
};

function encode(request: Partial<LlmRequest>) {
  return bodyOf(gemini.encodeRequest({ ...BARE, ...request }, { stream: true }));
}

/** What follows the user's first words. */
function contents(model: string, ...messages: Message[]) {
  const sent = encode({ model, messages: [user(text("Go.")), ...messages] }).contents;
  return Array.isArray(sent) ? sent.slice(1) : sent;
}

const user = (...content: UserContent[]): Message => ({ role: "user", content });
const assistant = (...content: AssistantContent[]): Message => ({ role: "assistant", content });
const text = (words: string) => ({ type: "text", text: words }) as const;
const toolUse = (id: string, signature?: string) =>
  ({ type: "tool_use", id, name: "ls", input: { n: 1 }, ...(signature === undefined ? {} : { signature }) }) as const;
const called = (id: string) => ({ functionCall: { id, name: "ls", args: { n: 1 } } });
const tool = { name: "ls", description: "Lists.", inputSchema: { type: "object" } };

test("more stop sequences than the provider takes are refused", () => {
  const stopping = (count: number) => {
    const stopSequences = Array.from({ length: count }, (_, index) => `s${index}`);
    return gemini.encodeRequest({ ...BARE, messages: [user(text("Hi"))], stopSequences }, { stream: false });
  };
  expect(stopping(5).ok).toBe(true);
  expect(stopping(6)).toEqual({
    ok: false,
    problem: "stopSequences holds 6 sequences, and Gemini generateContent takes 5 at most.",
  });
});

describe("a request", () => {
  test("has the provider's names for everything; model and streaming are in the path", () => {
    expect(
      encode({
        system: "Be brief.",
        messages: [user(text("Hi"))],
        tools: [tool],
        providerTools: [{ dialect: "gemini", definition: { googleSearch: {} } }],
        toolChoice: { type: "tool", name: "ls" },
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        seed: 7,
        stopSequences: ["x"],
        thinking: { type: "on", effort: "high", visible: true },
        output: { type: "json_schema", name: "a", schema: { type: "object" }, description: "An a." },
        userId: "u",
        cacheKey: "k",
      }),
    ).toEqual({
      contents: [{ role: "user", parts: [{ text: "Hi" }] }],
      systemInstruction: { parts: [{ text: "Be brief." }] },
      tools: [
        { functionDeclarations: [{ name: "ls", description: "Lists.", parametersJsonSchema: { type: "object" } }] },
        { googleSearch: {} },
      ],
      toolConfig: {
        functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["ls"] },
        includeServerSideToolInvocations: true,
      },
      generationConfig: {
        maxOutputTokens: 100,
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        seed: 7,
        stopSequences: ["x"],
        responseMimeType: "application/json",
        responseJsonSchema: { type: "object", description: "An a." },
        thinkingConfig: { includeThoughts: true, thinkingLevel: "HIGH" },
      },
    });
  });

  test.each<[string, NonNullable<LlmRequest["thinking"]>, unknown]>([
    ["gemini-3.1-pro", { type: "off" }, { thinkingLevel: "LOW" }],
    ["gemini-3.8-flash", { type: "off" }, { thinkingLevel: "MINIMAL" }],
    ["gemini-flash-latest", { type: "on", effort: "max" }, { thinkingLevel: "HIGH" }],
    ["gemini-3.1-pro", { type: "on", effort: "minimal" }, { thinkingLevel: "LOW" }],
    ["gemini-3.1-pro", { type: "on", budgetTokens: 31_999 }, { thinkingLevel: "HIGH" }],
    ["gemini-3.1-pro", { type: "on", visible: true }, { includeThoughts: true }],
    ["gemini-3.1-pro", { type: "on" }, undefined],
    ["models/gemini-2.5-flash", { type: "off" }, { thinkingBudget: 0 }],
    ["gemini-2.5-pro", { type: "off" }, { thinkingBudget: 128 }],
    [
      "gemini-2.5-flash",
      { type: "on", budgetTokens: 31_999, visible: false },
      { includeThoughts: false, thinkingBudget: 24_576 },
    ],
    ["gemini-2.5-pro", { type: "on", effort: "low" }, { thinkingBudget: 4_096 }],
    ["gemini-2.0-flash", { type: "on", effort: "high" }, undefined],
    ["gemma-3-27b-it", { type: "off" }, undefined],
  ])("%s is asked to think like this: %j", (model, thinking, expected) => {
    expect(encode({ model, thinking, maxTokens: 100_000 }).generationConfig).toEqual({
      maxOutputTokens: 100_000,
      ...(expected === undefined ? {} : { thinkingConfig: expected }),
    });
  });

  test.each<[LlmRequest["toolChoice"], boolean, unknown]>([
    [undefined, false, undefined],
    [undefined, true, "VALIDATED"],
    [{ type: "auto" }, false, "AUTO"],
    [{ type: "auto" }, true, "VALIDATED"],
    [{ type: "none" }, true, "NONE"],
    [{ type: "required" }, true, "ANY"],
  ])("the choice %j, strict %j, is %s", (toolChoice, strict, mode) => {
    const choice = toolChoice === undefined ? {} : { toolChoice };
    const config = encode({ tools: [{ ...tool, strict }], ...choice }).toolConfig;
    expect(config).toEqual(mode === undefined ? undefined : { functionCallingConfig: { mode } });
  });

  test.each([
    ["one tool", [tool]],
    ["two tools", [tool, tool]],
  ])("asks the model for one call at a time, since there is no switch for it: %s", (_name, tools) => {
    const { systemInstruction } = encode({ system: "Be brief.", tools, parallelToolCalls: false });
    expect(systemInstruction).toEqual({
      parts: [{ text: "Be brief." }, { text: "Call at most one tool in an answer." }],
    });
  });

  test("has schemas without what would be refused, and as they are otherwise", () => {
    const inputSchema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      properties: {
        $schema: { type: "string" },
        a: { $ref: "#/$defs/a", description: "An a." },
        b: { type: "array", items: { $ref: "#/$defs/a" } },
      },
      $defs: { a: { const: 1, exclusiveMinimum: 0 } },
    };
    expect(encode({ tools: [{ ...tool, inputSchema }] })).toMatchObject({
      tools: [
        {
          functionDeclarations: [
            {
              parametersJsonSchema: {
                type: "object",
                properties: {
                  $schema: { type: "string" },
                  a: { description: "An a.", anyOf: [{ $ref: "#/$defs/a" }] },
                  b: { type: "array", items: { $ref: "#/$defs/a" } },
                },
                $defs: { a: { const: 1, exclusiveMinimum: 0 } },
              },
            },
          ],
        },
      ],
    });
    const [first] = encode({ tools: [{ ...tool, inputSchema }] }).tools as { functionDeclarations: object[] }[];
    expect(first?.functionDeclarations[0]).not.toHaveProperty("parametersJsonSchema.$schema");
  });
});

describe("a conversation", () => {
  const image = { type: "image", mediaType: "image/png", data: "iVBO" } as const;

  test("has results before what is said, with the names of their calls", () => {
    const result = (toolCallId: string, isError: boolean): UserContent => ({
      type: "tool_result",
      toolCallId,
      content: [text("x"), text("y")],
      isError,
    });
    const messages = [
      assistant(toolUse("a", "Cs0B"), toolUse("b")),
      user(text("Well?"), result("a", false), result("b", true)),
    ];
    expect(contents("gemini-3.1-pro", ...messages)).toEqual([
      { role: "model", parts: [{ ...called("a"), thoughtSignature: "Cs0B" }, called("b")] },
      {
        role: "user",
        parts: [
          { functionResponse: { id: "a", name: "ls", response: { output: "x\ny" } } },
          { functionResponse: { id: "b", name: "ls", response: { error: "x\ny" } } },
          { text: "Well?" },
        ],
      },
    ]);
  });

  test("has images inside results where the model knows that, else behind them", () => {
    const messages = [
      assistant(toolUse("a", "Cs0B")),
      user({ type: "tool_result", toolCallId: "a", content: [image], isError: false }),
    ];
    const inlineData = { mimeType: "image/png", data: "iVBO" };
    const response = { id: "a", name: "ls", response: { output: "" } };
    expect(contents("gemini-3.1-pro", ...messages)).toMatchObject([
      {},
      { parts: [{ functionResponse: { ...response, parts: [{ inlineData }] } }] },
    ]);
    expect(contents("gemini-2.5-pro", ...messages)).toMatchObject([
      {},
      { parts: [{ functionResponse: response }, { text: "From the tool call a:" }, { inlineData }] },
    ]);
  });

  test("says where a seal is missing because another model made the call, to models that ask for it", () => {
    const calls = assistant(toolUse("a"), toolUse("b"));
    const stand = { thoughtSignature: "skip_thought_signature_validator" };
    expect(contents("gemini-3.1-pro", calls)).toEqual([
      { role: "model", parts: [{ ...called("a"), ...stand }, called("b")] },
    ]);
    expect(contents("gemini-2.5-pro", calls)).toEqual([{ role: "model", parts: [called("a"), called("b")] }]);
    expect(contents("gemini-3.1-pro", assistant(toolUse("a", "not base64!")))).toEqual([
      { role: "model", parts: [{ ...called("a"), ...stand }] },
    ]);
  });

  test("keeps its own thoughts and seals, and leaves out what another provider thought", () => {
    const parts = contents(
      "gemini-3.1-pro",
      assistant(
        { type: "thinking", text: "Own.", signature: "c2Vh", dialect: "gemini" },
        { type: "thinking", text: "Foreign.", signature: "EqQ", dialect: "anthropic" },
        { type: "thinking", text: "", redactedData: "Emw", dialect: "anthropic" },
        { ...text("So."), signature: "bGVk" },
        { type: "opaque", dialect: "gemini", data: { executableCode: { code: "1" } } },
      ),
    );
    expect(parts).toEqual([
      {
        role: "model",
        parts: [
          { text: "Own.", thought: true, thoughtSignature: "c2Vh" },
          { text: "So.", thoughtSignature: "bGVk" },
          { executableCode: { code: "1" } },
        ],
      },
    ]);
  });

  test("has media by whatever way, with its type where that can be known", () => {
    const content: UserContent[] = [
      { type: "remote_image", source: { type: "url", url: "https://a.test/x.png?y=1" } },
      { type: "remote_image", source: { type: "url", url: "https://a.test/x" } },
      { type: "document", source: { type: "file", fileId: "files/abc" } },
      { type: "document", source: { type: "text", text: "Plain." }, title: "a.txt" },
    ];
    expect(contents("gemini-3.1-pro", user(...content))).toEqual([
      {
        role: "user",
        parts: [
          { fileData: { fileUri: "https://a.test/x.png?y=1", mimeType: "image/png" } },
          { fileData: { fileUri: "https://a.test/x" } },
          {
            fileData: {
              fileUri: "https://generativelanguage.googleapis.com/v1beta/files/abc",
              mimeType: "application/pdf",
            },
          },
          { text: "a.txt\n\nPlain." },
        ],
      },
    ]);
  });

  test("refuses an address of an image without a type where Vertex AI has to be told it", () => {
    const image = (source: { readonly url: string; readonly mediaType?: string }) =>
      geminiOnVertex.encodeRequest(
        { ...BARE, messages: [user({ type: "remote_image", source: { type: "url", ...source } })] },
        { stream: false },
      );
    expect(image({ url: "https://a.test/x" })).toEqual({
      ok: false,
      problem: expect.stringMatching(/^messages\.0 has an image at an address .* or send the image itself\.$/),
    });
    expect(image({ url: "https://a.test/x.png" }).ok).toBe(true);
    expect(image({ url: "https://a.test/x", mediaType: "image/png" }).ok).toBe(true);
  });

  test("makes impossible names possible, alike in calls and results", () => {
    const call: AssistantContent = { type: "tool_use", id: "a", name: "1 bad", input: {}, signature: "Cs0B" };
    const result: UserContent = { type: "tool_result", toolCallId: "a", content: [], isError: true };
    expect(contents("gemini-3.1-pro", assistant(call), user(result))).toMatchObject([
      { parts: [{ functionCall: { name: "_1_bad" } }] },
      { parts: [{ functionResponse: { name: "_1_bad", response: { error: "The tool failed and gave no reason." } } }] },
    ]);
  });
});

describe("what the provider cannot be told", () => {
  test.each<[string, Partial<LlmRequest>]>([
    [
      "only OpenAI Responses knows",
      { providerTools: [{ dialect: "responses", definition: { type: "code_interpreter" } }] },
    ],
    [
      "only Anthropic Messages knows",
      {
        messages: [
          user(text("Go.")),
          assistant({ type: "opaque", dialect: "anthropic", data: { type: "server_tool_use" } }),
        ],
      },
    ],
    [
      "names a file that lies at another provider",
      { messages: [user({ type: "document", source: { type: "file", fileId: "file-1" } })] },
    ],
  ])("is refused: %s", (problem, request) => {
    const encoded = gemini.encodeRequest({ ...BARE, ...request }, { stream: false });
    expect(encoded).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  });
});
