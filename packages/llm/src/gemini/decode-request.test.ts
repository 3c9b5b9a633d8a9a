import type { JsonObject, LlmRequest, Message } from "@loom/core";
import { describe, expect, test } from "vitest";
import { FOREIGN_SEAL, type ForeignSeal, wrapSeal } from "../foreign-seal.ts";
import { gemini } from "./codec.ts";

const USER = { role: "user", parts: [{ text: "Hi" }] };

function decode(body: JsonObject) {
  return gemini.decodeRequest(JSON.stringify({ contents: [USER], ...body }));
}

function requestOf(body: JsonObject): LlmRequest {
  const decoded = decode(body);
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.request;
}

function messagesOf(...contents: JsonObject[]): readonly Message[] {
  return requestOf({ contents }).messages;
}

const model = (...parts: JsonObject[]) => ({ role: "model", parts });
const call = (name: string, fields: JsonObject = {}) => ({ functionCall: { name, args: { n: 1 }, ...fields } });
const result = (name: string, response: JsonObject, fields: JsonObject = {}) => ({
  functionResponse: { name, response, ...fields },
});

describe("a request of Gemini CLI", () => {
  test("is read whole; the model is in the path", () => {
    const decoded = decode({
      contents: [
        USER,
        model(
          { text: "Look.", thought: true },
          { text: "I look." },
          { ...call("ls", { id: "a" }), thoughtSignature: "Cs0B" },
        ),
        { role: "user", parts: [result("ls", { output: "x" }, { id: "a" })] },
      ],
      systemInstruction: { role: "user", parts: [{ text: "You are an agent." }, { text: "Be brief." }] },
      tools: [
        { functionDeclarations: [{ name: "ls", description: "Lists.", parametersJsonSchema: { type: "object" } }] },
      ],
      generationConfig: {
        temperature: 1,
        topP: 0.95,
        topK: 64,
        maxOutputTokens: 99,
        stopSequences: ["x"],
        seed: 7,
        thinkingConfig: { includeThoughts: true, thinkingBudget: 8_192 },
      },
      safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }],
    });
    expect(decoded).toEqual({
      ok: true,
      stream: false,
      leftOut: ["safetySettings"],
      request: {
        model: "",
        system: "You are an agent.\n\nBe brief.",
        messages: [
          { role: "user", content: [{ type: "text", text: "Hi" }] },
          {
            role: "assistant",
            content: [
              { type: "thinking", text: "Look.", dialect: "gemini" },
              { type: "text", text: "I look." },
              { type: "tool_use", id: "a", name: "ls", input: { n: 1 }, signature: "Cs0B" },
            ],
          },
          {
            role: "user",
            content: [{ type: "tool_result", toolCallId: "a", content: [{ type: "text", text: "x" }], isError: false }],
          },
        ],
        tools: [{ name: "ls", description: "Lists.", inputSchema: { type: "object" } }],
        maxTokens: 99,
        temperature: 1,
        topP: 0.95,
        topK: 64,
        seed: 7,
        stopSequences: ["x"],
        thinking: { type: "on", budgetTokens: 8_192, visible: true },
      },
    });
  });

  test("may use the names of the protocol's definition", () => {
    const request = requestOf({
      contents: [{ parts: [{ inline_data: { mime_type: "image/png", data: "iVBO" } }] }],
      system_instruction: { parts: [{ text: "Be brief." }] },
      tools: [{ function_declarations: [{ name: "f" }] }],
      tool_config: { function_calling_config: { mode: "NONE" } },
      generation_config: { max_output_tokens: 9, response_mime_type: "application/json" },
    });
    expect(request).toMatchObject({
      system: "Be brief.",
      messages: [{ role: "user", content: [{ type: "image", mediaType: "image/png", data: "iVBO" }] }],
      tools: [{ name: "f", inputSchema: { type: "object", properties: {} } }],
      toolChoice: { type: "none" },
      maxTokens: 9,
      output: { type: "json" },
    });
  });
});

describe("calls and results", () => {
  test("find each other by id, or by name and order where there are none", () => {
    const messages = messagesOf(USER, model(call("f"), call("g"), call("f"), call("f", { id: "x" })), {
      role: "user",
      parts: [
        result("f", { output: "4" }, { id: "x" }),
        result("g", { output: "2" }, { id: "made up by the client" }),
        result("f", { output: "1" }),
        result("f", { output: "3" }),
      ],
    });
    expect(messages[1]?.content.map((block) => (block.type === "tool_use" ? block.id : ""))).toEqual([
      ...["call_1_0", "call_1_1", "call_1_2", "x"],
    ]);
    expect(messages[2]?.content).toMatchObject([
      { toolCallId: "call_1_0", content: [{ text: "1" }] },
      { toolCallId: "call_1_1", content: [{ text: "2" }] },
      { toolCallId: "call_1_2", content: [{ text: "3" }] },
      { toolCallId: "x", content: [{ text: "4" }] },
    ]);
  });

  test.each<[string, JsonObject, object]>([
    ["an output", { output: "x" }, { content: [{ type: "text", text: "x" }], isError: false }],
    [
      "an output that is no text",
      { output: { a: 1 } },
      { content: [{ type: "text", text: '{"a":1}' }], isError: false },
    ],
    ["an error", { error: "no" }, { content: [{ type: "text", text: "no" }], isError: true }],
    ["a form of its own", { a: 1, b: 2 }, { content: [{ type: "text", text: '{"a":1,"b":2}' }], isError: false }],
    ["nothing", {}, { content: [], isError: false }],
  ])("a result may be %s", (_name, response, expected) => {
    const messages = messagesOf(USER, model(call("f")), { role: "user", parts: [result("f", response)] });
    expect(messages[2]?.content).toMatchObject([expected]);
  });

  test("a result may hold an image", () => {
    const parts = [{ inlineData: { mimeType: "image/png", data: "iVBO" } }];
    const messages = messagesOf(USER, model(call("f")), {
      role: "user",
      parts: [result("f", { output: "x" }, { parts })],
    });
    expect(messages[2]?.content).toMatchObject([{ content: [{ text: "x" }, { type: "image", data: "iVBO" }] }]);
  });
});

describe("parts", () => {
  test("of every kind have a place, and what only this dialect knows stays what it is", () => {
    const sound = { inlineData: { mimeType: "audio/mp3", data: "SUQz" } };
    const video = { fileData: { fileUri: "https://youtu.be/x" } };
    const parts = [
      { inlineData: { mimeType: "application/pdf", data: "JVBE", displayName: "a.pdf" } },
      { fileData: { fileUri: "https://a.test/a.png", mimeType: "image/png" } },
      { fileData: { fileUri: "gs://b/a.pdf", mimeType: "application/pdf" } },
      sound,
      video,
    ];
    expect(messagesOf({ role: "user", parts })[0]?.content).toEqual([
      { type: "document", source: { type: "base64", mediaType: "application/pdf", data: "JVBE" }, title: "a.pdf" },
      { type: "remote_image", source: { type: "url", url: "https://a.test/a.png", mediaType: "image/png" } },
      { type: "document", source: { type: "file", fileId: "gs://b/a.pdf", mediaType: "application/pdf" } },
      { type: "opaque", dialect: "gemini", data: sound },
      { type: "opaque", dialect: "gemini", data: video },
    ]);
    const code = { executableCode: { language: "PYTHON", code: "1" } };
    expect(messagesOf(USER, model(code))[1]?.content).toEqual([{ type: "opaque", dialect: "gemini", data: code }]);
  });

  test("keep their seals, and those of other providers go back to the thoughts they are of", () => {
    const claude = wrapSeal({ kind: "signature", data: "EqQ", dialect: "anthropic", text: "Hm." });
    const sealed = { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" };
    const tool = { type: "tool_use", id: "a", name: "f", input: { n: 1 } };
    const called = { ...call("f", { id: "a" }), thoughtSignature: claude };
    expect(messagesOf(USER, model({ text: "So.", thoughtSignature: "c2Vh" }))[1]?.content).toEqual([
      { type: "text", text: "So.", signature: "c2Vh" },
    ]);
    expect(messagesOf(USER, model(called))[1]?.content).toEqual([sealed, tool]);
    expect(messagesOf(USER, model({ text: "Hm.", thought: true }, { text: "So." }, called))[1]?.content).toEqual([
      sealed,
      { type: "text", text: "So." },
      tool,
    ]);
  });
});

describe("wrapped seals", () => {
  const wrap = (more: Partial<ForeignSeal>) =>
    wrapSeal({ kind: "signature", data: "EqQ", dialect: "anthropic", text: "Hm.", ...more });
  const sealed = { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" };
  const tool = { type: "tool_use", id: "a", name: "f", input: { n: 1 } };
  const answerOf = (...parts: JsonObject[]) => messagesOf(USER, model(...parts))[1]?.content;
  const called = (seal: string) => ({ ...call("f", { id: "a" }), thoughtSignature: seal });

  test("that cannot be read any more do not go to the provider, and are named", () => {
    const broken = `${FOREIGN_SEAL}!`;
    expect(answerOf(called(broken))).toEqual([{ type: "thinking", text: "" }, tool]);
    expect(answerOf({ text: "So.", thoughtSignature: broken })).toEqual([
      { type: "thinking", text: "" },
      { type: "text", text: "So." },
    ]);
    const encoded = gemini.encodeRequest(
      { ...requestOf({ contents: [USER, model(called(broken))] }), model: "gemini-3-pro" },
      { stream: false },
    );
    expect(encoded).toMatchObject({ ok: true, leftOut: ["thinking of earlier answers"] });
    expect(JSON.stringify(encoded)).not.toContain(FOREIGN_SEAL);
  });

  test("on a part that is no call are thoughts before that part", () => {
    const seal = wrap({ at: 0, more: [{ kind: "redacted", data: "Rd", dialect: "anthropic" }] });
    expect(answerOf({ text: "One." }, { text: "Two.", thoughtSignature: seal })).toEqual([
      { type: "text", text: "One." },
      sealed,
      { type: "thinking", text: "", redactedData: "Rd", dialect: "anthropic" },
      { type: "text", text: "Two." },
    ]);
  });

  test("leave the texts behind a call in one piece, however many there were", () => {
    expect(answerOf({ text: "a" }, { text: "b" }, { text: "c" }, called(wrap({ textLength: 1 })))).toEqual([
      sealed,
      { type: "text", text: "a" },
      tool,
      { type: "text", text: "bc" },
    ]);
  });

  test("cut no character in two where the client changed its text", () => {
    expect(answerOf({ text: "a😀b" }, called(wrap({ at: 2, textLength: 2 })))).toEqual([
      { type: "text", text: "a😀" },
      sealed,
      tool,
      { type: "text", text: "b" },
    ]);
  });
});

describe("tools and settings", () => {
  const functions = (...names: string[]) => [{ functionDeclarations: names.map((name) => ({ name })) }];
  const calling = (config: JsonObject) => ({ functionCallingConfig: config });

  test("a schema of the provider's own kind becomes JSON Schema", () => {
    const parameters = {
      type: "OBJECT",
      properties: {
        kind: { type: "STRING", enum: ["a", "b"], nullable: true },
        list: { type: "ARRAY", items: { type: "INTEGER", format: "int32" }, minItems: "1" },
        any: { any_of: [{ type: "NUMBER" }, { type: "BOOLEAN" }], example: 1 },
      },
      required: ["kind"],
      propertyOrdering: ["kind", "list"],
    };
    expect(requestOf({ tools: [{ functionDeclarations: [{ name: "f", parameters }] }] }).tools[0]?.inputSchema).toEqual(
      {
        type: "object",
        properties: {
          kind: { type: ["string", "null"], enum: ["a", "b", null] },
          list: { type: "array", items: { type: "integer", format: "int32" }, minItems: 1 },
          any: { anyOf: [{ type: "number" }, { type: "boolean" }], examples: [1] },
        },
        required: ["kind"],
      },
    );
  });

  test("the provider's own tools are passed on one by one", () => {
    const { tools, providerTools } = requestOf({
      tools: [{ googleSearch: {}, ...functions("f")[0] }, { codeExecution: {} }],
    });
    expect(tools).toHaveLength(1);
    expect(providerTools).toEqual([
      { dialect: "gemini", definition: { googleSearch: {} } },
      { dialect: "gemini", definition: { codeExecution: {} } },
    ]);
  });

  test.each<[JsonObject, object, string[]]>([
    [{ mode: "AUTO" }, { type: "auto" }, ["f", "g"]],
    [{ mode: "NONE" }, { type: "none" }, ["f", "g"]],
    [{ mode: "ANY" }, { type: "required" }, ["f", "g"]],
    [{ mode: "ANY", allowedFunctionNames: ["g"] }, { type: "tool", name: "g" }, ["f", "g"]],
    [{ mode: "ANY", allowedFunctionNames: ["g", "h"] }, { type: "required" }, ["g", "h"]],
    [{ mode: "VALIDATED" }, { type: "auto" }, ["f", "g"]],
  ])("%j is %j", (config, toolChoice, names) => {
    const tools = names.includes("h") ? functions("f", "g", "h") : functions("f", "g");
    const request = requestOf({ tools, toolConfig: calling(config) });
    expect(request.toolChoice).toEqual(toolChoice);
    expect(request.tools.map(({ name }) => name)).toEqual(names);
    expect(request.tools.every(({ strict }) => strict === true)).toBe(config.mode === "VALIDATED");
  });

  test.each<[JsonObject, LlmRequest["thinking"]]>([
    [{ thinkingBudget: 0 }, { type: "off" }],
    [{ thinkingBudget: -1 }, undefined],
    [
      { thinkingBudget: -1, includeThoughts: true },
      { type: "on", visible: true },
    ],
    [
      { thinkingLevel: "HIGH", includeThoughts: true },
      { type: "on", effort: "high", visible: true },
    ],
    [{ thinkingLevel: "low" }, { type: "on", effort: "low" }],
    [{ includeThoughts: false }, undefined],
  ])("%j is %j", (thinkingConfig, thinking) => {
    expect(requestOf({ generationConfig: { thinkingConfig } }).thinking).toEqual(thinking);
  });

  test("an answer may have to be JSON of a form", () => {
    const responseSchema = { type: "OBJECT", properties: { a: { type: "STRING" } } };
    expect(requestOf({ generationConfig: { responseMimeType: "application/json", responseSchema } }).output).toEqual({
      type: "json_schema",
      name: "answer",
      schema: { type: "object", properties: { a: { type: "string" } } },
      strict: true,
    });
  });
});

describe("a request that is wrong, or that only Gemini could answer", () => {
  test.each<[string, JsonObject]>([
    ["cachedContent names a prompt", { cachedContent: "cachedContents/x" }],
    ["contents must be an array", { contents: "Hi" }],
    ["contents must not be empty", { contents: [] }],
    ["contents must begin with the role user", { contents: [model({ text: "Hi" })] }],
    ["contents.0.role has a value", { contents: [{ role: "narrator", parts: [] }] }],
    ["contents.0.parts.0 must not be empty", { contents: [{ parts: [{}] }] }],
    ["contents.0.parts.0.functionResponse answers no call", { contents: [{ parts: [result("f", {})] }] }],
    ["contents.0.parts.0.inlineData.mimeType must be a string", { contents: [{ parts: [{ inlineData: {} }] }] }],
    ["tools.0.functionDeclarations.0.name must be a string", { tools: [{ functionDeclarations: [{}] }] }],
    ["toolConfig.functionCallingConfig.mode has a value", { toolConfig: { functionCallingConfig: { mode: "SOME" } } }],
    ["generationConfig.candidateCount must be 1", { generationConfig: { candidateCount: 2 } }],
    ["generationConfig.responseModalities has a value", { generationConfig: { responseModalities: ["IMAGE"] } }],
    ["generationConfig.responseMimeType has a value", { generationConfig: { responseMimeType: "text/x.enum" } }],
    ["generationConfig.speechConfig is not supported", { generationConfig: { speechConfig: {} } }],
    ["thinkingLevel has a value", { generationConfig: { thinkingConfig: { thinkingLevel: "UTMOST" } } }],
    ["systemInstruction.parts.0.text must be a string", { systemInstruction: { parts: [{ inlineData: {} }] } }],
  ])("%s", (problem, body) => {
    expect(decode(body)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  });
});
