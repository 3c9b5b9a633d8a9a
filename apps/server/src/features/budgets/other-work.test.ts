// Work with models beside their conversations: embeddings, old completions, pictures, recordings.
import type { MintedToken } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { takeServerConfig } from "../../index.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { type BudgetedServer, budgetedServer, withOfficial } from "./budgeted-server.testing.ts";

describe.each(engines)("on $name", (engine) => {
  const EMBEDDINGS = "/v1/embeddings";
  const COMPLETIONS = "/v1/completions";
  const IMAGES = "/v1/images/generations";

  let home: TestHome;
  let server: BudgetedServer;
  let usage: object | undefined;
  let data: readonly object[];
  /** In place of a document. */
  let events: readonly object[] | undefined;
  let asked: { readonly path: string; readonly body: string }[] = [];

  beforeEach(async () => {
    home = await engine.create();
    usage = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 };
    data = [];
    events = undefined;
    asked = [];
    server = await budgetedServer(home, {
      respond(request, response) {
        let body = "";
        request.setEncoding("latin1").on("data", (chunk) => {
          body += chunk;
        });
        request.on("end", () => {
          asked.push({ path: request.url ?? "", body });
          if (events !== undefined) {
            response.writeHead(200, { "content-type": "text/event-stream" });
            response.end(`${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`);
            return;
          }
          const answer = { object: "list", data, ...(usage && { usage }) };
          response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
        });
      },
      config: (address) =>
        withOfficial(
          ["openai"],
          takeServerConfig({
            OPENAI_API_KEY: "sk-key-of-the-tests",
            LOOM_SERVER_OPENAI_BASE_URL: `${address}/v1`,
            LOOM_SERVER_COMPATIBLE_OPENROUTER_BASE_URL: `${address}/v1`,
          }),
        ),
    });
  });

  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  async function ask(
    { token }: MintedToken,
    path: string,
    body: unknown,
    { type = "application/json", to = "/proxy/openai" } = {},
  ): Promise<{ readonly status: number; readonly message: string }> {
    const response = await fetch(server.url + to + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": type },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, message: text.startsWith("{") ? (JSON.parse(text).error?.message ?? "") : "" };
  }

  /** Of the rows that are there by now, in micro-dollars. */
  async function spent(): Promise<number> {
    await expect.poll(() => total("requests")).toBeGreaterThan(0);
    return total("costMicroUsd");
  }

  async function total(name: "requests" | "costMicroUsd", provider = "openai"): Promise<number> {
    const { groups } = (await server.asOwner("/api/usage?groupBy=upstream")) as {
      groups: readonly { readonly requests: number; readonly costMicroUsd: number; readonly key: readonly string[] }[];
    };
    return groups.reduce((sum, group) => sum + (group.key.includes(provider) ? group[name] : 0), 0);
  }

  test("ends where the money does, and what passes goes out as it came", async () => {
    const token = await server.tokenWith({ totalMicroUsd: 3_000 });
    const body = '{ "model":"gpt-3.5-turbo-instruct", "prompt":["x"], "max_tokens":500, "n": 1,"odd":1.0 }';
    const statuses: number[] = [];
    for (let count = 0; count < 4; count += 1) statuses.push((await ask(token, COMPLETIONS, body)).status);
    // 1,000 tokens for 1.50 USD a million and 500 for 2 are 2,500 millionths.
    expect(statuses).toEqual([200, 402, 402, 402]);
    expect(asked).toEqual([{ path: COMPLETIONS, body }]);
    expect(await spent()).toBe(2_500);
  });

  test("is held for as many answers as are asked for", async () => {
    const token = await server.tokenWith({ totalMicroUsd: 500_000 });
    const question = { model: "gpt-3.5-turbo-instruct", max_tokens: 1_000 };
    const { status, message } = await ask(token, COMPLETIONS, {
      ...question,
      prompt: ["a", "b"],
      n: 100,
      best_of: 200,
    });
    expect({ status, message }).toEqual({ status: 402, message: expect.stringContaining("up to 0.80") });
    expect((await ask(token, COMPLETIONS, { ...question, prompt: [1, 2, 3], n: 2 })).status).toBe(200);
    expect(asked).toHaveLength(1);
  });

  test("is refused where its price is not known, or what it uses is known by nobody before", async () => {
    const token = await server.tokenWith({ dayMicroUsd: 10_000_000 });
    expect(await ask(token, EMBEDDINGS, { model: "nobody-knows-it", input: "x" })).toEqual({
      status: 402,
      message: expect.stringContaining('The price of the model "nobody-knows-it" is not known'),
    });
    const recording = await ask(token, "/v1/audio/transcriptions", "--x--", {
      type: "multipart/form-data; boundary=x",
    });
    const speech = await ask(token, "/v1/audio/speech", { model: "tts-1", input: "x" });
    for (const refused of [recording, speech]) {
      expect(refused).toEqual({
        status: 402,
        message: expect.stringContaining("What such a request costs is not known before it is done"),
      });
    }
    expect(asked).toEqual([]);
    expect((await ask(token, EMBEDDINGS, { model: "text-embedding-3-small", input: "x" })).status).toBe(200);
    const free = await server.tokenWith({ requestsPerMinute: 9 });
    expect(
      (await ask(free, "/v1/audio/transcriptions", "--x--", { type: "multipart/form-data; boundary=x" })).status,
    ).toBe(200);
    expect(asked.at(-1)?.body).toBe("--x--");
  });

  test("may use the models that its token may use", async () => {
    const token = await server.tokenWith({ models: ["text-embedding-3-small"] });
    expect((await ask(token, EMBEDDINGS, { model: "text-embedding-3-small", input: "x" })).status).toBe(200);
    expect(await ask(token, EMBEDDINGS, { model: "text-embedding-3-large", input: "x" })).toEqual({
      status: 403,
      message: expect.stringContaining("allowed is text-embedding-3-small"),
    });
    expect((await ask(token, EMBEDDINGS, { input: "x" })).status).toBe(403);
  });

  test.each([
    [{ models: ["openai/o1-pro"] }, "models"],
    [{ models: ["openai/o1-pro"], model: "openai/gpt-4o-mini@preset/x" }, "model"],
    [{ route: "fallback" }, "route"],
    [{ preset: "dear" }, "preset"],
    [{ fallbacks: [{ model: "openai/o1-pro" }] }, "fallbacks"],
    [{ plugins: [{ id: "fusion", analysis_models: ["openai/o1-pro"] }] }, "plugins"],
    [{ tools: [{ type: "openrouter:advisor", parameters: { model: "openai/o1-pro" } }] }, "tools"],
  ])("asks no provider that may take another model than its own: %j", async (fields, field) => {
    const messages = [{ role: "user", content: "Hi" }];
    const body = { model: "openai/gpt-4o-mini", max_tokens: 10, messages, ...fields };
    const limited = [
      await server.tokenWith({ totalMicroUsd: 50_000 }),
      await server.tokenWith({ models: ["openai/gpt-4o*"] }),
    ];
    for (const token of limited) {
      for (const path of ["/v1/chat/completions", COMPLETIONS]) {
        const { status, message } = await ask(token, path, body, { to: "/proxy/openrouter" });
        expect({ status, message }).toEqual({
          status: 403,
          message: expect.stringContaining(`the field ${field} like`),
        });
      }
    }
    const through = { ...body, model: `openrouter/${body.model}` };
    expect((await ask(limited[0] as MintedToken, "/v1/chat/completions", through, { to: "/openai" })).status).toBe(403);
    expect(asked).toEqual([]);
    const free = await server.tokenWith({ requestsPerMinute: 9 });
    await ask(free, "/v1/chat/completions", body, { to: "/proxy/openrouter" });
    expect(asked).toHaveLength(1);
  });

  test("may ask for nothing in the place of other models, and for tools of its own", async () => {
    const token = await server.tokenWith({ models: ["openai/gpt-4o*"] });
    const tools = [{ type: "function", function: { name: "openrouter:x" } }, { type: "openrouter:web_search" }];
    const body = { model: "openai/gpt-4o-mini", messages: [], models: [], route: null, preset: "", tools };
    await ask(token, "/v1/chat/completions", body, { to: "/proxy/openrouter" });
    expect(asked).toHaveLength(1);
  });

  test.each([
    ['{"model":"text-embedding-3-small","Model":"text-embedding-3-large","input":"x"}', "model"],
    ['{"MODEL":"text-embedding-3-large","model":"text-embedding-3-small","input":"x"}', "model"],
    ['{"Model":"text-embedding-3-small","input":"x"}', "model"],
    ['{"model":"text-embedding-3-small","max_to\u212aens":99999,"max_tokens":1}', "max_tokens"],
    ['{"model":"text-embedding-3-small","\\u017ftream":true,"stream":false}', "stream"],
  ])(
    "has no field that stands there in another case, since servers differ in what they take it for: %s",
    async (body, field) => {
      const token = await server.tokenWith({ models: ["text-embedding-3-small"] });
      for (const path of [EMBEDDINGS, "/v1/chat/completions"]) {
        const { status, message } = await ask(token, path, body);
        const said = expect.stringContaining(`The body has the field ${field} in another case`);
        expect({ status, message }).toEqual({ status: 400, message: said });
      }
      expect(asked).toEqual([]);
    },
  );

  test("counts in the tokens of a minute", async () => {
    const token = await server.tokenWith({ tokensPerMinute: 2_000 });
    const statuses: number[] = [];
    for (let count = 0; count < 4; count += 1) {
      statuses.push((await ask(token, EMBEDDINGS, { model: "text-embedding-3-small", input: "x" })).status);
    }
    expect(statuses).toEqual([200, 200, 429, 429]);
  });

  test("whose provider does not say what it used costs no more than was held for it", async () => {
    usage = undefined;
    data = [{ b64_json: "A".repeat(200_000) }];
    const token = await server.tokenWith({ totalMicroUsd: 10_000_000 });
    expect((await ask(token, IMAGES, { model: "gpt-image-1", prompt: "a cat", n: 2 })).status).toBe(200);
    const cost = await spent();
    // Two pictures of 16,384 tokens each, for 40 USD a million.
    expect(cost).toBeGreaterThan(1_310_720);
    expect(cost).toBeLessThan(1_312_000);
  });

  test("costs what its provider counted, in the words of either dialect", async () => {
    const token = await server.tokenWith({ totalMicroUsd: 10_000_000 });
    usage = { input_tokens: 50, output_tokens: 272, total_tokens: 322 };
    data = [{ b64_json: "A".repeat(200_000) }];
    expect((await ask(token, IMAGES, { model: "gpt-image-1", prompt: "a cat" })).status).toBe(200);
    // 5 and 40 USD a million.
    expect(await spent()).toBe(250 + 10_880);
    events = [{ type: "image_generation.completed", b64_json: "A".repeat(9_000), usage }];
    expect((await ask(token, IMAGES, { model: "gpt-image-1", prompt: "a cat", stream: true })).status).toBe(200);
    await expect.poll(() => total("costMicroUsd")).toBe(2 * 11_130);
  });

  test("that streams without counts costs about what was written", async () => {
    const token = await server.tokenWith({ totalMicroUsd: 10_000_000 });
    events = Array.from({ length: 50 }, () => ({ choices: [{ text: " hello world.", index: 0 }] }));
    const question = { model: "gpt-3.5-turbo-instruct", stream: true, max_tokens: 4_000, prompt: "x" };
    expect((await ask(token, COMPLETIONS, question)).status).toBe(200);
    const cost = await spent();
    // 650 characters are some 160 tokens, for 2 USD a million.
    expect(cost).toBeGreaterThan(300);
    expect(cost).toBeLessThan(450);
  });

  test("that is free, or only looks, passes also when all is spent", async () => {
    const token = await server.tokenWith({ totalMicroUsd: 0 });
    expect((await ask(token, "/v1/moderations", { input: "x" })).status).toBe(200);
    const authorization = `Bearer ${token.token}`;
    const looked = await fetch(`${server.url}/proxy/openai/v1/audio/voices`, { headers: { authorization } });
    expect(looked.status).toBe(200);
    expect((await ask(token, EMBEDDINGS, { model: "text-embedding-3-small", input: "x" })).status).toBe(402);
    const rows = { requests: await total("requests"), cost: await total("costMicroUsd") };
    await expect.poll(() => total("requests")).toBeGreaterThan(1);
    expect(rows.cost).toBe(0);
  });

  test("is moderation that a compatible server may charge for", async () => {
    const to = "/proxy/openrouter";
    const question = { model: "openai/gpt-4o-mini", input: "x" };
    expect((await ask(await server.tokenWith({ totalMicroUsd: 0 }), "/v1/moderations", question, { to })).status).toBe(
      402,
    );
    const token = await server.tokenWith({ totalMicroUsd: 1_000_000 });
    expect(await ask(token, "/v1/moderations", { model: "nobody-knows-it", input: "x" }, { to })).toEqual({
      status: 402,
      message: expect.stringContaining("The price of the model"),
    });
    expect((await ask(token, "/v1/moderations", question, { to })).status).toBe(200);
    await expect.poll(() => total("costMicroUsd", "openrouter")).toBeGreaterThan(0);
    expect(asked).toHaveLength(1);
  });

  test("whose body is packed is passed on as it comes, and refused where that has to be known", async () => {
    const packed = { "content-type": "application/json", "content-encoding": "gzip" };
    const send = async ({ token }: MintedToken) => {
      const headers = { ...packed, authorization: `Bearer ${token}` };
      return (await fetch(`${server.url}/proxy/openai${EMBEDDINGS}`, { method: "POST", headers, body: "packed" }))
        .status;
    };
    expect(await send(await server.tokenWith({ requestsPerMinute: 9 }))).toBe(200);
    expect(await send(await server.tokenWith({ dayMicroUsd: 1_000_000 }))).toBe(402);
    expect(asked).toEqual([{ path: EMBEDDINGS, body: "packed" }]);
  });

  test("in the background is refused, for nobody would be charged for it", async () => {
    const { status, message } = await ask(await server.tokenWith({ requestsPerMinute: 9 }), "/v1/responses", {
      model: "gpt-5.4",
      input: "x",
      background: true,
    });
    expect({ status, message }).toEqual({ status: 400, message: expect.stringContaining("background") });
    expect(asked).toEqual([]);
  });

  test.each(["", "[]", '{"model":"a","model":"b"}', '{"model":"a\\nb"}'])("cannot be %j", async (body) => {
    const { status, message } = await ask(await server.tokenWith({ requestsPerMinute: 9 }), EMBEDDINGS, body);
    expect({ status, message }).toEqual({ status: 400, message: expect.stringMatching(/^The \S+ .*\.$/) });
    expect(asked).toEqual([]);
  });
});
