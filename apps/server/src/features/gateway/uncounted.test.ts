import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { routingOf, to } from "../routing/routing.testing.ts";
import { ask, open, startGateway, type TestGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

type Sent = {
  readonly type?: string;
  readonly encoding?: string;
  readonly body: string | Buffer;
  readonly end?: boolean;
};

/** One provider behind every name, which answers with these bytes. */
async function start({ type = "application/json", encoding, body, end = true }: Sent) {
  const upstream = await startUpstream((response) => {
    response.writeHead(200, {
      "content-type": type,
      ...(encoding === undefined ? {} : { "content-encoding": encoding }),
    });
    response.write(body);
    if (end) response.end();
  });
  closing.push(upstream);
  const env = {
    LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
    LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
    LOOM_SERVER_COMPATIBLE_LOCAL_BASE_URL: `${upstream.url}/v1`,
    LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
    LOOM_SERVER_ZAI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_ZAI_BASE_URL: upstream.url,
  };
  const gateway = await startGateway({
    env,
    routing: await routingOf(env, [{ name: "two", definition: to("zai/glm-x", "openai/gpt-x") }]),
  });
  closing.push(gateway);
  return gateway;
}

const TEXT = "Grüße! ".repeat(50);
/** In bytes, four to a token. */
const TOKENS = Math.ceil(Buffer.byteLength(TEXT) / 4);
const ESTIMATED = {
  outcome: "completed",
  estimated: true,
  usage: { inputTokens: expect.toSatisfy((tokens: number) => tokens > 0), outputTokens: TOKENS },
};
/** These go through as they came. */
const NATIVE: Readonly<Record<string, readonly string[]>> = {
  anthropic: ["anthropic/claude-x"],
  chat: ["local/gpt-x", "openai/gpt-x"],
};

const data = (...events: readonly unknown[]): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

const RESPONSE = {
  id: "r",
  object: "response",
  status: "completed",
  model: "gpt-x",
  output: [{ id: "i", type: "message", role: "assistant", content: [{ type: "output_text", text: TEXT }] }],
};

/** Answers without counts. */
const PROVIDERS = {
  "anthropic/claude-x": {
    whole: {
      id: "m",
      type: "message",
      model: "claude-x",
      content: [{ type: "text", text: TEXT }],
      stop_reason: "end_turn",
    },
    events: data(
      { type: "message_start", message: { id: "m", model: "claude-x" } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: TEXT } },
      { type: "message_delta", delta: { stop_reason: "end_turn" } },
      { type: "message_stop" },
    ),
  },
  "openai/gpt-x": {
    whole: RESPONSE,
    events: data(
      { type: "response.output_text.delta", item_id: "i", output_index: 0, content_index: 0, delta: TEXT },
      { type: "response.completed", response: RESPONSE },
    ),
  },
  "local/gpt-x": {
    whole: {
      id: "c",
      choices: [{ index: 0, message: { content: TEXT }, finish_reason: "stop" }],
      usage: { prompt_tokens: 0 },
    },
    events: `${data({ id: "c", choices: [{ index: 0, delta: { content: TEXT }, finish_reason: "stop" }] })}data: [DONE]\n\n`,
  },
  "gemini/gemini-x": {
    whole: { candidates: [{ content: { parts: [{ text: TEXT }] }, finishReason: "STOP" }] },
    events: data({ candidates: [{ content: { parts: [{ text: TEXT }] }, finishReason: "STOP" }] }),
  },
} as const;

const QUESTION = { messages: [{ role: "user", content: "Hello?" }] };
const CLIENTS = {
  anthropic: { path: () => "/anthropic/v1/messages", body: { max_tokens: 1_000, ...QUESTION } },
  chat: { path: () => "/openai/v1/chat/completions", body: QUESTION },
  loom: {
    path: (stream: boolean) => `/proxy/default/${stream ? "stream" : "complete"}`,
    body: {
      system: "",
      tools: [],
      maxTokens: 1_000,
      messages: [{ role: "user", content: [{ type: "text", text: "Hello?" }] }],
    },
  },
} as const;

describe.each(Object.entries(CLIENTS))(
  "an answer that nobody counted, for a client of %s",
  (client, { path, body }) => {
    const models = Object.entries(PROVIDERS).filter(([model]) => !NATIVE[client]?.includes(model));

    test.each(models)("is estimated by its text: a stream of %s", async (model, { events }) => {
      const gateway = await start({ type: "text/event-stream", body: events });
      await post(gateway, path(true), { ...body, model, ...(client === "loom" ? {} : { stream: true }) });
      expect(await gateway.waitForEntries(1)).toMatchObject([ESTIMATED]);
    });

    test.each(models)("is estimated by its text: a document of %s", async (model, { whole }) => {
      const gateway = await start({ body: JSON.stringify(whole) });
      await post(gateway, path(false), { ...body, model });
      expect(await gateway.waitForEntries(1)).toMatchObject([ESTIMATED]);
    });
  },
);

test("an answer that nobody counted costs a Loom client what is not known", async () => {
  const gateway = await start({ body: JSON.stringify(PROVIDERS["anthropic/claude-x"].whole) });
  const { path, body } = CLIENTS.loom;
  const answer = await post(gateway, path(false), { ...body, model: "anthropic/claude-haiku-4-5" });
  expect(JSON.parse(answer.text)).not.toHaveProperty("costMicroUsd");
});

test("a stream for which all came in one piece is estimated by its text", async () => {
  const gateway = await start({ body: JSON.stringify(PROVIDERS["gemini/gemini-x"].whole) });
  await post(gateway, "/openai/v1/chat/completions", { ...QUESTION, model: "gemini/gemini-x", stream: true });
  expect(await gateway.waitForEntries(1)).toMatchObject([ESTIMATED]);
});

const COUNTED = data(
  {
    type: "message_start",
    message: {
      id: "m",
      model: "claude-haiku-4-5",
      usage: { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 40, output_tokens: 12 },
    },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "x".repeat(40) } },
);
const COUNTS = { inputTokens: 5, cacheReadTokens: 100, cacheWriteTokens: 40, outputTokens: 12 };

describe.each(["/anthropic/v1/messages", "/openai/v1/chat/completions"])("what was counted first, on %s", (path) => {
  const body = { ...QUESTION, max_tokens: 100, model: "anthropic/claude-haiku-4-5", stream: true };

  test("is charged where the client leaves", async () => {
    const gateway = await start({ type: "text/event-stream", body: COUNTED, end: false });
    const client = await open(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
    await client.waitFor("xxxx");
    client.drop();
    const [row] = await gateway.waitForEntries(1);
    expect(row).toMatchObject({ outcome: "cancelled", estimated: true, model: "claude-haiku-4-5", usage: COUNTS });
  });

  test("is charged where the provider fails", async () => {
    const error = data({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } });
    const gateway = await start({ type: "text/event-stream", body: COUNTED + error });
    await post(gateway, path, body);
    const [row] = await gateway.waitForEntries(1);
    expect(row).toMatchObject({ estimated: true, model: "claude-haiku-4-5", usage: COUNTS });
  });
});

test("a prompt that nobody answers is charged as no more than models can read", async () => {
  const gateway = await start({ body: '{"id":"m","content":[{"type":"te' });
  const body = {
    ...QUESTION,
    model: "claude-3-haiku",
    messages: [{ role: "user", content: "word ".repeat(1_000_000) }],
  };
  await post(gateway, "/proxy/anthropic/v1/messages", body);
  const [row] = await gateway.waitForEntries(1);
  expect(row).toMatchObject({ outcome: "cut_off", estimated: true, usage: { inputTokens: 1_000_000 } });
});

describe("junk in place of an answer, to a client that gives no bound", () => {
  const body = { ...QUESTION, model: "zai/glm-x" };
  const junk = `{"choices":[{"index":0,"message":{"content":"${"x".repeat(7_000_000)}`;

  test("is charged as what was held for it", async () => {
    const gateway = await start({ body: junk });
    await post(gateway, "/openai/v1/chat/completions", body);
    const [row] = await gateway.waitForEntries(1);
    expect(row).toMatchObject({ outcome: "cut_off", estimated: true, usage: { outputTokens: 32_000 } });
  });

  test("is charged as what was held for it: packed small", async () => {
    const gateway = await start({ encoding: "gzip", body: gzipSync(junk) });
    await post(gateway, "/openai/v1/chat/completions", body);
    const [row] = await gateway.waitForEntries(1);
    expect(row).toMatchObject({ estimated: true, usage: { outputTokens: 32_000 } });
  });

  test("is charged as what was held for it: where another is asked instead", async () => {
    const gateway = await start({ body: junk });
    const contents = [{ role: "user", parts: [{ text: "Hello?" }] }];
    await post(gateway, "/gemini/v1beta/models/two:generateContent", { contents });
    const rows = await gateway.waitForEntries(2);
    expect(rows).toMatchObject([
      { outcome: "replaced", estimated: true, usage: { outputTokens: 32_000 } },
      { outcome: "failed", estimated: true, usage: { outputTokens: 32_000 } },
    ]);
  });
});

function post(gateway: TestGateway, path: string, body: object) {
  return ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
}
