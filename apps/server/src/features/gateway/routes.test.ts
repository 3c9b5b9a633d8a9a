import { callTools, say } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { collect, REQUEST, send, startTestServer, TOKEN, textOf } from "../../testing.ts";

const JSON_TYPE = { "content-type": "application/json" };

describe.each(["anthropic", "openai"])("an answer of %s", (provider) => {
  test("streams as events that add up to the whole answer, with what it cost", async () => {
    const text = "Ein Satz, der in vielen Stücken kommt.";
    const usage = { inputTokens: 1_000_000, outputTokens: 1_000_000, cacheReadTokens: 0, cacheWriteTokens: 0 };
    await using test = await startTestServer({ script: [say(text, { usage, delivery: { deltas: 10 } })] });
    const events = await collect(test.client.stream(provider, REQUEST));
    expect(textOf(events)).toBe(text);
    expect(events.at(-1)).toMatchObject({
      type: "completed",
      response: {
        message: { role: "assistant", content: [{ type: "text", text }] },
        stopReason: "end_turn",
        usage: { inputTokens: 1_000_000, outputTokens: 1_000_000 },
        costMicroUsd: provider === "anthropic" ? 12_000_000 : expect.any(Number),
      },
    });
  });

  test("comes in one piece with the same content", async () => {
    const reply = callTools([
      { id: "call_1", name: "read_file", input: { path: "ä.txt" } },
      { id: "call_2", name: "bash", input: {} },
    ]);
    await using test = await startTestServer({ script: [reply, reply] });
    const whole = await test.client.complete(provider, REQUEST);
    const last = (await collect(test.client.stream(provider, REQUEST))).at(-1);
    expect(last?.type === "completed" && last.response.message).toEqual(whole.message);
    expect(whole.stopReason).toBe("tool_use");
    expect(whole.message.content).toMatchObject([
      { type: "tool_use", id: "call_1", name: "read_file", input: { path: "ä.txt" } },
      { type: "tool_use", id: "call_2", name: "bash", input: {} },
    ]);
  });

  test("is asked for with the server's key and without the client's token", async () => {
    await using test = await startTestServer({ script: [say("Yes.")] });
    await collect(test.client.stream(provider, REQUEST));
    const [request] = test.model.requests;
    const headers = JSON.stringify(request?.headers);
    expect(headers).toContain(provider === "anthropic" ? "sk-ant-key-of-the-tests" : "Bearer sk-key-of-the-tests");
    expect(headers).not.toContain(TOKEN);
    expect(request?.headers["accept-encoding"]).toBe("identity");
  });
});

describe("the model", () => {
  const modelOf = async (provider: string, model: string, env: NodeJS.ProcessEnv = {}) => {
    await using test = await startTestServer({ script: [say("Yes.")], env });
    await test.client.complete(provider, { ...REQUEST, model });
    return test.model.requests.at(-1)?.conversation?.model;
  };

  test.each([
    ["anthropic", "default", "claude-sonnet-5"],
    ["anthropic", "fast", "claude-haiku-4-5"],
    ["openai", "default", "gpt-5.4"],
    ["default", "default", "claude-sonnet-5"],
    ["default", "gpt-5-mini", "gpt-5-mini"],
    ["default", "claude-opus-5", "claude-opus-5"],
    ["openai", "llama3.2:1b", "llama3.2:1b"],
  ])("of provider %s called %s is %s", async (provider, model, expected) => {
    expect(await modelOf(provider, model)).toBe(expected);
  });

  test("behind the aliases is what the configuration says", async () => {
    const env = { LOOM_SERVER_ANTHROPIC_MODEL: "claude-opus-5-5", LOOM_SERVER_ANTHROPIC_FAST_MODEL: "claude-haiku-9" };
    expect(await modelOf("default", "default", env)).toBe("claude-opus-5-5");
    expect(await modelOf("default", "fast", env)).toBe("claude-haiku-9");
  });

  test("of a local server without a configured model is the first that it lists", async () => {
    const env = { LOOM_SERVER_OPENAI_MODEL: "", LOOM_SERVER_DEFAULT_PROVIDER: "openai" };
    await using test = await startTestServer({ script: [say("Yes."), say("Again.")], env });
    await test.client.complete("default", REQUEST);
    await test.client.complete("default", REQUEST);
    const listings = test.model.requests.filter(({ method }) => method === "GET");
    expect(listings).toHaveLength(1);
    const { default: chosen } = await test.client.models();
    expect(chosen).toEqual({ provider: "openai", model: test.model.requests.at(-1)?.conversation?.model });
  });
});

describe("a request that cannot be served", () => {
  test("for a provider without a key says which variable to set, and that local models need none", async () => {
    const env = { LOOM_SERVER_OPENAI_API_KEY: "", LOOM_SERVER_OPENAI_BASE_URL: "" };
    await using test = await startTestServer({ env });
    const failure = test.client.complete("openai", REQUEST);
    await expect(failure).rejects.toMatchObject({ code: "not_configured", status: 404, retryable: false });
    await expect(failure).rejects.toThrow(/OPENAI_API_KEY.*LOOM_OPENAI_BASE_URL/);
  });

  test("on a server without any key says so", async () => {
    await using test = await startTestServer({
      env: {
        LOOM_SERVER_OPENAI_API_KEY: "",
        LOOM_SERVER_OPENAI_BASE_URL: "",
        LOOM_SERVER_ANTHROPIC_API_KEY: "",
        LOOM_SERVER_ANTHROPIC_BASE_URL: "",
      },
    });
    await expect(test.client.complete("default", REQUEST)).rejects.toThrow(/ANTHROPIC_API_KEY or OPENAI_API_KEY/);
    const models = await test.client.models();
    expect(models.default).toBeNull();
    expect(models.providers.map(({ configured }) => configured)).not.toContain(true);
  });

  test("for a provider that does not exist names those that do", async () => {
    await using test = await startTestServer();
    await expect(test.client.complete("antropic", REQUEST)).rejects.toMatchObject({
      code: "unknown_model",
      status: 404,
      message: 'There is no provider "antropic": use anthropic, openai, gemini, vertex, zai or default.',
    });
  });

  test.each<[string, unknown, string]>([
    ["a missing field", { ...REQUEST, system: undefined }, "system"],
    ["an unknown field", { ...REQUEST, stream: true }, "stream"],
    ["a wrong type deep inside", withContent([{ type: "text", text: 7 }]), "messages[0].content[0].text"],
    ["an unknown kind of block", withContent([{ type: "video" }]), "messages[0].content[0].type"],
    ["no messages", { ...REQUEST, messages: [] }, "messages"],
    ["a negative bound", { ...REQUEST, maxTokens: -1 }, "maxTokens"],
    ["a list instead of an object", [], ""],
  ])("because of %s is told the field", async (_, body, field) => {
    await using test = await startTestServer();
    const answer = await send(test.server.url, {
      method: "POST",
      path: "/proxy/anthropic/stream",
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "invalid_input", errors: [{ field }] });
    expect(test.model.requests).toEqual([]);
  });

  test("because it is nested too deeply is refused, not crashed on", async () => {
    await using test = await startTestServer();
    const depth = 200_000;
    const input = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    const call = `{"type":"tool_use","id":"1","name":"x","input":${input}}`;
    const body = `{"model":"default","system":"","tools":[],"maxTokens":1,"messages":[{"role":"assistant","content":[${call}]}]}`;
    const request = { method: "POST", path: "/proxy/anthropic/stream", headers: JSON_TYPE, body };
    const answer = await send(test.server.url, request);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({
      code: "invalid_input",
      detail: expect.stringMatching(/nested too deeply/),
    });
  });
});

function withContent(content: unknown): object {
  return { ...REQUEST, messages: [{ role: "user", content }] };
}
