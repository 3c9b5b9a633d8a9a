import { afterEach, expect, test } from "vitest";
import { anthropicRequest } from "../client-requests.testing.ts";
import { fault } from "../model/fault.ts";
import { callTool, callToolWithText, fail, type Script, say } from "../model/reply.ts";
import { type ScriptedModel, startScriptedModel } from "../model/scripted-model.ts";
import { exchange } from "../raw-exchange.testing.ts";

let model: ScriptedModel | undefined;

afterEach(() => model?.close());

async function ask(script: Script, fields: Readonly<Record<string, unknown>> = {}) {
  model = await startScriptedModel({ script });
  return exchange(`${model.url}/v1/messages`, anthropicRequest(fields));
}

const USAGE = { inputTokens: 25, outputTokens: 15 };

test("a streamed text is a message, one block, one early ping and a stop", async () => {
  const response = await ask([say("Héllo, wörld!", { usage: USAGE, delivery: { deltas: 2 } })], { stream: true });
  expect(response.status).toBe(200);
  expect(response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
  expect(response.headers["request-id"]).toBe("req_00000001");
  expect(response.text).toBe(`event: message_start
data: {"type":"message_start","message":{"id":"msg_00000001","type":"message","role":"assistant","model":"claude-test","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Héllo, "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"wörld!"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

`);
});

test("thinking is sealed by a signature before the next block begins", async () => {
  const { text } = await ask([say("Four.", { thinking: { text: "2 + 2", signature: "c2VhbA==" } })], { stream: true });
  expect(text).toContain(`event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"2 + 2"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2VhbA=="}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
`);
  expect(text).toContain('"output_tokens_details":{"thinking_tokens":2}');
});

test("redacted thinking is one block of ciphertext without deltas", async () => {
  const { text } = await ask([say("Hm.", { thinking: { redactedData: "ZZZ" } })], { stream: true });
  expect(text).toContain(`event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"ZZZ"}}

event: ping
data: {"type":"ping"}

event: content_block_stop
data: {"type":"content_block_stop","index":0}
`);
});

test("a tool's input comes as fragments of JSON after an empty one", async () => {
  const { text } = await ask([callTool("bash", { command: "npm test" })], { stream: true });
  expect(text).toContain(`event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1_0","name":"bash","input":{}}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"command\\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\\"npm test\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},`);
});

test("a tool without arguments streams an empty fragment and nothing else", async () => {
  const { text } = await ask([callTool("list_files", {})], { stream: true });
  expect(text.match(/input_json_delta/g)).toHaveLength(1);
  expect(text).toContain('"partial_json":""');
});

test("truncated arguments go out as they were written", async () => {
  const { text } = await ask([callToolWithText("bash", '{"comm')], { stream: true });
  expect(text).toContain('"partial_json":"{\\"comm"');
});

test("an answer in one piece holds the same blocks, and counts cache reads and writes apart", async () => {
  const reply = {
    thinking: { text: "Look first.", signature: "s" },
    text: "I look.",
    toolCalls: [{ id: "toolu_x", name: "read_file", input: { path: "a.js" } }],
    usage: {
      inputTokens: 5,
      outputTokens: 7,
      cacheReadTokens: 11,
      cacheWriteTokens: 13,
      cacheWriteLongTokens: 4,
      reasoningTokens: 3,
    },
  };
  const response = await ask([reply]);
  expect(response.headers["content-type"]).toBe("application/json");
  expect(JSON.parse(response.text)).toEqual({
    id: "msg_00000001",
    type: "message",
    role: "assistant",
    model: "claude-test",
    content: [
      { type: "thinking", thinking: "Look first.", signature: "s" },
      { type: "text", text: "I look." },
      { type: "tool_use", id: "toolu_x", name: "read_file", input: { path: "a.js" } },
    ],
    stop_reason: "tool_use",
    stop_sequence: null,
    usage: {
      input_tokens: 5,
      cache_creation_input_tokens: 13,
      cache_read_input_tokens: 11,
      cache_creation: { ephemeral_5m_input_tokens: 9, ephemeral_1h_input_tokens: 4 },
      output_tokens: 7,
      output_tokens_details: { thinking_tokens: 3 },
      service_tier: "standard",
    },
  });
});

test("an HTTP error has Anthropic's body", async () => {
  const response = await ask([fail(fault.status(529))]);
  expect(response.status).toBe(529);
  expect(response.headers["content-type"]).toBe("application/json");
  expect(response.text).toBe(
    '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_00000001"}',
  );
});

test("an error in the stream is an event of its own", async () => {
  const { text, complete } = await ask([fail(fault.errorEvent(2))], { stream: true });
  expect(complete).toBe(true);
  expect(text.split("\n\n").slice(2)).toEqual([
    'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_00000001"}',
    "",
  ]);
});

test("the models are listed in Anthropic's shape for a client that sends its version", async () => {
  model = await startScriptedModel({ script: [], models: ["claude-a", "claude-b"] });
  const { headers = {} } = anthropicRequest();
  const { text } = await exchange(`${model.url}/v1/models?limit=5`, { method: "GET", headers });
  expect(JSON.parse(text)).toMatchObject({
    data: [{ type: "model", id: "claude-a", display_name: "claude-a" }, { id: "claude-b" }],
    has_more: false,
    first_id: "claude-a",
    last_id: "claude-b",
  });
});

test("on Vertex AI the path names the model, and the body the version", async () => {
  model = await startScriptedModel({ script: [say("Hi."), say("Hi.")] });
  const at = `${model.url}/v1/projects/p/locations/global/publishers/anthropic/models/claude-test`;
  const headers = { authorization: "Bearer ya29.test" };
  const body = { max_tokens: 9, messages: [{ role: "user", content: "Hello" }] };
  expect((await exchange(`${at}:rawPredict`, { headers, body })).status).toBe(400);
  const versioned = { ...body, anthropic_version: "vertex-2023-10-16" };
  const whole = await exchange(`${at}:rawPredict`, { headers, body: versioned });
  expect(JSON.parse(whole.text)).toMatchObject({ model: "claude-test", content: [{ text: "Hi." }] });
  const streamed = await exchange(`${at}:streamRawPredict`, { headers, body: versioned });
  expect(streamed.text).toContain("event: message_stop");
  const counting = at.replace("claude-test", "count-tokens:rawPredict");
  const counted = await exchange(counting, { headers, body: { ...versioned, model: "claude-test" } });
  expect(JSON.parse(counted.text).input_tokens).toBeGreaterThan(0);
});
