import { afterEach, expect, test } from "vitest";
import { responsesRequest } from "../client-requests.testing.ts";
import { fault } from "../model/fault.ts";
import { callTool, fail, type Script, say } from "../model/reply.ts";
import { type ScriptedModel, startScriptedModel } from "../model/scripted-model.ts";
import { exchange } from "../raw-exchange.testing.ts";

let model: ScriptedModel | undefined;

afterEach(() => model?.close());

async function ask(script: Script, fields: Readonly<Record<string, unknown>> = {}) {
  model = await startScriptedModel({ script });
  return exchange(`${model.url}/v1/responses`, responsesRequest(fields));
}

function types(text: string): string[] {
  return [...text.matchAll(/^event: (.+)$/gm)].flatMap(([, type]) => type ?? []);
}

test("a streamed text opens and closes a response, an item and a part", async () => {
  const { text } = await ask([say("Hello", { usage: { inputTokens: 3, outputTokens: 2 } })], { stream: true });
  expect(types(text)).toEqual([
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
  expect(text).toContain(`event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_00000001","type":"message","role":"assistant","status":"in_progress","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":3,"output_index":0,"item_id":"msg_00000001","content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"output_index":0,"item_id":"msg_00000001","content_index":0,"delta":"Hello","logprobs":[]}
`);
  expect(text).toContain(
    '"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5}',
  );
});

test("a function call has fragments, then the whole", async () => {
  const { text } = await ask([callTool("shell", { command: ["ls"] })], { stream: true });
  expect(types(text).slice(2, -1)).toEqual([
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
  ]);
  expect(text).toContain(
    '"item":{"id":"fc_00000001_0","type":"function_call","call_id":"call_1_0","name":"shell","arguments":"{\\"command\\":[\\"ls\\"]}","status":"completed"}',
  );
});

test("the provider's own shell tool is called in its own form", async () => {
  const { text } = await ask([callTool("local_shell", { command: ["ls"] })], { tools: [{ type: "local_shell" }] });
  expect(JSON.parse(text).output).toEqual([
    {
      id: "fc_00000001_0",
      type: "local_shell_call",
      call_id: "call_1_0",
      action: { type: "exec", command: ["ls"], env: {} },
      status: "completed",
    },
  ]);
});

test("reasoning comes as a summary before the text", async () => {
  const { text } = await ask([say("Four.", { thinking: { text: "2 + 2", signature: "enc" } })], { stream: true });
  expect(types(text).slice(2, 8)).toEqual([
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
  ]);
  expect(text).toContain('"encrypted_content":"enc","summary":[{"type":"summary_text","text":"2 + 2"}]');
});

test("a failure in the stream is response.failed", async () => {
  const { text } = await ask([fail(fault.errorEvent(3))], { stream: true });
  expect(types(text).at(-1)).toBe("response.failed");
  expect(text).not.toContain("response.completed");
});

test("input items are read as a conversation", async () => {
  let seen: unknown;
  const input = [
    { type: "message", role: "developer", content: [{ type: "input_text", text: "Sandboxed." }] },
    { type: "message", role: "user", content: [{ type: "input_text", text: "List" }] },
    { type: "reasoning", summary: [], encrypted_content: "enc" },
    { type: "function_call", call_id: "c1", name: "exec_command", arguments: '{"cmd":"ls"}' },
    { type: "function_call_output", call_id: "c1", output: "a.js" },
  ];
  const tools = [
    { type: "function", name: "exec_command", parameters: { type: "object", properties: { cmd: { type: "string" } } } },
    { type: "web_search" },
  ];
  await ask(
    (request) => {
      seen = request;
      return say("ok");
    },
    { instructions: "Be brief.", input, tools },
  );
  expect(seen).toMatchObject({
    dialect: "openai-responses",
    system: "Be brief.\nSandboxed.",
    prompt: "List",
    toolNames: ["exec_command"],
    turnResults: [{ callId: "c1", name: "exec_command", input: { cmd: "ls" }, text: "a.js" }],
  });
});

test("a call without its output is refused", async () => {
  const response = await ask([say("x")], {
    input: [{ type: "function_call", call_id: "c1", name: "a", arguments: "{}" }],
  });
  expect(response.status).toBe(400);
  expect(response.text).toContain("No tool output found for function call c1.");
});
