import { callTool, type Reply, type ScriptedModel, say } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { ask, startBeforeModel, type TestGateway } from "./gateway.testing.ts";

const SEAL = Buffer.from("what the provider sealed").toString("base64");
const TOOLS = [{ type: "function", function: { name: "read_file", parameters: { type: "object", properties: {} } } }];
const QUESTION = { role: "user", content: "Read it." };

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
    const { model, gateway } = await startBeforeModel([
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
    const { model, gateway } = await startBeforeModel([
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
  const { model, gateway } = await startBeforeModel(
    [
      callTool("read_file", {}, { thinking: { signature: SEAL } }),
      callTool("read_file", {}),
      callTool("read_file", {}),
    ],
    { subject: () => subject },
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
  const { model, gateway } = await startBeforeModel(
    [callTool("read_file", {}, { thinking }), callTool("read_file", {}), callTool("read_file", {})],
    { subject: () => subject },
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

describe("a session that changes its provider", () => {
  async function startMixed(script: readonly Reply[]) {
    const { model, gateway } = await startBeforeModel(script, {
      env: (url) => ({
        LOOM_SERVER_COMPATIBLE_DEEPSEEK_BASE_URL: `${url}/v1`,
        LOOM_SERVER_COMPATIBLE_DEEPSEEK_API_KEY: "test-key",
      }),
    });
    const post = async (path: string, body: object) => {
      const answer = await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
      expect(answer.text).not.toContain('"error":{');
      return { ...answer, body: JSON.parse(answer.text) };
    };
    return { post, sent: (index: number) => JSON.parse(JSON.stringify(model.requests[index])) };
  }
  const thinking = { text: "Hm." };
  const user = { role: "user", content: "Hi" };

  test("brings Claude the client's own bytes without what DeepSeek thought, and DeepSeek its thoughts back", async () => {
    const { post, sent } = await startMixed([say("One", { thinking }), say("Two"), say("Three")]);
    const body = { max_tokens: 2_000, service_tier: "auto", container: null };
    const first = await post("/anthropic/v1/messages", { ...body, model: "deepseek/r", messages: [user] });
    expect(first.body.content[0].signature).not.toBe("");
    const messages = [user, { role: "assistant", content: first.body.content }, user];
    const second = await post("/anthropic/v1/messages", { ...body, model: "anthropic/claude-sonnet-5", messages });
    expect(second.headers["x-loom-left-out"]).toBe("thinking of earlier answers");
    expect(sent(1).body).toEqual({
      ...body,
      model: "claude-sonnet-5",
      messages: [user, { role: "assistant", content: [{ type: "text", text: "One" }] }, user],
    });
    await post("/anthropic/v1/messages", { ...body, model: "deepseek/r", messages });
    expect(sent(2).body.messages[1]).toMatchObject({ content: "One", reasoning_content: "Hm." });
  });

  test("brings OpenAI its own Responses without what Claude and DeepSeek thought", async () => {
    const sealed = { text: "So.", signature: SEAL };
    const { post, sent } = await startMixed([say("One", { thinking }), say("Two", { thinking: sealed }), say("Three")]);
    const item = { type: "message", role: "user", content: "Hi" };
    const own = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" };
    const tools = [
      { type: "custom", name: "apply_patch", format: { type: "grammar", syntax: "lark", definition: "x" } },
    ];
    const body = { tools, store: false, reasoning: { effort: "high" } };
    const one = await post("/openai/v1/responses", { ...body, model: "deepseek/r", input: [item] });
    const two = await post("/openai/v1/responses", { ...body, model: "anthropic/claude-sonnet-5", input: [item] });
    const history = [...one.body.output, item, ...two.body.output, item, own];
    const third = await post("/openai/v1/responses", {
      ...body,
      model: "openai/gpt-5.4",
      input: [item, ...history, item],
    });
    expect(third.headers["x-loom-left-out"]).toBe("thinking of earlier answers");
    expect(sent(2).path).toBe("/v1/responses");
    const kept = [item, ...history, item].filter((each) => each === own || each.type !== "reasoning");
    expect(kept).toHaveLength(7);
    expect(sent(2).body).toEqual({ ...body, model: "gpt-5.4", input: kept });
  });

  test("brings Gemini the client's own parts, with what stands for a seal on the calls of others", async () => {
    const { post, sent } = await startMixed([callTool("ls", {}, { thinking }), callTool("ls", {}), say("Three")]);
    const contents = [{ role: "user", parts: [{ text: "Hi" }] }];
    const body = {
      tools: [{ functionDeclarations: [{ name: "ls" }] }],
      safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "OFF" }],
    };
    const result = { role: "user", parts: [{ functionResponse: { name: "ls", response: { output: "a" } } }] };
    const one = await post("/gemini/v1beta/models/deepseek/r:generateContent", { ...body, contents });
    const two = await post("/gemini/v1beta/models/anthropic/claude-sonnet-5:generateContent", { ...body, contents });
    const answers = [one, two].map((answer) => answer.body.candidates[0].content);
    const history = [...contents, answers[0], result, answers[1], result];
    await post("/gemini/v1beta/models/gemini-3.1-pro:generateContent", { ...body, contents: history });
    const up = sent(2).body;
    expect(up.safetySettings).toEqual(body.safetySettings);
    for (const { parts } of [up.contents[1], up.contents[3]]) {
      expect(parts).toEqual([
        { functionCall: expect.anything(), thoughtSignature: "skip_thought_signature_validator" },
      ]);
    }
  });
});
