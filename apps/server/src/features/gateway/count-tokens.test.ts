import { describe, expect, onTestFinished, test } from "vitest";
import { type Answer, ask, startGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

/** A provider that counts, behind every name. */
async function start() {
  const upstream = await startUpstream((response) => void response.end('{"input_tokens":42,"totalTokens":42}'));
  onTestFinished(() => upstream.close());
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: "k",
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_OPENAI_API_KEY: "k",
      LOOM_SERVER_OPENAI_BASE_URL: upstream.url,
      LOOM_SERVER_GEMINI_API_KEY: "k",
      LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
      LOOM_SERVER_VERTEX_PROJECT: "mine",
      LOOM_SERVER_VERTEX_BASE_URL: upstream.url,
      LOOM_SERVER_DEFAULT_PROVIDER: "anthropic",
    },
  });
  onTestFinished(() => gateway.close());
  const count = (path: string, body: object): Promise<Answer> =>
    ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  return { upstream, count };
}

const MESSAGES = { messages: [{ role: "user", content: "Hi" }] };
const CONTENTS = { contents: [{ role: "user", parts: [{ text: "Hi" }] }] };
const PLACE = "/v1/projects/mine/locations/global/publishers";

describe("the tokens of a request", () => {
  test.each([
    [
      "of Anthropic's client, for an alias",
      "/anthropic/v1/messages/count_tokens",
      { model: "fast", ...MESSAGES },
      "/v1/messages/count_tokens",
      { model: "claude-haiku-4-5", ...MESSAGES },
    ],
    [
      "of Anthropic's client, for Claude on Vertex AI",
      "/anthropic/v1/messages/count_tokens",
      { model: "vertex/claude-x", ...MESSAGES },
      `${PLACE}/anthropic/models/count-tokens:rawPredict`,
      { model: "claude-x", ...MESSAGES },
    ],
    [
      "on Vertex AI's own path",
      "/proxy/vertex/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
      { model: "claude-x", ...MESSAGES },
      `${PLACE}/anthropic/models/count-tokens:rawPredict`,
      { model: "claude-x", ...MESSAGES },
    ],
    [
      "of Google's client",
      "/gemini/v1beta/models/gemini-x:countTokens",
      CONTENTS,
      "/v1beta/models/gemini-x:countTokens",
      CONTENTS,
    ],
    [
      "of Google's client, for an alias on its own path",
      "/proxy/gemini/v1beta/models/fast:countTokens",
      CONTENTS,
      "/v1beta/models/gemini-3.5-flash:countTokens",
      CONTENTS,
    ],
    [
      "of OpenAI's client, on OpenAI's own path",
      "/proxy/openai/v1/responses/input_tokens",
      { model: "gpt-x", input: "Hi" },
      "/v1/responses/input_tokens",
      { model: "gpt-x", input: "Hi" },
    ],
  ])("%s are counted by the model's provider", async (_what, path, body, expectedPath, expectedBody) => {
    const { upstream, count } = await start();
    const answer = await count(path, body);
    expect(JSON.parse(answer.text)).toEqual({ input_tokens: 42, totalTokens: 42 });
    expect(answer.headers).not.toHaveProperty("x-loom-estimated");
    expect(upstream.seen.map((request) => request.path)).toEqual([expectedPath]);
    expect(JSON.parse(upstream.seen[0]?.body.toString() ?? "")).toEqual(expectedBody);
  });

  test.each([
    ["/anthropic/v1/messages/count_tokens", { model: "gemini/gemini-x", ...MESSAGES }, "input_tokens"],
    ["/anthropic/v1/messages/count_tokens", { model: "openai/gpt-x", ...MESSAGES }, "input_tokens"],
    ["/gemini/v1beta/models/anthropic/claude-x:countTokens", CONTENTS, "totalTokens"],
    ["/openai/v1/responses/input_tokens", { model: "claude-x", input: "Hi" }, "input_tokens"],
  ])("at %s for another provider's model are an estimate that says so", async (path, body, field) => {
    const { upstream, count } = await start();
    const answer = await count(path, body);
    expect(JSON.parse(answer.text)[field]).toBe(Math.ceil(JSON.stringify(body).length / 4));
    expect(answer.headers["x-loom-estimated"]).toBe("true");
    expect(upstream.seen).toEqual([]);
  });

  describe("with a picture", () => {
    const PNG = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(2_000_000)]);
    const DATA = PNG.toString("base64");
    const source = { type: "base64", media_type: "image/png", data: DATA };
    const image = { type: "image", source };
    const messages = (...content: object[]) => ({ messages: [{ role: "user", content }] });

    test.each([
      [
        "/anthropic/v1/messages/count_tokens",
        { model: "openai/gpt-x", ...messages(image, { type: "tool_result", tool_use_id: "t", content: [image] }) },
        2 * 1_600,
      ],
      [
        "/openai/v1/responses/input_tokens",
        {
          model: "claude-x",
          input: [{ role: "user", content: [{ type: "input_image", image_url: `data:image/png;base64,${DATA}` }] }],
        },
        1_600,
      ],
      [
        "/gemini/v1beta/models/anthropic/claude-x:countTokens",
        { contents: [{ parts: [{ inlineData: { mimeType: "image/png", data: DATA } }] }] },
        1_600,
      ],
    ])("at %s are estimated as those of a usual one", async (path, body, tokens) => {
      const { count } = await start();
      const answer = await count(path, body);
      const { input_tokens = 0, totalTokens = input_tokens } = JSON.parse(answer.text);
      expect(answer.headers["x-loom-estimated"]).toBe("true");
      expect(totalTokens).toBeGreaterThan(tokens);
      expect(totalTokens).toBeLessThan(tokens + 100);
    });

    test("that is only a text count by its size", async () => {
      const { count } = await start();
      const body = { model: "openai/gpt-x", ...messages({ type: "text", text: DATA }) };
      const answer = await count("/anthropic/v1/messages/count_tokens", body);
      expect(JSON.parse(answer.text).input_tokens).toBe(Math.ceil(JSON.stringify(body).length / 4));
    });
  });
});
