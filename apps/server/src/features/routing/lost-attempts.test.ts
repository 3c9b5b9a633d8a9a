import { readFile } from "node:fs/promises";
import type { Budget, UsageReport } from "@loom/api";
import { describe, expect, test } from "vitest";
import { engines, type TestHome } from "../../kit/engines.testing.ts";
import { ask } from "../gateway/gateway.testing.ts";
import { startUpstream } from "../gateway/upstream.testing.ts";
import { environmentOf, routesOf, startRoutingServer, to } from "./routing.testing.ts";

const COMPLETION =
  '{"model":"gpt-5.4","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2000,"completion_tokens":100}}';

/** A server whose first provider for `oracle` loses every request, and whose second one answers. */
async function startLosing(home: TestHome) {
  const lost = await startUpstream((response) => void response.destroy());
  const openai = await startUpstream(
    (response) => void response.writeHead(200, { "content-type": "application/json" }).end(COMPLETION),
  );
  const server = await startRoutingServer(home, environmentOf({ anthropic: lost, openai, gemini: lost }));
  const token = (await readFile(`${home.path}/owner-token`, "utf8")).trim();
  await routesOf(server.url, token).put("oracle", to("anthropic/claude-opus-5", "openai/gpt-5.4"));
  return {
    url: server.url,
    headers: { authorization: `Bearer ${token}` },
    /** Before its home is taken away. */
    async [Symbol.asyncDispose]() {
      await Promise.all([server.close(), lost.close(), openai.close()]);
    },
  };
}

describe.each(engines)("an attempt that is lost before another answers, on $name", (engine) => {
  test("is in the sums and on the budgets with what it may have cost, and is no request", async () => {
    await using home = await engine.create();
    await using losing = await startLosing(home);
    const { url, headers } = losing;
    const get = async <Type>(path: string): Promise<Type> =>
      JSON.parse((await ask(url + path, { method: "GET", headers })).text);
    await ask(`${url}/api/budgets/token/owner`, {
      method: "PUT",
      headers,
      body: { dayMicroUsd: 1_000_000_000 },
    });

    const question = { model: "oracle", max_tokens: 500, messages: [{ role: "user", content: "x".repeat(8_000) }] };
    const answers = [1, 2, 3].map(() => ask(`${url}/openai/v1/chat/completions`, { headers, body: question }));
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);

    const { groups, total } = await get<UsageReport>("/api/usage?groupBy=upstream,outcome");
    expect(total).toMatchObject({ requests: 3, errors: 0, replaced: 3, estimated: 0 });
    const costs = new Map(groups.map((group) => [group.key.join(" "), group]));
    expect(costs.get("openai completed")).toMatchObject({
      requests: 3,
      replaced: 0,
      tokens: { input: 6_000, output: 300 },
    });
    const replaced = costs.get("anthropic replaced");
    expect(replaced).toMatchObject({ requests: 0, replaced: 3, latencyMs: null });
    expect(replaced?.tokens.input).toBeGreaterThan(6_000);
    expect(replaced?.costMicroUsd).toBeGreaterThan(0);
    const { budgets } = await get<{ readonly budgets: readonly Budget[] }>("/api/budgets");
    const owner = budgets.find(({ kind, id }) => kind === "token" && id === "owner");
    expect(owner?.spent?.dayMicroUsd).toBe(total.costMicroUsd);
    expect(total.costMicroUsd).toBe((costs.get("openai completed")?.costMicroUsd ?? 0) + (replaced?.costMicroUsd ?? 0));
  });

  test("takes nothing more from the limits per minute: a request counts once", async () => {
    await using home = await engine.create();
    await using losing = await startLosing(home);
    const { url, headers } = losing;
    const limits = { requestsPerMinute: 2, tokensPerMinute: 4_000 };
    await ask(`${url}/api/budgets/token/owner`, { method: "PUT", headers, body: limits });

    // About 2,000 tokens of the prompt, which are also the estimate for the lost attempt.
    const question = { model: "oracle", max_tokens: 500, messages: [{ role: "user", content: "x".repeat(8_000) }] };
    const answer = await ask(`${url}/openai/v1/chat/completions`, { headers, body: question });
    expect(answer).toMatchObject({ status: 200, headers: { "x-loom-attempts": "2" } });
    expect(answer.headers["x-ratelimit-remaining-requests"]).toBe("1");
  });
});
