import { describe, expect, onTestFinished, test } from "vitest";
import { ask, startGateway } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const LISTS: Readonly<Record<string, object>> = {
  "/v1/models?limit=1000": { data: [{ type: "model", id: "claude-listed" }], has_more: false },
  "/v1beta/models?pageSize=1000": {
    models: [
      { name: "models/gemini-listed", supportedGenerationMethods: ["generateContent"] },
      { name: "models/embedding-listed", supportedGenerationMethods: ["embedContent"] },
    ],
  },
  "/lab/v1/models": { object: "list", data: [{ id: "qwen/listed" }] },
};

async function start() {
  const upstream = await startUpstream((response, { path }) => {
    const list = LISTS[path];
    response.writeHead(list === undefined ? 404 : 200).end(JSON.stringify(list ?? {}));
  });
  onTestFinished(() => upstream.close());
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: "k",
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_GEMINI_API_KEY: "k",
      LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
      LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: `${upstream.url}/lab/v1`,
      LOOM_SERVER_ZAI_API_KEY: "k",
      LOOM_SERVER_ZAI_BASE_URL: `${upstream.url}/nothing-here`,
    },
  });
  onTestFinished(() => gateway.close());
  const get = async (path: string) => {
    const answer = await ask(gateway.url + path, { method: "GET", headers: { "x-api-key": gateway.token } });
    return { status: answer.status, body: JSON.parse(answer.text) };
  };
  return { upstream, get };
}

const NAMES = [
  "default",
  "fast",
  "oracle",
  "anthropic/claude-sonnet-5",
  "anthropic/claude-haiku-4-5",
  "anthropic/claude-listed",
  "gemini/gemini-3.1-pro-preview",
  "gemini/gemini-3.5-flash",
  "gemini/gemini-listed",
  "zai/glm-5.3",
  "zai/glm-5.3-flash",
  "lab/qwen/listed",
];

describe("the list of models", () => {
  test("has aliases and every provider's, in each client's shape, and asks each provider once", async () => {
    const { upstream, get } = await start();
    const anthropic = await get("/anthropic/v1/models?limit=1000");
    expect(anthropic.body.data.map(({ id }: { id: string }) => id)).toEqual(NAMES);
    expect(anthropic.body).toMatchObject({ has_more: false, first_id: "default", last_id: "lab/qwen/listed" });
    const openai = await get("/openai/v1/models");
    expect(openai.body).toMatchObject({ object: "list", data: NAMES.map((id) => ({ id, object: "model" })) });
    const gemini = await get("/gemini/v1beta/models");
    expect(gemini.body.models.map(({ name }: { name: string }) => name)).toEqual(NAMES.map((name) => `models/${name}`));
    for (const path of Object.keys(LISTS)) {
      expect(upstream.seen.filter((request) => request.path === path)).toHaveLength(1);
    }
  });

  test("comes in pages to Anthropic's client, in both directions", async () => {
    const { get } = await start();
    const page = async (query: string) => {
      const { body } = await get(`/anthropic/v1/models?${query}`);
      return { ...body, data: body.data.map(({ id }: { id: string }) => id) };
    };
    const first = { data: NAMES.slice(0, 5), has_more: true, first_id: NAMES[0], last_id: NAMES[4] };
    expect(await page("limit=5")).toEqual(first);
    expect(await page(`limit=5&after_id=${encodeURIComponent(NAMES[4] ?? "")}`)).toMatchObject({
      data: NAMES.slice(5, 10),
      has_more: true,
    });
    expect(await page(`limit=5&after_id=${NAMES[9]}`)).toMatchObject({ data: NAMES.slice(10), has_more: false });
    expect(await page(`limit=3&before_id=${NAMES[5]}`)).toMatchObject({ data: NAMES.slice(2, 5), has_more: true });
    expect(await page(`limit=9&before_id=${NAMES[5]}`)).toMatchObject({ data: NAMES.slice(0, 5), has_more: false });
    expect(await page(`after_id=${NAMES.at(-1)}`)).toMatchObject({ data: [], has_more: false, first_id: null });
    for (const query of ["limit=0", "limit=1001", "limit=x", "after_id=nobody", "after_id=fast&before_id=fast"]) {
      expect(await get(`/anthropic/v1/models?${query}`)).toMatchObject({
        status: 400,
        body: { error: { type: "invalid_request_error", message: expect.stringMatching(/limit|after_id/) } },
      });
    }
  });

  test("gives one of them by its name, with or without its provider", async () => {
    const { get } = await start();
    expect(await get("/openai/v1/models/lab/qwen/listed")).toMatchObject({
      status: 200,
      body: { id: "lab/qwen/listed" },
    });
    expect(await get("/openai/v1/models/lab%2Fqwen%2Flisted")).toMatchObject({ body: { id: "lab/qwen/listed" } });
    expect(await get("/anthropic/v1/models/anthropic%2Fclaude-listed")).toMatchObject({
      body: { id: "anthropic/claude-listed" },
    });
    expect(await get("/anthropic/v1/models/claude-listed")).toMatchObject({
      status: 200,
      body: { id: "claude-listed" },
    });
    expect(await get("/gemini/v1beta/models/fast")).toMatchObject({ status: 200, body: { name: "models/fast" } });
    expect(await get("/anthropic/v1/models/nobody")).toMatchObject({ status: 404, body: { type: "error" } });
  });
});
