import { request } from "node:http";
import { api } from "@loom/api";
import { createLoomClient } from "@loom/api/client";
import { Secret } from "@loom/config";
import { type ScriptedModel, say, startScriptedModel } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, takeServerConfig } from "../../index.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { createDocument } from "../openapi/document.ts";

describe.each(engines)("on $name", (engine) => {
  const TOKEN = "lt_test-token-of-the-ledger-tests";

  let model: ScriptedModel;
  beforeAll(async () => {
    model = await startScriptedModel({ script: () => say("Hello.") });
  });
  afterAll(() => model.close());

  async function start({ path: dataDirectory, postgres }: TestHome) {
    const config = takeServerConfig({
      LOOM_SERVER_OPENAI_API_KEY: "sk-key-of-the-tests",
      LOOM_SERVER_OPENAI_BASE_URL: `${model.url}/v1`,
      LOOM_SERVER_OPENAI_MODEL: "gpt-5.4",
    });
    const server = await startServer({
      config,
      access: { type: "token", token: new Secret(TOKEN) },
      dataDirectory,
      postgres,
    });
    const client = createLoomClient({ baseUrl: server.url, token: () => TOKEN });
    return {
      server,
      client,
      async [Symbol.asyncDispose]() {
        client.close();
        await server.close();
      },
    };
  }

  type Answer = { readonly status: number; readonly type: string; readonly text: string };

  function send(url: string, method: string, path: string, body?: object): Promise<Answer> {
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(new URL(path, url), { method, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", text }),
        );
      });
      outgoing.once("error", reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  function ask(client: ReturnType<typeof createLoomClient>, name: string) {
    return client.complete("openai", {
      model: name,
      system: "",
      messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
      tools: [],
      maxTokens: 100,
    });
  }

  describe("GET /api/usage", () => {
    it("tells at once what was asked a moment ago, also after a restart", async () => {
      await using home = await engine.create();
      let used: { readonly inputTokens: number; readonly outputTokens: number };
      {
        await using opened = await start(home);
        used = (await ask(opened.client, "gpt-5.4")).usage;
        await ask(opened.client, "gpt-5.4");
        const report = await opened.client.usage({ groupBy: "upstream,requestedModel,dialect,node:token" });
        expect(report.groups).toEqual([
          expect.objectContaining({ key: ["openai", "gpt-5.4", "loom", "owner"], requests: 2, errors: 0 }),
        ]);
        expect(report.total.tokens).toMatchObject({ input: 2 * used.inputTokens, output: 2 * used.outputTokens });
        expect(report.total.latencyMs?.p50).toBeGreaterThan(0);
      }
      await using again = await start(home);
      await ask(again.client, "gpt-5.4");
      expect((await again.client.usage({})).total).toMatchObject({
        requests: 3,
        tokens: { input: 3 * used.inputTokens },
      });
    });

    it("gives CSV that no spreadsheet takes for a formula", async () => {
      await using home = await engine.create();
      await using opened = await start(home);
      await ask(opened.client, '=cmd|"/c calc"!A1').catch(() => undefined);
      const { status, type, text } = await send(
        opened.server.url,
        "GET",
        "/api/usage?groupBy=requestedModel&format=csv",
      );
      expect({ status, type }).toEqual({ status: 200, type: "text/csv; charset=utf-8; header=present" });
      const [header, row] = text.split("\r\n");
      expect(header).toMatch(/^requestedModel,requests,errors,/);
      expect(row).toMatch(/^"'=cmd\|""\/c calc""!A1",1,/);
    });

    it.each([
      ["groupBy=colour", "groupBy"],
      ["from=yesterday", "from"],
      ["limit=0", "limit"],
      ["limit=10001", "limit"],
      ["node=team", "node"],
      ["format=xml", "format"],
      ["colour=red", "colour"],
    ])("refuses %s in a sentence", async (query, field) => {
      await using home = await engine.create();
      await using opened = await start(home);
      const { status, text } = await send(opened.server.url, "GET", `/api/usage?${query}`);
      expect(status).toBe(400);
      expect(text).toContain(field);
    });

    it("says so where the server keeps nothing", async () => {
      const config = takeServerConfig({});
      const server = await startServer({ config, access: { type: "token", token: new Secret(TOKEN) } });
      const { status, text } = await send(server.url, "GET", "/api/usage");
      expect({ status, code: JSON.parse(text).code }).toEqual({ status: 503, code: "unavailable" });
      await server.close();
    });

    it("is in the metrics with bounded labels", async () => {
      await using home = await engine.create();
      await using opened = await start(home);
      await ask(opened.client, "gpt-5.4");
      await opened.client.usage({});
      const { text } = await send(opened.server.url, "GET", "/metrics");
      expect(text).toContain(
        'loom_gateway_requests_total{upstream="openai",outcome="completed",dialect="loom",code=""} 1',
      );
      expect(text).toContain('loom_gateway_request_duration_seconds_count{upstream="openai"} 1');
      expect(text).toContain("loom_ledger_healthy 1");
      expect(text).not.toContain("gpt-5.4");
    });
  });

  describe("/api/admin/prices", () => {
    it("sets, lists and retires prices without a restart", async () => {
      await using home = await engine.create();
      await using opened = await start(home);
      const { url } = opened.server;
      const prices = { input: 1_000_000, output: 1_000_000 };
      const put = await send(url, "PUT", "/api/admin/prices", { provider: "openai", model: "lab-*", prices });
      const { id } = JSON.parse(put.text);
      expect({ status: put.status, id }).toEqual({ status: 200, id: expect.stringMatching(/^price-/) });
      expect(JSON.parse((await send(url, "GET", "/api/admin/prices")).text).prices).toEqual([
        expect.objectContaining({ id, provider: "openai", model: "lab-*", effectiveFrom: null, prices }),
      ]);
      expect((await send(url, "DELETE", `/api/admin/prices/${id}`)).status).toBe(200);
      expect((await send(url, "DELETE", `/api/admin/prices/${id}`)).status).toBe(404);
    });

    it.each([
      [{ provider: "p", model: "a*b", prices: { input: 1, output: 1 } }, "model"],
      [{ provider: "p", model: "m", prices: { input: -1, output: 1 } }, "prices.input"],
      [{ provider: "p", model: "m", prices: { input: 1 } }, "prices.output"],
      [{ provider: "p", model: "m", effectiveFrom: "soon", prices: { input: 1, output: 1 } }, "effectiveFrom"],
    ])("refuses %j and names the field", async (body, field) => {
      await using home = await engine.create();
      await using opened = await start(home);
      const { status, text } = await send(opened.server.url, "PUT", "/api/admin/prices", body);
      expect(status).toBe(400);
      expect(JSON.parse(text).errors).toEqual([expect.objectContaining({ field })]);
    });
  });

  it("the description of the API has both forms of a report", async () => {
    const document = await createDocument([api.usage.get, api.prices.put, api.prices.delete, api.prices.list], "1");
    const content = document.paths?.["/api/usage"]?.get?.responses?.["200"];
    expect(Object.keys(content !== undefined && "content" in content ? (content.content ?? {}) : {})).toEqual([
      "application/json",
      "text/csv",
    ]);
  });
});
