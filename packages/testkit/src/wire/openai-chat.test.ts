import { afterEach, expect, test } from "vitest";
import { chatRequest } from "../client-requests.testing.ts";
import { fault } from "../model/fault.ts";
import { callTool, callTools, fail, type Script, say } from "../model/reply.ts";
import { type ScriptedModel, startScriptedModel } from "../model/scripted-model.ts";
import { exchange } from "../raw-exchange.testing.ts";

let model: ScriptedModel | undefined;

afterEach(() => model?.close());

async function ask(script: Script, fields: Readonly<Record<string, unknown>> = {}, path = "/v1/chat/completions") {
  model = await startScriptedModel({ script });
  return exchange(`${model.url}${path}`, chatRequest(fields));
}

const HEAD =
  '"id":"chatcmpl-00000001","object":"chat.completion.chunk","created":1700000001,"model":"gpt-test","service_tier":"default","system_fingerprint":"fp_loom"';

test("a streamed text begins with the role and ends with a finish reason and [DONE]", async () => {
  const response = await ask([say("Hello there!", { delivery: { deltas: 2 } })], { stream: true });
  expect(response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
  expect(
    response.text,
  ).toBe(`data: {${HEAD},"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}

data: {${HEAD},"choices":[{"index":0,"delta":{"content":"Hello "},"logprobs":null,"finish_reason":null}]}

data: {${HEAD},"choices":[{"index":0,"delta":{"content":"there!"},"logprobs":null,"finish_reason":null}]}

data: {${HEAD},"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}

data: [DONE]

`);
});

test("usage comes in a chunk of its own, only when asked for, with cached tokens inside the prompt", async () => {
  const usage = { inputTokens: 10, outputTokens: 20, cacheReadTokens: 30, reasoningTokens: 5 };
  const { text } = await ask([say("Hi", { usage })], { stream: true, stream_options: { include_usage: true } });
  const chunks = text.split("\n\n");
  expect(chunks[0]).toContain('"usage":null');
  expect(chunks.at(-3)).toBe(
    `data: {${HEAD},"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":20,"total_tokens":60,"prompt_tokens_details":{"cached_tokens":30,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`,
  );
});

test("a tool call is announced with its name and followed by fragments of arguments", async () => {
  const { text } = await ask([callTool("bash", { command: "npm test" })], { stream: true });
  const deltas = [...text.matchAll(/"delta":(\{.*\}),"logprobs"/g)].map(([, delta]) => delta);
  expect(deltas).toEqual([
    '{"role":"assistant","content":null,"refusal":null}',
    '{"tool_calls":[{"index":0,"id":"call_1_0","type":"function","function":{"name":"bash","arguments":""}}]}',
    '{"tool_calls":[{"index":0,"function":{"arguments":"{\\"command\\":"}}]}',
    '{"tool_calls":[{"index":0,"function":{"arguments":"\\"npm test\\"}"}}]}',
    "{}",
  ]);
  expect(text).toContain('"finish_reason":"tool_calls"');
});

test("fragments of several calls can take turns", async () => {
  const calls = [
    { name: "a", rawArguments: '{"path":"some-long-path.js"}' },
    { name: "b", rawArguments: "{}" },
  ];
  const { text } = await ask([callTools(calls, { delivery: { interleave: true } })], { stream: true });
  const order = [...text.matchAll(/"tool_calls":\[\{"index":(\d)/g)].map(([, index]) => index);
  expect(order).toEqual(["0", "1", "0", "1", "0"]);
});

test("reasoning goes out the way compatible servers send it", async () => {
  const { text } = await ask([say("Four.", { thinking: "2 + 2" })], { stream: true });
  expect(text).toContain('"delta":{"reasoning_content":"2 + 2"}');
});

test("an answer in one piece, also without /v1 in the path", async () => {
  const response = await ask([callTool("bash", { command: "ls" })], {}, "/chat/completions");
  expect(JSON.parse(response.text)).toMatchObject({
    object: "chat.completion",
    choices: [
      {
        index: 0,
        finish_reason: "tool_calls",
        message: {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "call_1_0", type: "function", function: { name: "bash", arguments: '{"command":"ls"}' } }],
        },
      },
    ],
    usage: { prompt_tokens: expect.any(Number), completion_tokens: 5 },
  });
});

test("an error in the stream is a data line, and no [DONE] follows", async () => {
  const { text } = await ask([fail(fault.errorEvent(1, { message: "Out of memory" }))], { stream: true });
  expect(text.split("\n\n").slice(1)).toEqual([
    'data: {"error":{"message":"Out of memory","type":"server_error","param":null,"code":null}}',
    "",
  ]);
});

test("a refused key is quoted with its middle starred out", async () => {
  model = await startScriptedModel({ script: [], expectedKey: "right" });
  const response = await exchange(`${model.url}/v1/chat/completions`, {
    ...chatRequest(),
    headers: { authorization: "Bearer sk-proj-abcdefgh1234" },
  });
  expect(response.status).toBe(401);
  expect(JSON.parse(response.text)).toEqual({
    error: {
      message:
        "Incorrect API key provided: sk-proj-********1234. You can find your API key at https://platform.openai.com/account/api-keys.",
      type: "invalid_request_error",
      param: null,
      code: "invalid_api_key",
    },
  });
});

test("an unknown model is 404 with a code", async () => {
  model = await startScriptedModel({ script: [], models: ["gpt-known"] });
  const response = await exchange(`${model.url}/v1/chat/completions`, chatRequest());
  expect(response.status).toBe(404);
  expect(JSON.parse(response.text).error).toMatchObject({
    code: "model_not_found",
    message: expect.stringContaining("gpt-test"),
  });
});

test("the models are listed in OpenAI's shape", async () => {
  model = await startScriptedModel({ script: [], models: ["gpt-known"] });
  const { headers = {} } = chatRequest();
  const { text } = await exchange(`${model.url}/v1/models`, { method: "GET", headers });
  expect(JSON.parse(text)).toEqual({
    object: "list",
    data: [{ id: "gpt-known", object: "model", created: 1_700_000_000, owned_by: "loom" }],
  });
});
