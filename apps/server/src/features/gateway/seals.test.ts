import { callTool, type Reply, type ScriptedModel, startScriptedModel } from "@loom/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask, startGateway, type TestGateway } from "./gateway.testing.ts";

const SEAL = Buffer.from("what the provider sealed").toString("base64");
const TOOLS = [{ type: "function", function: { name: "read_file", parameters: { type: "object", properties: {} } } }];
const QUESTION = { role: "user", content: "Read it." };

async function start(
  script: readonly Reply[],
  subject: () => string = () => "owner",
): Promise<{ model: ScriptedModel; gateway: TestGateway }> {
  const model = await startScriptedModel({ script });
  onTestFinished(() => model.close());
  const gateway = await startGateway({
    subject,
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: "test-key",
      LOOM_SERVER_ANTHROPIC_BASE_URL: model.url,
      LOOM_SERVER_GEMINI_API_KEY: "test-key",
      LOOM_SERVER_GEMINI_BASE_URL: model.url,
    },
  });
  onTestFinished(() => gateway.close());
  return { model, gateway };
}

/** A client that keeps of an answer what Chat Completions has a field for, and not a byte more. */
async function turn(
  gateway: TestGateway,
  body: object,
): Promise<{ readonly message: object; readonly callId: string }> {
  const url = `${gateway.url}/openai/v1/chat/completions`;
  const answer = await ask(url, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  expect(answer.status).toBe(200);
  const stream = answer.text.startsWith("data:");
  const calls = stream ? callsInStream(answer.text) : JSON.parse(answer.text).choices[0].message.tool_calls;
  const [{ id, function: called }] = calls;
  return {
    callId: id,
    message: { role: "assistant", content: null, tool_calls: [{ id, type: "function", function: called }] },
  };
}

function callsInStream(text: string) {
  const deltas = text
    .split("\n")
    .filter((line) => line.startsWith("data: {"))
    .flatMap((line) => JSON.parse(line.slice(6)).choices[0]?.delta?.tool_calls ?? []);
  const { id, function: called } = deltas[0];
  return [{ id, function: { name: called.name, arguments: deltas.map((delta) => delta.function.arguments).join("") } }];
}

describe.each([{ stream: false }, { stream: true }])("a client of Chat Completions ($stream)", ({ stream }) => {
  test("gives Gemini its seals back, with each call its own", async () => {
    const { model, gateway } = await start([
      callTool("read_file", { path: "a" }, { thinking: { text: "Hm.", signature: SEAL } }),
      callTool("read_file", { path: "b" }, { thinking: { text: "So.", signature: `${SEAL}AAAA` } }),
      callTool("read_file", { path: "c" }),
    ]);
    const body = { model: "gemini/gemini-3.1-pro", tools: TOOLS, stream };
    const first = await turn(gateway, { ...body, messages: [QUESTION] });
    const messages = [QUESTION, first.message, { role: "tool", tool_call_id: first.callId, content: "A" }];
    const second = await turn(gateway, { ...body, messages });
    await turn(gateway, {
      ...body,
      messages: [...messages, second.message, { role: "tool", tool_call_id: second.callId, content: "B" }],
    });
    expect(sealsOf(model, 1)).toEqual([SEAL]);
    expect(sealsOf(model, 2)).toEqual([SEAL, `${SEAL}AAAA`]);
  });

  test("gives Claude its sealed thinking back, and Gemini nothing of that", async () => {
    const thinking = { text: "Hm.", signature: SEAL };
    const { model, gateway } = await start([
      callTool("read_file", { path: "a" }, { thinking }),
      callTool("read_file", { path: "b" }),
      callTool("read_file", { path: "c" }),
    ]);
    const body = { tools: TOOLS, stream, reasoning_effort: "high" };
    const first = await turn(gateway, { ...body, model: "anthropic/claude-sonnet-5", messages: [QUESTION] });
    const messages = [QUESTION, first.message, { role: "tool", tool_call_id: first.callId, content: "A" }];
    await turn(gateway, { ...body, model: "anthropic/claude-sonnet-5", messages });
    expect(model.requests[1]?.conversation?.messages[1]?.content[0]).toEqual({ type: "thinking", ...thinking });
    await turn(gateway, { ...body, model: "gemini/gemini-3.1-pro", messages });
    expect(sealsOf(model, 2)).toEqual(["skip_thought_signature_validator"]);
    expect(JSON.stringify(model.requests[2])).not.toContain(SEAL);
  });
});

test("a seal is nobody's but theirs who got it", async () => {
  let subject = "somebody";
  const { model, gateway } = await start(
    [
      callTool("read_file", {}, { thinking: { signature: SEAL } }),
      callTool("read_file", {}),
      callTool("read_file", {}),
    ],
    () => subject,
  );
  const body = { model: "gemini/gemini-3.1-pro", tools: TOOLS };
  const { message, callId } = await turn(gateway, { ...body, messages: [QUESTION] });
  const messages = [QUESTION, message, { role: "tool", tool_call_id: callId, content: "A" }];
  subject = "somebody else";
  await turn(gateway, { ...body, messages });
  subject = "somebody";
  await turn(gateway, { ...body, messages });
  expect(sealsOf(model, 1)).toEqual(["skip_thought_signature_validator"]);
  expect(sealsOf(model, 2)).toEqual([SEAL]);
});

test("Google's client for Python, which writes seals in the other alphabet, gives Claude's thinking back to Claude alone", async () => {
  let subject = "somebody";
  const thinking = { text: "Is it so? ÿ~ÿ?>>>", signature: SEAL };
  const { model, gateway } = await start(
    [callTool("read_file", {}, { thinking }), callTool("read_file", {}), callTool("read_file", {})],
    () => subject,
  );
  const asked = { role: "user", parts: [{ text: "Read it." }] };
  const generate = async (name: string, contents: readonly object[]) => {
    const answer = await ask(`${gateway.url}/gemini/v1beta/models/${name}:generateContent`, {
      body: { contents, tools: [{ functionDeclarations: [{ name: "read_file" }] }] },
      headers: { "x-goog-api-key": gateway.token },
    });
    expect(answer.status).toBe(200);
    return JSON.parse(answer.text).candidates[0].content;
  };
  const { parts } = await generate("anthropic/claude-sonnet-5", [asked]);
  const call = parts.find(({ functionCall }: { readonly functionCall?: object }) => functionCall !== undefined);
  const thoughtSignature = call.thoughtSignature.replaceAll("+", "-").replaceAll("/", "_");
  expect(thoughtSignature).not.toBe(call.thoughtSignature);
  const result = { role: "user", parts: [{ functionResponse: { name: "read_file", response: { output: "A" } } }] };
  const contents = [asked, { role: "model", parts: [{ ...call, thoughtSignature }] }, result];
  // Nothing is remembered for that one.
  subject = "somebody else";
  await generate("anthropic/claude-sonnet-5", contents);
  expect(model.requests[1]?.conversation?.messages[1]?.content[0]).toEqual({ type: "thinking", ...thinking });
  await generate("gemini/gemini-3.1-pro", contents);
  expect(sealsOf(model, 2)).toEqual(["skip_thought_signature_validator"]);
});

/** Of the calls in a request to Gemini, in their order. */
function sealsOf({ requests }: ScriptedModel, index: number): unknown[] {
  const messages = requests[index]?.conversation?.messages ?? [];
  return messages.flatMap(({ content }) =>
    content.flatMap((block) => (block.type === "tool_use" && "signature" in block ? [block.signature] : [])),
  );
}
