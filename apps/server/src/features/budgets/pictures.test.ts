// A picture counts as what it can cost, and what only looks like one as the text that it is.
import { randomBytes } from "node:crypto";
import type { MintedToken } from "@loom/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { takeServerConfig } from "../../index.ts";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { type BudgetedServer, budgetedServer, withOfficial } from "./budgeted-server.testing.ts";

const PNG = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
const SCREENSHOT = Buffer.concat([PNG, randomBytes(2_000_000)]).toString("base64");
const DRESSED = `iVBORw0KGgo${"IgnoreThePictureAndCountTheWords".repeat(80_000)}`;

const SMALL = { type: "text", text: "Hello?" };

/** A prompt of a picture that costs 1,600 tokens. */
const COUNTED = {
  id: "m",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5",
  content: [{ type: "text", text: "A screenshot." }],
  stop_reason: "end_turn",
  usage: { input_tokens: 1_600, output_tokens: 10 },
};

describe.each(engines)("on $name", (engine) => {
  let home: TestHome;
  let server: BudgetedServer;
  let answer: string;
  let asked = 0;

  beforeEach(async () => {
    home = await engine.create();
    answer = JSON.stringify(COUNTED);
    asked = 0;
    server = await budgetedServer(home, {
      respond: (request, response) =>
        request.resume().on("end", () => {
          asked += 1;
          response.writeHead(200, { "content-type": "application/json" }).end(answer);
        }),
      config: (address) =>
        withOfficial(
          ["anthropic", "zai"],
          takeServerConfig({
            LOOM_SERVER_ANTHROPIC_API_KEY: "sk-key-of-the-tests",
            LOOM_SERVER_ANTHROPIC_BASE_URL: address,
            LOOM_SERVER_ZAI_API_KEY: "sk-key-of-the-tests",
            LOOM_SERVER_ZAI_BASE_URL: address,
          }),
        ),
    });
  });

  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const image = (data: string, fields: object = {}) => ({
    type: "image",
    source: { type: "base64", media_type: "image/png", data },
    ...fields,
  });

  async function ask({ token }: MintedToken, content: readonly object[], model = "claude-sonnet-4-5"): Promise<number> {
    const response = await fetch(`${server.url}/anthropic/v1/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ model, max_tokens: 100, messages: [{ role: "user", content }] }),
    });
    // What is cut off ends so, too.
    await response.text().catch(() => undefined);
    return response.status;
  }

  /** In micro-dollars. */
  async function spent(): Promise<number> {
    const { groups } = (await server.asOwner("/api/usage?groupBy=model")) as { groups: { costMicroUsd: number }[] };
    return groups.reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0);
  }

  // Of 3 USD a million: 700,000 tokens would be 2 dollars, or 4 where they are written to a cache for an hour.
  const TEN_CENTS = { totalMicroUsd: 100_000 };

  test("a screenshot fits in a small budget, and costs what the provider counts", async () => {
    const token = await server.tokenWith(TEN_CENTS);
    expect(await ask(token, [image(SCREENSHOT), { type: "text", text: "What is this?" }])).toBe(200);
    expect(await ask(token, [{ type: "tool_result", tool_use_id: "t", content: [image(SCREENSHOT)] }])).toBe(200);
    await expect.poll(spent).toBe(2 * (1_600 * 3 + 10 * 15));
  });

  test("a text that is dressed as one does not", async () => {
    const token = await server.tokenWith(TEN_CENTS);
    const text = { type: "text", text: DRESSED };
    const source = { type: "text", media_type: "text/plain", data: DRESSED };
    for (const content of [
      text,
      { type: "document", source },
      { type: "image", source },
      image(DRESSED, { type: "document" }),
      image(DRESSED, { text: "x" }),
      { type: "tool_use", id: "t", name: "n", input: image(DRESSED) },
    ]) {
      expect(await ask(token, [content])).toBe(402);
    }
    expect(await ask(token, [image(SCREENSHOT), text])).toBe(402);
    expect(asked).toBe(0);
  });

  test("a screenshot fits in a limit of tokens a minute", async () => {
    const token = await server.tokenWith({ tokensPerMinute: 10_000 });
    expect(await ask(token, [SMALL])).toBe(200);
    expect(await ask(token, [image(SCREENSHOT)])).toBe(200);
    expect(await ask(token, [{ type: "text", text: DRESSED }])).toBe(429);
  });

  test("many screenshots count as many", async () => {
    const token = await server.tokenWith(TEN_CENTS);
    const many = Array.from({ length: 5 }, () => image(SCREENSHOT.slice(0, 400_000)));
    expect(await ask(token, many)).toBe(402);
    expect(await ask(token, many.slice(0, 3))).toBe(200);
  });

  test("where nobody says what a picture costs, it counts by its size", async () => {
    const token = await server.tokenWith(TEN_CENTS);
    expect(await ask(token, [SMALL], "zai/glm-5.3")).toBe(200);
    expect(await ask(token, [image(SCREENSHOT)], "zai/glm-5.3")).toBe(402);
    expect(asked).toBe(1);
  });

  test("a screenshot without counts is charged as what it costs at most", async () => {
    answer = '{"id":"m","content":[{"type":"te';
    const token = await server.tokenWith(TEN_CENTS);
    await ask(token, [image(SCREENSHOT)]);
    await expect.poll(spent).toBeGreaterThan(5_000 * 3);
    expect(await spent()).toBeLessThan(5_100 * 3 + 100 * 15);
  });
});
