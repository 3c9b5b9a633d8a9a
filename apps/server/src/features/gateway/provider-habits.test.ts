import { wrapSeal } from "@loom/llm";
import { callTool, say, startScriptedModel } from "@loom/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Answer, ask, startGateway } from "./gateway.testing.ts";

/** A server of Chat Completions under every name, and what a client of Anthropic Messages asks of it. */
async function start(replies: Parameters<typeof startScriptedModel>[0]["script"]) {
  const model = await startScriptedModel({ script: replies });
  onTestFinished(() => model.close());
  const compatible = (name: string) => ({
    [`LOOM_SERVER_COMPATIBLE_${name}_BASE_URL`]: `${model.url}/v1`,
    [`LOOM_SERVER_COMPATIBLE_${name}_API_KEY`]: "test-key",
  });
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_ZAI_API_KEY: "test-key",
      LOOM_SERVER_ZAI_BASE_URL: model.url,
      ...compatible("DEEPSEEK"),
      ...compatible("MOONSHOT"),
      ...compatible("OPENROUTER"),
      ...compatible("GEMINI_COMPATIBLE"),
      ...compatible("OLLAMA"),
      ...compatible("LAB"),
    },
  });
  onTestFinished(() => gateway.close());
  const post = (path: string, body: object): Promise<Answer> =>
    ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  return { model, post, sent: (index: number) => JSON.parse(JSON.stringify(model.requests[index]?.body)) };
}

const REQUEST = { max_tokens: 2_000, top_k: 5, messages: [{ role: "user", content: "Hi" }] };
const ENABLED = { type: "enabled", budget_tokens: 1_500 };
const GEMINI = "/gemini/v1beta/models";

describe("a request to", () => {
  test.each(["zai/glm-x", "deepseek/deepseek-chat", "moonshot/kimi-x"])(
    "%s switches thinking on and off",
    async (model) => {
      const { post, sent } = await start([say("Hi"), say("Hi"), say("Hi")]);
      const gemini = (thinkingBudget: number) => ({
        contents: [{ role: "user", parts: [{ text: "Hi" }] }],
        generationConfig: { maxOutputTokens: 2_000, topK: 5, thinkingConfig: { thinkingBudget } },
      });
      await post(`${GEMINI}/${model}:generateContent`, gemini(1_500));
      await post(`${GEMINI}/${model}:generateContent`, gemini(0));
      expect(sent(0)).toMatchObject({ thinking: { type: "enabled" }, max_tokens: 2_000 });
      expect(sent(1)).toMatchObject({ thinking: { type: "disabled" } });
      for (const body of [sent(0), sent(1)]) {
        for (const field of ["top_k", "reasoning", "prompt_cache_key"]) expect(body).not.toHaveProperty(field);
      }
    },
  );

  test.each([
    ["zai/glm-5.2", "medium", { thinking: { type: "enabled" }, reasoning_effort: "medium" }, undefined],
    ["zai/glm-4.6", "low", { thinking: { type: "enabled" } }, "how much to think"],
    ["moonshot/kimi-x", "low", { thinking: { type: "enabled" } }, "how much to think"],
    ["deepseek/deepseek-v4", "low", { thinking: { type: "enabled" }, reasoning_effort: "low" }, undefined],
    ["deepseek/deepseek-v4", "xhigh", { thinking: { type: "enabled" }, reasoning_effort: "max" }, undefined],
    ["deepseek/deepseek-v4", "none", { thinking: { type: "disabled" } }, undefined],
    ["lab/Qwen/Qwen3-32B", "none", { chat_template_kwargs: { enable_thinking: false } }, undefined],
    ["lab/gpt-oss-120b", "none", { reasoning_effort: "low" }, undefined],
    ["lab/gpt-oss-120b", "xhigh", { reasoning_effort: "high" }, undefined],
    ["lab/some-model", "none", {}, "thinking"],
    ["ollama/qwen3:8b", "none", { reasoning_effort: "none" }, undefined],
    ["gemini-compatible/gemini-3-flash", "none", { reasoning_effort: "none" }, undefined],
    ["gemini-compatible/gemini-2.5-pro", "none", { reasoning_effort: "low" }, undefined],
  ])("%s at the effort %s says so as it can, and what it cannot say is named", async (model, effort, said, leftOut) => {
    const { post, sent } = await start([say("Hi")]);
    const answer = await post("/openai/v1/responses", { model, input: "Hi", reasoning: { effort } });
    const { thinking, reasoning_effort, chat_template_kwargs } = sent(0);
    expect({ thinking, reasoning_effort, chat_template_kwargs }).toEqual(said);
    expect(answer.headers["x-loom-left-out"]).toBe(leftOut);
  });

  test("OpenRouter says how much to think in its own way, and narrows the choice of words", async () => {
    const { post, sent } = await start([say("Hi")]);
    await post("/anthropic/v1/messages", { ...REQUEST, model: "openrouter/some/model", thinking: ENABLED });
    expect(sent(0)).toMatchObject({ reasoning: { max_tokens: 1_500 }, top_k: 5 });
    expect(sent(0)).not.toHaveProperty("reasoning_effort");
  });

  test("any server may hold nothing but instructions", async () => {
    const { post, sent } = await start([say("Hi")]);
    const answer = await post("/openai/v1/responses", {
      model: "lab/some-model",
      input: [{ role: "system", content: "Greet." }],
    });
    expect(answer.status).toBe(200);
    expect(sent(0).messages).toEqual([{ role: "system", content: "Greet." }]);
  });

  test("a server that nobody knows says no more than all understand", async () => {
    const { post, sent } = await start([say("Hi")]);
    await post("/anthropic/v1/messages", { ...REQUEST, model: "lab/qwen", thinking: ENABLED });
    expect(sent(0)).toMatchObject({ reasoning_effort: "low", max_tokens: 2_000 });
    for (const field of ["top_k", "thinking", "reasoning"]) expect(sent(0)).not.toHaveProperty(field);
  });

  test.each([
    ["zai/glm-x", "reasoning_content"],
    ["openrouter/some/model", "reasoning"],
    ["lab/qwen", undefined],
  ])("%s brings earlier thinking back as %s", async (model, field) => {
    const { post, sent } = await start([callTool("ls", {}, { thinking: { text: "I look." } }), say("Done")]);
    const path = `${GEMINI}/${model}:generateContent`;
    const question = { role: "user", parts: [{ text: "Hi" }] };
    const tools = [{ functionDeclarations: [{ name: "ls", description: "Lists." }] }];
    const first = await post(path, { contents: [question], tools });
    const [candidate] = JSON.parse(first.text).candidates;
    const results = { role: "user", parts: [{ functionResponse: { name: "ls", response: { output: "a" } } }] };
    await post(path, { contents: [question, candidate.content, results], tools });
    const [, answer] = sent(1).messages;
    if (field === undefined) expect(JSON.stringify(answer)).not.toContain("I look.");
    else expect(answer[field]).toBe("I look.");
  });

  test("OpenRouter gets back what it sealed, and DeepSeek hears that there was something", async () => {
    const { post, sent } = await start([say("Hi"), say("Hi")]);
    const details = [{ type: "reasoning.text", text: "I look.", signature: "EqQ", index: 0 }];
    const signature = wrapSeal({ kind: "signature", data: JSON.stringify(details), dialect: "chat" });
    const answer = [
      { type: "thinking", thinking: "I look.", signature },
      { type: "text", text: "So" },
    ];
    const [user] = REQUEST.messages;
    const messages = [user, { role: "assistant", content: answer }, user];
    const one = await post("/anthropic/v1/messages", { ...REQUEST, model: "openrouter/some/model", messages });
    expect(sent(0).messages[1]).toMatchObject({ reasoning: "I look.", reasoning_details: details });
    expect(one.headers["x-loom-left-out"]).toBeUndefined();
    const two = await post("/anthropic/v1/messages", { ...REQUEST, model: "deepseek/r", messages });
    expect(JSON.stringify(sent(1).messages)).not.toContain("I look.");
    expect(two.headers["x-loom-left-out"]).toContain("thinking of earlier answers");
  });

  test("Gemini's own server of this dialect brings the seals of its calls back", async () => {
    const { post, sent } = await start([say("Hi")]);
    const call = { functionCall: { id: "c1", name: "ls", args: {} }, thoughtSignature: "c2VhbA==" };
    const result = { functionResponse: { id: "c1", name: "ls", response: { output: "a" } } };
    await post(`${GEMINI}/gemini-compatible/gemini-x:generateContent`, {
      contents: [
        { role: "user", parts: [{ text: "Hi" }] },
        { role: "model", parts: [call] },
        { role: "user", parts: [result] },
      ],
      tools: [{ functionDeclarations: [{ name: "ls", description: "Lists." }] }],
    });
    expect(sent(0).messages[1].tool_calls[0]).toMatchObject({
      id: "c1",
      extra_content: { google: { thought_signature: "c2VhbA==" } },
    });
  });
});
