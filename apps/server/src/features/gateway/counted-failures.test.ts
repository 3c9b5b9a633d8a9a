import { afterEach, describe, expect, test } from "vitest";
import { ask, startGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function rowOf(path: string, body: object, document: object) {
  const upstream = await startUpstream((response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(document));
  });
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_COMPATIBLE_LOCAL_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_COMPATIBLE_LOCAL_BASE_URL: `${upstream.url}/v1`,
    },
  });
  closing.push(upstream, gateway);
  await ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  const [row] = await gateway.waitForEntries(1);
  return row;
}

const messages = [{ role: "user", content: "Hello?" }];
const ANTHROPIC = ["/anthropic/v1/messages", { model: "local/gpt-x", max_tokens: 1_000, messages }] as const;
const GEMINI = [
  "/gemini/v1beta/models/local/gpt-x:generateContent",
  { contents: [{ role: "user", parts: [{ text: "Hello?" }] }] },
] as const;
const CHAT = ["/openai/v1/chat/completions", { model: "local/gpt-x", messages }] as const;

const COUNTS = { prompt_tokens: 7, completion_tokens: 9 };

function brokenCall(text: string, counts: object) {
  const call = { id: "c", type: "function", function: { name: "delete_files", arguments: text } };
  return {
    id: "a",
    model: "gpt-x",
    choices: [{ index: 0, message: { content: null, tool_calls: [call] }, finish_reason: "tool_calls" }],
    ...counts,
  };
}

describe.each([ANTHROPIC, GEMINI])("an answer that cannot be said to the client, on %s", (path, body) => {
  test("costs what the provider counted", async () => {
    expect(await rowOf(path, body, brokenCall('{"dir":"/va', { usage: COUNTS }))).toMatchObject({
      outcome: "failed",
      errorCode: "invalid_response",
      estimated: false,
      model: "gpt-x",
      usage: { inputTokens: 7, outputTokens: 9 },
    });
  });

  test("is estimated by what the model wrote where nobody counted it", async () => {
    expect(await rowOf(path, body, brokenCall(`{"dir":"${"x".repeat(392)}`, {}))).toMatchObject({
      outcome: "failed",
      estimated: true,
      usage: { outputTokens: 100 },
    });
  });
});

describe.each([ANTHROPIC, GEMINI, CHAT])("an error with the status of a success, on %s", (path, body) => {
  const error = { message: "Try later.", type: "server_error", code: 503 };

  test("costs what the provider counted", async () => {
    expect(await rowOf(path, body, { error, model: "gpt-x", usage: COUNTS })).toMatchObject({
      outcome: "failed",
      errorCode: "overloaded",
      estimated: false,
      usage: { inputTokens: 7, outputTokens: 9 },
    });
  });

  test("costs nothing where nothing was counted", async () => {
    expect(await rowOf(path, body, { error })).toMatchObject({
      outcome: "failed",
      estimated: false,
      usage: { inputTokens: 0, outputTokens: 0 },
    });
  });
});
