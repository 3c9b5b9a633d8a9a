import {
  callTool,
  callToolWithText,
  fault,
  type Reply,
  type ScriptedModel,
  say,
  startScriptedModel,
} from "@loom/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { type Answer, ask, modelEnv, startGateway, type TestGateway } from "./gateway.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

/** A scripted provider behind every name, and a gateway in front of it. */
async function start(
  script: readonly Reply[],
  options: { readonly env?: Record<string, string>; readonly keepAliveMs?: number; readonly pooled?: boolean } = {},
): Promise<{ model: ScriptedModel; gateway: TestGateway }> {
  const model = await startScriptedModel({ script });
  closing.push(model);
  const gateway = await startGateway({
    ...options,
    env: {
      ...modelEnv(model.url),
      LOOM_SERVER_ZAI_API_KEY: "test-key",
      LOOM_SERVER_ZAI_BASE_URL: model.url,
      ...options.env,
    },
  });
  closing.push(gateway);
  return { model, gateway };
}

function post(gateway: TestGateway, path: string, body: object): Promise<Answer> {
  return ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
}

const PARAMETERS = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };

/** The same question in every dialect a client may speak; `model` is another provider's. */
const CLIENTS = {
  anthropic: {
    path: () => "/anthropic/v1/messages",
    body: (model: string, stream: boolean) => ({
      model,
      stream,
      max_tokens: 100,
      system: "Be brief.",
      messages: [{ role: "user", content: "Read it." }],
      tools: [{ name: "read_file", description: "Reads.", input_schema: PARAMETERS }],
    }),
    hasText: (text: string) => text.includes('"text":"Grüße'),
    hasCall: (text: string) => /"type":"tool_use"[^}]*"name":"read_file"/.test(text) && text.includes("a.txt"),
    ends: 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  },
  chat: {
    path: () => "/openai/v1/chat/completions",
    body: (model: string, stream: boolean) => ({
      model,
      stream,
      max_completion_tokens: 100,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Read it." },
      ],
      tools: [{ type: "function", function: { name: "read_file", description: "Reads.", parameters: PARAMETERS } }],
    }),
    hasText: (text: string) => text.includes('"content":"Grüße'),
    hasCall: (text: string) => text.includes('"name":"read_file"') && text.includes("a.txt"),
    ends: "data: [DONE]\n\n",
  },
  responses: {
    path: () => "/openai/v1/responses",
    body: (model: string, stream: boolean) => ({
      model,
      stream,
      max_output_tokens: 100,
      instructions: "Be brief.",
      input: "Read it.",
      tools: [{ type: "function", name: "read_file", description: "Reads.", parameters: PARAMETERS, strict: false }],
    }),
    hasText: (text: string) => text.includes('"text":"Grüße'),
    hasCall: (text: string) => /"type":"function_call"/.test(text) && text.includes("a.txt"),
    ends: "event: response.completed\n",
  },
  gemini: {
    path: (model: string, stream: boolean) =>
      `/gemini/v1beta/models/${encodeURIComponent(model).replaceAll("%2F", "/")}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    body: () => ({
      systemInstruction: { parts: [{ text: "Be brief." }] },
      generationConfig: { maxOutputTokens: 100 },
      contents: [{ role: "user", parts: [{ text: "Read it." }] }],
      tools: [{ functionDeclarations: [{ name: "read_file", description: "Reads.", parameters: PARAMETERS }] }],
    }),
    hasText: (text: string) => text.includes("Grüße"),
    hasCall: (text: string) => text.includes('"functionCall"') && text.includes("a.txt"),
    ends: '"finishReason":"STOP"',
  },
} as const;

const PROVIDERS = {
  anthropic: "anthropic/claude-test",
  openai: "openai/gpt-test",
  gemini: "gemini/gemini-test",
  zai: "zai/glm-test",
} as const;

describe.each(Object.entries(CLIENTS))("a client of %s", (dialect, client) => {
  describe.each(Object.entries(PROVIDERS))("with a model of %s", (provider, model) => {
    test.each([{ stream: false }, { stream: true }])("gets its text ($stream)", async ({ stream }) => {
      const { gateway, model: scripted } = await start([
        say("Grüße aus dem Test", { usage: { inputTokens: 11, outputTokens: 5 } }),
      ]);
      const answer = await post(gateway, client.path(model, stream), client.body(model, stream));
      expect(answer.status).toBe(200);
      expect(client.hasText(answer.text)).toBe(true);
      if (stream) expect(answer.text).toContain(client.ends);
      expect(scripted.requests[0]?.conversation).toMatchObject({
        model: model.split("/")[1],
        stream,
        system: "Be brief.",
        maxTokens: 100,
      });
      const [entry] = await gateway.waitForEntries(1);
      expect(entry).toMatchObject({
        dialect,
        upstream: provider,
        model: model.split("/")[1],
        requestedModel: model,
        outcome: "completed",
        estimated: false,
        usage: { inputTokens: 11, outputTokens: 5 },
      });
    });

    test.each([{ stream: false }, { stream: true }])("gets its tool call ($stream)", async ({ stream }) => {
      const { gateway } = await start([callTool("read_file", { path: "a.txt" })]);
      const answer = await post(gateway, client.path(model, stream), client.body(model, stream));
      expect(client.hasCall(answer.text)).toBe(true);
    });

    test("hears of a provider's error in its own words", async () => {
      const { gateway } = await start([{ fault: fault.status(429, { retryAfter: 3 }) }]);
      const answer = await post(gateway, client.path(model, true), client.body(model, true));
      expect(answer.status).toBe(429);
      expect(answer.headers["content-type"]).toBe("application/json");
      if (dialect === provider) return;
      expect(JSON.parse(answer.text)).toHaveProperty("error");
    });

    test("hears of a stream that breaks", async () => {
      // Responses has more to say before the text.
      const events = provider === "gemini" ? 2 : provider === "openai" && dialect !== "chat" ? 6 : 4;
      const { gateway } = await start([
        say("Grüße aus dem Test, länger als ein Stück", { fault: fault.cutAfter(events) }),
      ]);
      const answer = await post(gateway, client.path(model, true), client.body(model, true));
      expect(answer.status).toBe(200);
      expect(answer.complete).toBe(true);
      expect(answer.text).toMatch(/"error"/);
      expect(answer.text).not.toContain(client.ends);
      const [entry] = await gateway.waitForEntries(1);
      expect(entry).toMatchObject({ outcome: "cut_off", estimated: true });
    });
  });
});

describe("a translated answer", () => {
  test.each([true, false])("names what its request said in vain ($0)", async (stream) => {
    const { gateway } = await start([say("Grüße aus dem Test"), say("Grüße aus dem Test")]);
    const unheard = { frequency_penalty: 0.5, "new\nfield": 1, service_tier: null, seed: 3, prompt_cache_key: "k" };
    const translated = { ...CLIENTS.chat.body(PROVIDERS.anthropic, stream), ...unheard };
    const answer = await post(gateway, "/openai/v1/chat/completions", translated);
    expect(answer.headers["x-loom-left-out"]).toBe("frequency_penalty, new?field, seed, prompt_cache_key");
    const native = { ...CLIENTS.chat.body(PROVIDERS.openai, stream), ...unheard };
    const untouched = await post(gateway, "/openai/v1/chat/completions", native);
    expect(untouched.headers).not.toHaveProperty("x-loom-left-out");
  });

  test("names a hint once, wherever its request has it", async () => {
    const { gateway } = await start([say("Grüße aus dem Test")]);
    const cache_control = { type: "ephemeral" };
    const content = [{ type: "text", text: "Hi", cache_control }];
    const body = {
      ...CLIENTS.anthropic.body(PROVIDERS.openai, false),
      cache_control,
      messages: [{ role: "user", content }],
    };
    const answer = await post(gateway, "/anthropic/v1/messages", body);
    expect(answer.status).toBe(200);
    expect(answer.headers["x-loom-left-out"]).toBe("cache_control");
  });

  test("does not say what another provider thought as if it had been said, and names what is missing", async () => {
    const { gateway, model } = await start([say("Grüße aus dem Test")]);
    const thought = { text: "A secret plan.", thought: true, thoughtSignature: "c2VhbA==" };
    const contents = [
      { role: "user", parts: [{ text: "Hi" }] },
      { role: "model", parts: [thought, { text: "Hello." }] },
      { role: "user", parts: [{ text: "And?" }] },
    ];
    const answer = await post(gateway, "/gemini/v1beta/models/claude-x:generateContent", { contents });
    expect(answer.status).toBe(200);
    expect(answer.headers["x-loom-left-out"]).toBe("thinking of earlier answers");
    const [asked] = model.requests;
    expect(JSON.stringify(asked)).toContain("Hello.");
    expect(JSON.stringify(asked)).not.toContain("secret plan");
  });

  test("is kept alive while the provider thinks", async () => {
    const { gateway } = await start([say("Grüße aus dem Test", { delivery: { gapMs: 120, deltas: 3 } })], {
      keepAliveMs: 30,
    });
    const body = CLIENTS.chat.body(PROVIDERS.anthropic, true);
    const answer = await post(gateway, "/openai/v1/chat/completions", body);
    expect(answer.text).toContain(": ping\n\n");
    expect(answer.text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("of Gemini's kind is an array for those who ask for no events", async () => {
    const { gateway } = await start([say("Grüße aus dem Test")]);
    const path = `/gemini/v1beta/models/${PROVIDERS.openai}:streamGenerateContent`;
    const answer = await post(gateway, path, CLIENTS.gemini.body());
    const chunks = JSON.parse(answer.text);
    expect(Array.isArray(chunks)).toBe(true);
    expect(chunks.at(-1).candidates[0].finishReason).toBe("STOP");
  });

  test("is what comes of HTML with status 200", async () => {
    const { gateway } = await start([{ fault: fault.html() }]);
    const answer = await post(gateway, "/openai/v1/chat/completions", CLIENTS.chat.body(PROVIDERS.anthropic, false));
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.text)).toHaveProperty("error.message");
  });

  test.each([
    ["anthropic", false, '"tool_use"'],
    ["anthropic", true, '"stop_reason":"tool_use"'],
    ["gemini", false, '"functionCall"'],
    ["gemini", true, '"functionCall"'],
  ] as const)(
    "is a failure where a call has arguments that are no JSON (%s, streamed %j)",
    async (dialect, streamed, sign) => {
      const broken = callToolWithText("delete_files", '{"pattern":"*.tmp","dir":"/va');
      const { gateway } = await start([broken, broken, broken]);
      const { path, body } = CLIENTS[dialect];
      const answer = await post(gateway, path(PROVIDERS.openai, streamed), body(PROVIDERS.openai, streamed));
      expect(answer.status).toBe(streamed ? 200 : 502);
      expect(answer.text).toContain("with arguments that are not a JSON object");
      expect(answer.text).not.toContain(sign);
    },
  );

  test("says no where a dialect cannot say it", async () => {
    const { gateway, model } = await start([]);
    const body = {
      ...CLIENTS.chat.body(PROVIDERS.anthropic, false),
      messages: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }],
    };
    const answer = await post(gateway, "/openai/v1/chat/completions", body);
    expect(answer.status).toBe(400);
    expect(model.requests).toHaveLength(0);
  });
});

describe("tools whose names the provider does not take, or that it does not know", () => {
  const TOOLS = [
    { type: "function", name: "srv.read", parameters: PARAMETERS },
    { type: "function", name: "run__text", parameters: PARAMETERS },
    { type: "custom", name: "patch" },
  ];

  test.each([true, false])("are called by the client's names (streamed: %s)", async (stream) => {
    const { gateway, model } = await start([
      callTool("srv_read", { path: "a" }),
      callTool("run__text", { path: "b" }),
      callTool("patch__text", { input: "c" }),
    ]);
    const body = { model: "anthropic/claude-test", input: "Hi", tools: TOOLS, stream };
    const answers = [];
    for (const _ of TOOLS) answers.push((await post(gateway, "/openai/v1/responses", body)).text);
    expect(model.requests[0]?.body).toMatchObject({
      tools: [{ name: "srv_read" }, { name: "run__text" }, { name: "patch__text" }],
    });
    expect(answers[0]).toMatch(/"type":"function_call","name":"srv\.read","arguments":"\{\\"path\\":\\"a/);
    expect(answers[1]).toMatch(/"type":"function_call","name":"run__text","arguments":"\{\\"path\\":\\"b/);
    expect(answers[2]).toMatch(/"type":"custom_tool_call","name":"patch","input":"c"/);
  });
});

describe("Codex, which asks for a search of the web", () => {
  const BODY = { input: "Hi", tools: [{ type: "web_search", external_web_access: true }] };

  test("gets that of the model's provider", async () => {
    const { gateway, model } = await start([say("Grüße"), say("Grüße")]);
    await post(gateway, "/openai/v1/responses", { ...BODY, model: "anthropic/claude-test" });
    await post(gateway, "/openai/v1/responses", { ...BODY, model: "gemini/gemini-test" });
    expect(model.requests[0]?.body).toMatchObject({ tools: [{ type: "web_search_20250305", name: "web_search" }] });
    expect(model.requests[1]?.body).toMatchObject({ tools: [{ googleSearch: {} }] });
  });

  test("gets none that goes live where it did not want that, and is told", async () => {
    const { gateway, model } = await start([say("Grüße")]);
    const tools = [{ type: "web_search", external_web_access: false }];
    const answer = await post(gateway, "/openai/v1/responses", { ...BODY, tools, model: "anthropic/claude-test" });
    expect(answer.headers["x-loom-left-out"]).toBe("tools.web_search");
    expect(model.requests[0]?.body).not.toHaveProperty("tools");
  });

  test("is told what to do where there is none", async () => {
    const { gateway, model } = await start([]);
    const answer = await post(gateway, "/openai/v1/responses", { ...BODY, model: "zai/glm-test" });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text).error.message).toContain('Codex: web_search = "disabled" in its config.toml');
    expect(model.requests).toHaveLength(0);
  });
});

describe("a model of OpenAI's that thinks and has tools", () => {
  const anthropic = { ...CLIENTS.anthropic.body("openai/gpt-5.4", true), thinking: { type: "adaptive" } };
  const asked = { ...anthropic, max_tokens: 8_000, output_config: { effort: "high" } };

  test("is asked in Responses, which keeps nothing, and gets its thoughts back", async () => {
    const thinking = { text: "I read it.", signature: "c2VhbA==" };
    const { gateway, model } = await start([callTool("read_file", { path: "a.txt" }, { thinking }), say("Grüße")]);
    const first = await post(gateway, "/anthropic/v1/messages", { ...asked, stream: false });
    const answer = JSON.parse(first.text);
    const result = { type: "tool_result", tool_use_id: answer.content.at(-1).id, content: "read" };
    const messages = [
      ...asked.messages,
      { role: "assistant", content: answer.content },
      { role: "user", content: [result] },
    ];
    const second = await post(gateway, "/anthropic/v1/messages", { ...asked, messages });
    expect(second.text).toContain("Grüße");
    expect(model.requests.map(({ path }) => path)).toEqual(["/v1/responses", "/v1/responses"]);
    const common = { store: false, include: ["reasoning.encrypted_content"], reasoning: { effort: "high" } };
    expect(model.requests[0]?.body).toMatchObject({ ...common, tools: [{ type: "function", name: "read_file" }] });
    expect(model.requests[1]?.body).toMatchObject(common);
    expect(JSON.stringify(model.requests[1]?.body)).toContain(thinking.signature);
    expect(second.headers).not.toHaveProperty("x-loom-left-out");
  });

  test("is asked in Responses by a client of Gemini, too", async () => {
    const { gateway, model } = await start([say("Grüße")]);
    const generationConfig = { thinkingConfig: { thinkingLevel: "HIGH" }, seed: 7, temperature: 1 };
    const body = { ...CLIENTS.gemini.body(), generationConfig };
    const answer = await post(gateway, "/gemini/v1beta/models/openai/gpt-5.6:generateContent", body);
    expect(model.requests[0]).toMatchObject({ path: "/v1/responses", body: { reasoning: { effort: "high" } } });
    expect(answer.headers["x-loom-left-out"]).toBe("temperature, seed");
  });

  test.each([
    ["a sequence to stop at", "gpt-4o", { stop_sequences: ["END"] }, "/v1/chat/completions"],
    ["sound", "gpt-audio", {}, "/v1/chat/completions"],
    ["code", "gpt-5.3-codex", {}, "/v1/responses"],
  ])("where it is about %s, %s is asked in the dialect that has it", async (_what, model, fields, path) => {
    const { gateway, model: scripted } = await start([say("Grüße")]);
    const body = { ...CLIENTS.anthropic.body(`openai/${model}`, false), ...fields };
    expect((await post(gateway, "/anthropic/v1/messages", body)).status).toBe(200);
    expect(scripted.requests[0]?.path).toBe(path);
  });

  test("is not asked for a stop that it has no dialect for", async () => {
    const { gateway, model } = await start([]);
    const body = { ...CLIENTS.anthropic.body("openai/gpt-5.3-codex", false), stop_sequences: ["END"] };
    const answer = await post(gateway, "/anthropic/v1/messages", body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text).error.message).toBe("stop_sequences cannot be asked of OpenAI Responses.");
    expect(model.requests).toHaveLength(0);
  });

  test("is asked as before by clients of its own dialects", async () => {
    const { gateway, model } = await start([say("Grüße"), say("Grüße"), say("Grüße")]);
    const chat = (name: string) => ({ ...CLIENTS.chat.body(`openai/${name}`, false), reasoning_effort: "high" });
    await post(gateway, "/openai/v1/chat/completions", chat("gpt-5.4"));
    await post(gateway, "/openai/v1/responses", CLIENTS.responses.body("openai/gpt-5.4", false));
    // Only one of them has this model.
    await post(gateway, "/openai/v1/chat/completions", chat("gpt-5.4-pro"));
    expect(model.requests.map(({ path }) => path)).toEqual(["/v1/chat/completions", "/v1/responses", "/v1/responses"]);
  });
});

test.each(
  [PROVIDERS.anthropic, PROVIDERS.gemini].flatMap((model) => [true, false].map((stream) => ({ model, stream }))),
)("a client that cannot carry the seals of $model need not ($stream)", async ({ model, stream }) => {
  const seal = "c2VhbCBvZiB0aGUgdGhvdWdodA==";
  const call = callTool("read_file", { path: "a.txt" }, { thinking: { text: "I read it.", signature: seal } });
  const { model: provider, gateway } = await start([call, say("Done.")]);
  const { path, body } = CLIENTS.chat;
  const question = body(model, stream);
  const { text } = await post(gateway, path(), question);
  const [id = ""] = /call_\w+|toolu_\w+/.exec(text) ?? [];
  expect(text).not.toContain(seal);
  const called = { id, type: "function", function: { name: "read_file", arguments: '{"path":"a.txt"}' } };
  const messages = [
    ...question.messages,
    { role: "assistant", tool_calls: [called] },
    { role: "tool", tool_call_id: id, content: "read" },
  ];
  expect((await post(gateway, path(), { ...question, messages })).status).toBe(200);
  expect(JSON.stringify(provider.requests[1]?.body)).toContain(seal);
});

describe("a provider's path", () => {
  test("leads to another provider where the model is that one's", async () => {
    const { gateway, model } = await start([say("Grüße aus dem Test")]);
    const answer = await post(
      gateway,
      "/proxy/anthropic/v1/messages",
      CLIENTS.anthropic.body("openai/gpt-test", false),
    );
    expect(CLIENTS.anthropic.hasText(answer.text)).toBe(true);
    expect(model.requests[0]?.path).toBe("/v1/responses");
    expect(answer.headers["x-loom-route"]).toBe("openai/gpt-test; upstream in the model");
  });
});

describe.each([{ pooled: true }, { pooled: false }])("Loom's own request ($pooled)", (transport) => {
  const REQUEST = {
    model: "claude-test",
    system: "",
    tools: [],
    maxTokens: 100,
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  };

  test("is answered in Loom's own events, with the cost where it is known", async () => {
    const { gateway } = await start([say("Grüße", { usage: { inputTokens: 1_000_000, outputTokens: 0 } })], transport);
    const answer = await post(gateway, "/proxy/anthropic/stream", { ...REQUEST, model: "claude-haiku-4-5" });
    expect(answer.text).toContain('event: text_delta\ndata: {"type":"text_delta","text":"Grüße"}\n\n');
    expect(answer.text).toMatch(/"costMicroUsd":1000000/);
    const whole = await start([say("Grüße")], transport);
    const complete = await post(whole.gateway, "/proxy/default/complete", REQUEST);
    expect(JSON.parse(complete.text)).toMatchObject({
      message: { content: [{ type: "text", text: "Grüße" }] },
      stopReason: "end_turn",
    });
  });

  test("that is wrong is refused with the field", async () => {
    const { gateway } = await start([], transport);
    const answer = await post(gateway, "/proxy/anthropic/stream", { ...REQUEST, maxTokens: 0 });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "invalid_input", errors: [{ field: "maxTokens" }] });
  });

  test.each([
    ["a provider that nobody knows", "/proxy/nobody/stream", 404, "unknown_model"],
    ["one that is not set up", "/proxy/vertex/stream", 404, "not_configured"],
  ])("for %s is a problem", async (_what, path, status, code) => {
    const { gateway } = await start([], transport);
    const answer = await post(gateway, path, REQUEST);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(answer.text)).toMatchObject({ code, instance: expect.stringMatching(/^req-/) });
  });

  test("for the default of a server with models of its own asks that server which it has", async () => {
    const { gateway, model } = await start([say("Grüße"), say("Grüße")], {
      ...transport,
      env: { LOOM_SERVER_DEFAULT_PROVIDER: "openai" },
    });
    await post(gateway, "/proxy/default/complete", { ...REQUEST, model: "default" });
    await post(gateway, "/proxy/default/complete", { ...REQUEST, model: "fast" });
    expect(model.requests.map(({ path }) => path)).toEqual(["/v1/models", "/v1/responses", "/v1/responses"]);
    expect(model.requests[2]?.conversation?.model).toBe("scripted-model");
  });
});
