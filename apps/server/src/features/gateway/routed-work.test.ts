// Embeddings and their like at the addresses that belong to no provider: whose they are, the model says.
import type { RouteDefinition } from "@loom/api";
import { afterEach, expect, test } from "vitest";
import { routingOf, to } from "../routing/routing.testing.ts";
import { ask, startGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream, type TestUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const ANSWER = { object: "list", data: [{ embedding: [0.5] }], usage: { prompt_tokens: 7, total_tokens: 7 } };

async function start(definition?: RouteDefinition) {
  const upstream: TestUpstream = await startUpstream((response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ANSWER));
  });
  closing.push(upstream);
  const env = {
    LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
    LOOM_SERVER_COMPATIBLE_LOCAL_BASE_URL: `${upstream.url}/local/v3`,
    LOOM_SERVER_ZAI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_ZAI_BASE_URL: `${upstream.url}/zai`,
    LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
    LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
  };
  const routes = definition === undefined ? [] : [{ name: "search", definition }];
  const gateway = await startGateway({ env, routing: await routingOf(env, routes) });
  closing.push(gateway);
  const post = (path: string, body: string) =>
    ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
  return { upstream, gateway, post };
}

test.each([
  ["/openai/v1/embeddings", "text-embedding-3-small", "/v1/embeddings", "text-embedding-3-small"],
  ["/openai/v1beta/embeddings", "openai/lab", "/v1/embeddings", "lab"],
  ["/openai/embeddings", "openai/lab", "/v1/embeddings", "lab"],
  ["/openai/v1/embeddings", "local/lab/bge-m3", "/local/v3/embeddings", "lab/bge-m3"],
  ["/openai/v1/embeddings", "zai/embedding-3", "/zai/api/paas/v4/embeddings", "embedding-3"],
  ["/openai/v1/images/generations", "gpt-image-1", "/v1/images/generations", "gpt-image-1"],
  ["/openai/v1/responses/compact", "gpt-5.5", "/v1/responses/compact", "gpt-5.5"],
  ["/proxy/default/v1/embeddings", "local/bge-m3", "/local/v3/embeddings", "bge-m3"],
])("%s of %s", async (path, model, upstreamPath, upstreamModel) => {
  const { upstream, gateway, post } = await start();
  const body = (name: string) => `{ "input":"\\u00e4" ,"model": ${JSON.stringify(name)},"x":1.0}`;
  const answer = await post(path, body(model));
  expect([answer.status, answer.text]).toEqual([200, JSON.stringify(ANSWER)]);
  expect(upstream.seen.map(({ path, body }) => [path, body.toString()])).toEqual([[upstreamPath, body(upstreamModel)]]);
  expect(await gateway.waitForEntries(1)).toMatchObject([
    { outcome: "completed", requestedModel: model, model: upstreamModel, usage: { inputTokens: 7 } },
  ]);
});

test("who does no such work says so, and another who does is asked in his place", async () => {
  const { upstream, post } = await start();
  const refused = await post("/openai/v1/embeddings", '{"model":"gemini-embedding-001","input":"x"}');
  expect([refused.status, JSON.parse(refused.text).error.message]).toEqual([
    400,
    "The provider gemini does nothing of the kind in OpenAI's words: its own are beneath /proxy/gemini.",
  ]);
  for (const version of ["v1", "v1beta"]) {
    const compacted = await post(`/openai/${version}/responses/compact`, '{"model":"local/x","input":[]}');
    expect(compacted.status).toBe(400);
  }
  expect(upstream.seen).toHaveLength(0);

  const routed = await start(to("gemini/gemini-embedding-001", "local/bge-m3"));
  const answer = await routed.post("/openai/v1/embeddings", '{"model":"search","input":"x"}');
  expect(answer.status).toBe(200);
  expect(routed.upstream.seen.map(({ path, body }) => [path, body.toString()])).toEqual([
    ["/local/v3/embeddings", '{"model":"bge-m3","input":"x"}'],
  ]);
});

test.each([
  ["POST", "/proxy/default/v1beta/models/gpt-5.4:embedContent"],
  ["POST", "/proxy/default/v1/models/local%2Fx:predict"],
  ["GET", "/proxy/default/v1/embeddings"],
  ["GET", "/proxy/default/v1/files"],
])("%s %s is nobody's", async (method, path) => {
  const { upstream, gateway } = await start();
  const headers = { authorization: `Bearer ${gateway.token}` };
  const answer = await ask(gateway.url + path, { method, headers, ...(method === "POST" ? { body: "{}" } : {}) });
  expect([answer.status, answer.text]).toEqual([404, expect.stringContaining("There is nothing at this path")]);
  expect(upstream.seen).toHaveLength(0);
});

test("what is no JSON has to be asked at the provider's own path", async () => {
  const { post, gateway } = await start();
  const answer = await ask(`${gateway.url}/openai/v1/audio/transcriptions`, {
    body: "x",
    headers: { authorization: `Bearer ${gateway.token}`, "content-type": "multipart/form-data; boundary=x" },
  });
  expect([answer.status, JSON.parse(answer.text).error.message]).toEqual([
    404,
    expect.stringContaining("/proxy/openai/v1/audio/transcriptions"),
  ]);
  expect((await post("/openai/v1/embeddings", "{")).status).toBe(400);
});
