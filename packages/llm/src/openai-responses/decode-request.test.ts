import { type JsonObject, type LlmRequest, NO_USAGE } from "@loom/core";
import { describe, expect, test } from "vitest";
import { wrapSeal } from "../foreign-seal.ts";
import { openAiResponses } from "./codec.ts";

function decode(body: JsonObject) {
  return openAiResponses.decodeRequest(JSON.stringify({ model: "m", input: "Hi", ...body }));
}

function requestOf(body: JsonObject): LlmRequest {
  const decoded = decode(body);
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.request;
}

const USER = { role: "user", content: [{ type: "input_text", text: "Hi" }] };
const said = (text: string) => ({ type: "message", role: "assistant", content: [{ type: "output_text", text }] });
const call = (callId: string) => ({
  type: "function_call",
  call_id: callId,
  name: "bash",
  arguments: '{"command":"ls"}',
});
const result = (callId: string, output: JsonObject | string | JsonObject[] = "ok") => ({
  type: "function_call_output",
  call_id: callId,
  output,
});
const toolUse = (id: string) => ({ type: "tool_use", id, name: "bash", input: { command: "ls" } });

describe("a request of Codex", () => {
  test("is read whole, with its instructions in front, and without what only OpenAI needs", () => {
    const decoded = decode({
      stream: true,
      store: false,
      include: ["reasoning.encrypted_content"],
      prompt_cache_key: "thread-1",
      client_metadata: { session_id: "s" },
      service_tier: "priority",
      text: { verbosity: "low" },
      tool_choice: "auto",
      parallel_tool_calls: true,
      reasoning: { effort: "high", summary: "auto" },
      instructions: "You are Codex.",
      input: [
        { type: "message", id: "msg_1", role: "developer", content: [{ type: "input_text", text: "Sandboxed." }] },
        { type: "message", role: "user", content: [{ type: "input_text", text: "<cwd>/w</cwd>" }] },
        { type: "message", role: "user", content: [{ type: "input_text", text: "Fix it." }] },
        {
          type: "reasoning",
          summary: [{ type: "summary_text", text: "Look." }],
          content: null,
          encrypted_content: "gAAA",
        },
        call("call_1"),
        result("call_1"),
      ],
      tools: [
        { type: "function", name: "bash", description: "Runs.", strict: false, parameters: { type: "object" } },
        { type: "web_search", external_web_access: false },
      ],
    });
    expect(decoded).toEqual({
      ok: true,
      stream: true,
      leftOut: ["store", "include", "client_metadata", "service_tier", "text.verbosity"],
      request: {
        model: "m",
        system: "You are Codex.\n\nSandboxed.",
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "<cwd>/w</cwd>" },
              { type: "text", text: "Fix it." },
            ],
          },
          {
            role: "assistant",
            content: [{ type: "thinking", text: "Look.", signature: "gAAA", dialect: "responses" }, toolUse("call_1")],
          },
          {
            role: "user",
            content: [
              { type: "tool_result", toolCallId: "call_1", content: [{ type: "text", text: "ok" }], isError: false },
            ],
          },
        ],
        tools: [{ name: "bash", description: "Runs.", inputSchema: { type: "object" } }],
        toolChoice: { type: "auto" },
        parallelToolCalls: true,
        providerTools: [{ dialect: "responses", definition: { type: "web_search", external_web_access: false } }],
        thinking: { type: "on", effort: "high", visible: true },
        cacheKey: "thread-1",
      },
    });
  });

  test("has tools in namespaces and tools that take text, which become ordinary ones", () => {
    const spawn = { type: "function", name: "spawn", description: "Starts.", parameters: { type: "object" } };
    const { tools, messages } = requestOf({
      tools: [
        { type: "namespace", name: "agents", description: "Sub-agents.", tools: [spawn] },
        {
          type: "custom",
          name: "apply_patch",
          description: "Patches.",
          format: { type: "grammar", syntax: "lark", definition: "start: x" },
        },
      ],
      input: [
        USER,
        { type: "function_call", call_id: "a", namespace: "agents", name: "spawn", arguments: "{}" },
        { type: "custom_tool_call", call_id: "b", name: "apply_patch", input: "*** Begin" },
        result("a"),
        { type: "custom_tool_call_output", call_id: "b", output: "done" },
      ],
    });
    expect(tools).toEqual([
      { name: "agents__ns__spawn", description: "Sub-agents.\n\nStarts.", inputSchema: { type: "object" } },
      {
        name: "apply_patch__text",
        description: "Patches.\n\nThe input has to match this lark grammar:\nstart: x",
        inputSchema: expect.objectContaining({ required: ["input"] }),
      },
    ]);
    expect(messages[1]?.content).toEqual([
      { type: "tool_use", id: "a", name: "agents__ns__spawn", input: {} },
      { type: "tool_use", id: "b", name: "apply_patch__text", input: { input: "*** Begin" } },
    ]);
    expect(messages[2]?.content).toMatchObject([{ toolCallId: "a" }, { toolCallId: "b", content: [{ text: "done" }] }]);
  });
});

describe("the names of tools", () => {
  const plain = (name: string) => ({ type: "function", name, parameters: {} });

  test("are those of plain functions as they are, and say in the answer what the others were", () => {
    const inner = { ...plain("b"), description: "Inner." };
    const decoded = decode({
      tools: [
        { type: "custom", name: "fetch" },
        { type: "namespace", name: "a", tools: [inner] },
        plain("fetch__text"),
        plain("a__ns__b"),
      ],
      input: [
        USER,
        { type: "custom_tool_call", call_id: "1", name: "fetch", input: "x" },
        { type: "function_call", call_id: "2", name: "fetch__text", arguments: "{}" },
        { type: "function_call_output", call_id: "2", output: "" },
      ],
      tool_choice: { type: "custom", name: "fetch" },
    });
    expect(decoded).toMatchObject({
      ok: true,
      request: {
        tools: [{ name: "fetch__text_2" }, { name: "a__ns__b_2" }, { name: "fetch__text" }, { name: "a__ns__b" }],
        toolChoice: { type: "tool", name: "fetch__text_2" },
        messages: [
          {},
          {
            content: [
              { id: "1", name: "fetch__text_2" },
              { id: "2", name: "fetch__text" },
            ],
          },
          {},
        ],
      },
      clientTools: new Map([
        ["fetch__text_2", { name: "fetch", isText: true }],
        ["a__ns__b_2", { namespace: "a", name: "b", isText: false }],
      ]),
    });
    const clientTools = decoded.ok ? decoded.clientTools : undefined;
    const call = (id: string, name: string) => ({ type: "tool_use" as const, id, name, input: { input: "y" } });
    const answer = openAiResponses.encodeResponse(
      {
        message: { role: "assistant", content: [call("1", "fetch__text_2"), call("2", "fetch__text")] },
        stopReason: "tool_use",
        usage: NO_USAGE,
        model: "m",
      },
      clientTools === undefined ? {} : { clientTools },
    );
    expect(answer.output).toMatchObject([
      { type: "custom_tool_call", name: "fetch", input: "y" },
      { type: "function_call", name: "fetch__text", arguments: '{"input":"y"}' },
    ]);
  });
});

describe("a conversation", () => {
  test("may be a text, or messages without a type", () => {
    expect(requestOf({ input: "Hi" }).messages).toEqual([{ role: "user", content: [{ type: "text", text: "Hi" }] }]);
    expect(requestOf({ input: [{ role: "user", content: "Hi" }] }).messages).toHaveLength(1);
  });

  test("keeps later instructions in their place, and results in the order of their calls", () => {
    const { messages } = requestOf({
      input: [
        USER,
        call("a"),
        call("b"),
        result("b"),
        { role: "developer", content: "Careful." },
        result("a", [
          { type: "input_text", text: "See:" },
          { type: "input_image", image_url: "data:image/png;base64,iVBO" },
        ]),
      ],
    });
    expect(messages[2]?.content).toEqual([
      {
        type: "tool_result",
        toolCallId: "a",
        content: [
          { type: "text", text: "See:" },
          { type: "image", mediaType: "image/png", data: "iVBO" },
        ],
        isError: false,
      },
      { type: "tool_result", toolCallId: "b", content: [{ type: "text", text: "ok" }], isError: false },
      { type: "text", text: "Careful.", instructs: true },
    ]);
  });

  test("has images and files by whatever way", () => {
    const content = [
      { type: "input_image", image_url: "https://a.test/x.png", detail: "low" },
      { type: "input_image", file_id: "file-1" },
      { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,JVBE" },
      { type: "input_file", filename: "a.txt", file_data: "SGk=" },
      { type: "input_file", file_url: "https://a.test/a.pdf" },
      { type: "input_file", file_id: "file-2" },
    ];
    expect(requestOf({ input: [{ role: "user", content }] }).messages[0]?.content).toEqual([
      { type: "remote_image", source: { type: "url", url: "https://a.test/x.png" } },
      { type: "remote_image", source: { type: "file", fileId: "file-1" } },
      { type: "document", source: { type: "base64", mediaType: "application/pdf", data: "JVBE" }, title: "a.pdf" },
      { type: "document", source: { type: "base64", mediaType: "text/plain", data: "SGk=" }, title: "a.txt" },
      { type: "document", source: { type: "url", url: "https://a.test/a.pdf" } },
      { type: "document", source: { type: "file", fileId: "file-2" } },
    ]);
  });

  test("keeps what OpenAI's own tools did as it is", () => {
    const search = { type: "web_search_call", id: "ws_1", status: "completed" };
    const shell = { type: "local_shell_call_output", id: "x", output: "ok" };
    const { messages } = requestOf({ input: [USER, search, said("Found."), shell] });
    expect(messages.slice(1)).toEqual([
      {
        role: "assistant",
        content: [
          { type: "opaque", dialect: "responses", data: search },
          { type: "text", text: "Found." },
        ],
      },
      { role: "user", content: [{ type: "opaque", dialect: "responses", data: shell }] },
    ]);
  });

  test("gives back the seals of other providers, those of calls too", () => {
    const claude = wrapSeal({ kind: "signature", data: "EqQ", dialect: "anthropic" });
    const callSeal = wrapSeal({ kind: "call", data: "Cs0B", dialect: "gemini", callId: "a" });
    const summary = [{ type: "summary_text", text: "Hm." }];
    const { messages } = requestOf({
      input: [
        USER,
        { type: "reasoning", summary, encrypted_content: claude },
        call("a"),
        { type: "reasoning", summary: [], encrypted_content: callSeal },
        result("a"),
      ],
    });
    expect(messages[1]?.content).toEqual([
      { type: "thinking", text: "Hm.", signature: "EqQ", dialect: "anthropic" },
      { ...toolUse("a"), signature: "Cs0B" },
    ]);
  });
});

describe("settings", () => {
  test.each<[string, JsonObject, Partial<LlmRequest>]>([
    ["no thinking", { reasoning: { effort: "none" } }, { thinking: { type: "off" } }],
    [
      "thinking that is not shown",
      { reasoning: { effort: "low", summary: null } },
      { thinking: { type: "on", effort: "low" } },
    ],
    ["JSON", { text: { format: { type: "json_object" } } }, { output: { type: "json" } }],
    [
      "a schema",
      { text: { format: { type: "json_schema", name: "a", schema: {}, strict: true, description: "b" } } },
      { output: { type: "json_schema", name: "a", schema: {}, strict: true, description: "b" } },
    ],
    ["sampling", { temperature: 0.5, top_p: 0.9 }, { temperature: 0.5, topP: 0.9 }],
    ["a bound", { max_output_tokens: 99 }, { maxTokens: 99 }],
    ["a user", { safety_identifier: "u", user: "v" }, { userId: "u" }],
    ["a tool", { tool_choice: { type: "function", name: "f" } }, { toolChoice: { type: "tool", name: "f" } }],
    [
      "a tool that takes text",
      { tool_choice: { type: "custom", name: "f" } },
      { toolChoice: { type: "tool", name: "f__text" } },
    ],
    [
      "some of the tools",
      {
        tools: ["f", "g"].map((name) => ({ type: "function", name, parameters: null })),
        tool_choice: { type: "allowed_tools", mode: "required", tools: [{ type: "function", name: "g" }] },
      },
      {
        tools: [{ name: "g", description: "", inputSchema: { type: "object", properties: {} } }],
        toolChoice: { type: "required" },
      },
    ],
  ])("%s", (_name, body, expected) => {
    expect(requestOf(body)).toMatchObject(expected);
  });

  test("reasoning without an effort is thinking only where it is to be seen", () => {
    expect(requestOf({ reasoning: { effort: null } })).not.toHaveProperty("thinking");
    expect(requestOf({ reasoning: { summary: "auto" } })).toHaveProperty("thinking", { type: "on", visible: true });
  });
});

describe("a request that only OpenAI could answer, or nobody", () => {
  test.each<[string, JsonObject]>([
    ["previous_response_id names a response", { previous_response_id: "resp_1" }],
    ["conversation names a conversation", { conversation: "conv_1" }],
    ["prompt names a prompt", { prompt: { id: "p" } }],
    ["background is not supported", { background: true }],
    ["input.1 refers to an item", { input: [USER, { type: "item_reference", id: "msg_1" }] }],
    ["input must be an array", { input: 7 }],
    ["input must not be empty", { input: [] }],
    ["input.1.type has a value", { input: [USER, { type: "hologram" }] }],
    ["input.0.content.0.type has a value", { input: [{ role: "user", content: [{ type: "input_audio" }] }] }],
    [
      "input.0.content.0.image_url must be a data: URL",
      { input: [{ role: "user", content: [{ type: "input_image", image_url: "file:///etc/passwd" }] }] },
    ],
    ["messages hold a tool result for", { input: [USER, result("x")] }],
    ["tools.0.type must be a string", { tools: [{}] }],
    ["tools.0.name must be a string", { tools: [{ type: "function" }] }],
    ["tool_choice.type has a value", { tool_choice: { type: "web_search_preview" } }],
    ["tool_choice.tools name no tool", { tool_choice: { type: "allowed_tools", mode: "auto", tools: [] } }],
    ["reasoning.effort has a value", { reasoning: { effort: "utmost" } }],
    ["text.format.type has a value", { text: { format: { type: "xml" } } }],
    ["max_output_tokens must be a whole number", { max_output_tokens: 0 }],
    ["model must not be empty", { model: "" }],
  ])("%s", (problem, body) => {
    const decoded = decode(body);
    expect(decoded).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  });
});
