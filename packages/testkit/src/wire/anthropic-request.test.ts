import { expect, test } from "vitest";
import { readAnthropicRequest } from "./anthropic-request.ts";

const base = { model: "m", max_tokens: 10, messages: [{ role: "user", content: "Hi" }] };
const user = (...content: object[]) => ({ role: "user", content });
const assistant = (...content: object[]) => ({ role: "assistant", content });
const text = (value: string) => ({ type: "text", text: value });
const call = (id: string) => ({ type: "tool_use", id, name: "bash", input: { command: "ls" } });
const result = (id: string, content: unknown = "ok") => ({ type: "tool_result", tool_use_id: id, content });

function read(fields: Record<string, unknown>) {
  return readAnthropicRequest(JSON.parse(JSON.stringify({ ...base, ...fields })));
}

test("a conversation is read with its tools, results and prompt", () => {
  const request = read({
    stream: true,
    system: [text("Be brief."), { ...text("Be kind."), cache_control: { type: "ephemeral" } }],
    tools: [{ name: "bash", description: "Runs", input_schema: { type: "object", properties: {} } }],
    messages: [
      user(text("List")),
      assistant(
        { type: "thinking", thinking: "hm", signature: "s" },
        { type: "redacted_thinking", data: "z" },
        call("a"),
        call("b"),
      ),
      user({ ...result("a", [text("one"), text("two")]), is_error: true }, result("b", "")),
    ],
  });
  expect(request).toMatchObject({
    dialect: "anthropic",
    model: "m",
    stream: true,
    system: "Be brief.\nBe kind.",
    toolNames: ["bash"],
    prompt: "List",
    maxTokens: 10,
  });
  expect(request.messages[1]?.content.map((block) => block.type)).toEqual([
    "thinking",
    "thinking",
    "tool_use",
    "tool_use",
  ]);
  expect(request.toolResults).toEqual([
    { callId: "a", name: "bash", input: { command: "ls" }, text: "one\ntwo", isError: true },
    { callId: "b", name: "bash", input: { command: "ls" }, text: "", isError: false },
  ]);
});

test("instructions may stand between the messages, right after one of the user's", () => {
  const request = read({
    system: "Be brief.",
    messages: [user(text("Hi")), { role: "system", content: [text("It is late.")] }],
  });
  expect(request).toMatchObject({ system: "Be brief.\nIt is late.", prompt: "Hi" });
  expect(request.messages).toHaveLength(1);
  const misplaced = [user(text("Hi")), assistant(text("Hello")), { role: "system", content: "x" }, user(text("So?"))];
  expect(() => read({ messages: misplaced })).toThrow("messages.2.role");
});

test("only results since the person last spoke belong to the turn", () => {
  const request = read({
    messages: [
      user(text("First")),
      assistant(call("a")),
      user(result("a")),
      assistant(text("Done")),
      user(text("Second")),
      assistant(call("b")),
      user(result("b"), text("and hurry")),
    ],
  });
  expect(request.toolResults.map((answered) => answered.callId)).toEqual(["a", "b"]);
  expect(request.turnResults.map((answered) => answered.callId)).toEqual(["b"]);
  expect(request.prompt).toBe("and hurry");
});

test("an image is taken as base64", () => {
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBO" } };
  expect(read({ messages: [user(image)] }).messages[0]?.content).toEqual([
    { type: "image", mediaType: "image/png", data: "iVBO" },
  ]);
});

test.each([
  ["no model", { model: undefined }, "model: Field required"],
  ["no max_tokens", { max_tokens: undefined }, "max_tokens: Field required"],
  ["max_tokens of 0", { max_tokens: 0 }, "greater than or equal to 1"],
  ["no messages", { messages: [] }, "at least one message"],
  ["an assistant who begins", { messages: [assistant(text("x"))] }, "first message"],
  ["an assistant who has the last word", { messages: [user(text("x")), assistant(text("y"))] }, "must end with a user"],
  ["an empty text block", { messages: [user(text(""))] }, "must be non-empty"],
  ["empty content", { messages: [user()] }, "content must be non-empty"],
  ["a role of another dialect", { messages: [{ role: "system", content: "x" }] }, "'user' or 'assistant'"],
  [
    "a call without an answer",
    { messages: [user(text("x")), assistant(call("a")), user(text("y"))] },
    "without `tool_result`",
  ],
  [
    "text before the answer",
    { messages: [user(text("x")), assistant(call("a")), user(text("y"), result("a"))] },
    "without `tool_result`",
  ],
  ["an answer to nothing", { messages: [user(result("a"))] }, "unexpected `tool_use_id`"],
  [
    "two answers to one call",
    { messages: [user(text("x")), assistant(call("a")), user(result("a"), result("a"))] },
    "unexpected `tool_use_id`",
  ],
  [
    "thinking without its seal",
    { messages: [user(text("x")), assistant({ type: "thinking", thinking: "t" }, text("a")), user(text("y"))] },
    "signature: Field required",
  ],
  ["a tool without a schema", { tools: [{ name: "bash" }] }, "input_schema: Field required"],
  ["a tool name with a dot", { tools: [{ name: "a.b", input_schema: { type: "object" } }] }, "should match pattern"],
  [
    "two tools of one name",
    {
      tools: [
        { name: "a", input_schema: { type: "object" } },
        { name: "a", input_schema: { type: "object" } },
      ],
    },
    "must be unique",
  ],
  [
    "five cache marks",
    { system: Array.from({ length: 5 }, () => ({ ...text("x"), cache_control: { type: "ephemeral" } })) },
    "A maximum of 4 blocks",
  ],
])("%s is refused", (_, fields, message) => {
  expect(() => read(fields)).toThrow(message);
});
