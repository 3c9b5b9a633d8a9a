import { afterEach, describe, expect, test } from "vitest";
import { ask, startGateway, type TestGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream, type TestUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const ANSWER = {
  candidates: [{ content: { role: "model", parts: [{ text: "Hi" }] }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 },
};
const QUESTION = { contents: [{ role: "user", parts: [{ text: "Hi" }] }] };
const GENERATE = "/v1beta/models/gemini-x:generateContent";
const STREAM = "/v1beta/models/gemini-x:streamGenerateContent";
const ON_VERTEX = "/proxy/vertex/v1/projects/p/locations/l/publishers";

async function start(): Promise<{ gateway: TestGateway; upstream: TestUpstream }> {
  const upstream = await startUpstream((response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ANSWER));
  });
  closing.push(upstream);
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_GEMINI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_GEMINI_BASE_URL: upstream.url,
      LOOM_SERVER_VERTEX_PROJECT: "my-project",
      LOOM_SERVER_VERTEX_BASE_URL: upstream.url,
      LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: `${upstream.url}/v1`,
    },
  });
  closing.push(gateway);
  return { gateway, upstream };
}

function post({ url, token }: TestGateway, path: string, headers: Readonly<Record<string, string>> = {}) {
  return ask(url + path, { body: QUESTION, headers: { authorization: `Bearer ${token}`, ...headers } });
}

describe("of the parameters that every Google API takes", () => {
  test.each([
    ["?alt=proto", "alt"],
    ["?$alt=proto", "$alt"],
    ["?%24alt=media", "$alt"],
    ["?a%6ct=proto", "alt"],
    ["?callback=f", "callback"],
    ["?%24callback=f", "$callback"],
    ["?fields=candidates", "fields"],
    ["?alt=sse&$fields=candidates", "$fields"],
    ["?alt=sse&alt=json", "alt"],
    ["?alt=sse&%24alt=json", "$alt"],
    ["?$httpMethod=DELETE", "$httpMethod"],
    ["?access_token=x", "access_token"],
    ["?%zz=1", "%zz"],
    ["?fields", "fields"],
  ])("%s is refused before anybody is asked", async (query, name) => {
    const { gateway, upstream } = await start();
    for (const path of [
      `/proxy/gemini${GENERATE}`,
      `/gemini${STREAM}`,
      "/gemini/v1beta/models/lab/m:generateContent",
    ]) {
      const { status, text } = await post(gateway, path + query);
      expect(status).toBe(400);
      expect(JSON.parse(text).error.message).toContain(`The parameter "${name}" of the address is not passed on`);
    }
    expect(upstream.seen).toEqual([]);
  });

  test.each([
    "?alt=sse",
    "?$alt=json;enum-encoding=int",
    "?%24alt=json%3Benum-encoding%3Dint",
    "?alt=json&prettyPrint=false",
  ])("%s passes as it is", async (query) => {
    const { gateway, upstream } = await start();
    expect((await post(gateway, `/proxy/gemini${STREAM}${query}`)).status).toBe(200);
    expect(upstream.seen[0]?.path).toBe(STREAM + query);
  });

  test("Claude's on Vertex AI has none, and what Anthropic's clients write there stays here", async () => {
    const { gateway, upstream } = await start();
    const claude = `${ON_VERTEX}/anthropic/models/claude-x:rawPredict`;
    expect((await post(gateway, `${claude}?$alt=proto`)).status).toBe(400);
    await post(gateway, `${claude}?beta=true`);
    expect(upstream.seen.map(({ path }) => path.replace(/^.*models/, ""))).toEqual(["/claude-x:rawPredict"]);
  });

  test("other work with a model has no others", async () => {
    const { gateway, upstream } = await start();
    expect((await post(gateway, "/proxy/gemini/v1beta/models/e:embedContent?fields=embedding")).status).toBe(400);
    expect(upstream.seen).toEqual([]);
  });

  test("what would be the owner's own is passed on", async () => {
    const { gateway, upstream } = await start();
    const headers = { authorization: `Bearer ${gateway.token}` };
    await ask(`${gateway.url}/proxy/gemini/v1beta/files?pageSize=3&fields=files`, { method: "GET", headers });
    expect(upstream.seen[0]?.path).toBe("/v1beta/files?pageSize=3&fields=files");
  });

  test("none goes out as a header", async () => {
    const { gateway, upstream } = await start();
    const headers = { "X-Goog-FieldMask": "candidates", "X-HTTP-Method-Override": "GET", "x-http-method": "PUT" };
    expect((await post(gateway, `/proxy/gemini${GENERATE}`, { ...headers, "x-goog-api-client": "x/1" })).status).toBe(
      200,
    );
    expect(Object.keys(upstream.seen[0]?.headers ?? {}).filter((name) => /fieldmask|method/.test(name))).toEqual([]);
    expect(upstream.seen[0]?.headers["x-goog-api-client"]).toBe("x/1");
  });
});

test("a client of Gemini gets events from another's model however it asks for them", async () => {
  const upstream = await startUpstream((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const chunk = { choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: "stop" }] };
    response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
  });
  closing.push(upstream);
  const gateway = await startGateway({ env: { LOOM_SERVER_COMPATIBLE_LAB_BASE_URL: `${upstream.url}/v1` } });
  closing.push(gateway);
  const path = "/gemini/v1beta/models/lab/m:streamGenerateContent";
  expect((await post(gateway, `${path}?%24alt=sse`)).headers["content-type"]).toContain("text/event-stream");
  expect((await post(gateway, path)).headers["content-type"]).toContain("application/json");
});
