import { expect, test } from "vitest";
import { readChatRequest } from "./openai-chat-request.ts";

const user = { role: "user", content: "Hi" };
const call = (id: string, args = "{}") => ({ id, type: "function", function: { name: "bash", arguments: args } });
const asks = (...calls: object[]) => ({ role: "assistant", content: null, tool_calls: calls });
const answer = (id: string, content = "ok") => ({ role: "tool", tool_call_id: id, content });

function read(fields: Record<string, unknown>) {
  return readChatRequest(JSON.parse(JSON.stringify({ model: "m", messages: [user], ...fields })));
}

test("a conversation is read into turns that alternate", () => {
  const request = read({
    stream: true,
    max_completion_tokens: 9,
    tools: [{ type: "function", function: { name: "bash", parameters: { type: "object" } } }],
    messages: [
      { role: "system", content: "Be brief." },
      { role: "developer", content: [{ type: "text", text: "Be kind." }] },
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          { type: "image_url", image_url: { url: "data:image/png;base64,iVBO" } },
        ],
      },
      { ...asks(call("a", '{"command":"ls"}'), call("b", '{"comm')), content: "I look.", reasoning_content: "hm" },
      answer("b", "second"),
      answer("a"),
    ],
  });
  expect(request).toMatchObject({
    dialect: "openai-chat",
    stream: true,
    system: "Be brief.\nBe kind.",
    maxTokens: 9,
    toolNames: ["bash"],
  });
  expect(request.messages).toEqual([
    {
      role: "user",
      content: [
        { type: "text", text: "Look" },
        { type: "image", mediaType: "image/png", data: "iVBO" },
      ],
    },
    {
      role: "assistant",
      content: [
        { type: "thinking", text: "hm" },
        { type: "text", text: "I look." },
        { type: "tool_use", id: "a", name: "bash", input: { command: "ls" } },
        { type: "tool_use", id: "b", name: "bash", input: {}, malformedInput: '{"comm' },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", toolCallId: "b", content: [{ type: "text", text: "second" }], isError: false },
        { type: "tool_result", toolCallId: "a", content: [{ type: "text", text: "ok" }], isError: false },
      ],
    },
  ]);
});

test.each([
  ["no model", { model: undefined }, "must provide a model"],
  ["no messages", { messages: [] }, "empty array"],
  ["stream options without a stream", { stream_options: { include_usage: true } }, "only allowed when 'stream'"],
  ["an unanswered call", { messages: [user, asks(call("a")), user] }, "did not have response messages: a"],
  [
    "an unanswered call at the end",
    { messages: [user, asks(call("a"), call("b")), answer("a")] },
    "did not have response messages: b",
  ],
  ["an answer to nothing", { messages: [user, answer("a")] }, "must be a response"],
  ["an empty list of calls", { messages: [user, { role: "assistant", content: "x", tool_calls: [] }] }, "empty array"],
  [
    "an assistant who says nothing",
    { messages: [user, { role: "assistant", content: null }] },
    "expected a string, got null",
  ],
  [
    "arguments that are no text",
    { messages: [user, asks({ id: "a", type: "function", function: { name: "b", arguments: {} } }), answer("a")] },
    "function.arguments are required",
  ],
  ["an empty list of tools", { tools: [] }, "Invalid 'tools'"],
  ["a tool in another dialect", { tools: [{ name: "bash", input_schema: {} }] }, "Missing 'tools[0].function'"],
  [
    "an image to fetch",
    { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://example.com/x.png" } }] }] },
    "only base64 data URLs",
  ],
  ["an unknown role", { messages: [{ role: "robot", content: "x" }] }, "Supported values"],
])("%s is refused", (_, fields, message) => {
  expect(() => read(fields)).toThrow(message);
});
