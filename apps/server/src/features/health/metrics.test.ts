import { fail, fault, say } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { collect, REQUEST, send, startTestServer } from "../../testing.ts";

/** Rows of the ledger are counted a moment after the answer. */
async function scrapeUntil(url: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const { text } = await send(url, { path: "/metrics" });
    if (pattern.test(text)) return text;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function scrape(): Promise<string> {
  await using test = await startTestServer({ script: [say("One."), say("Two.")] });
  await collect(test.client.stream("anthropic", REQUEST));
  await test.client.complete("openai", { ...REQUEST, model: "nobody-knows-this-model" });
  await send(test.server.url, { path: "/some/path/that/does/not/exist" });
  await scrapeUntil(test.server.url, /loom_gateway_requests_total\{upstream="openai"/);
  const answer = await send(test.server.url, { path: "/metrics" });
  expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  return answer.text;
}

describe("the metrics", () => {
  test("count requests, tokens and money", async () => {
    const text = await scrape();
    expect(text).toContain(
      'loom_gateway_requests_total{upstream="anthropic",outcome="completed",dialect="loom",code=""} 1',
    );
    expect(text).toMatch(/loom_gateway_tokens_total\{upstream="anthropic",kind="output"\} [1-9]/);
    expect(text).toMatch(/loom_gateway_cost_dollars_total\{upstream="anthropic"\} 0\.\d+/);
    expect(text).toContain('loom_gateway_unpriced_requests_total{upstream="openai"} 1');
    expect(text).toContain('loom_http_requests_total{route="POST /proxy/{provider}/stream",status="200"} 1');
    expect(text).toContain("loom_gateway_requests_open 0");
  });

  test("say that no stream is open after every way in which one can end", async () => {
    const early = fail(fault.errorEvent(0));
    const late = { ...say("Cut within the answer.", { delivery: { deltas: 12 } }), fault: fault.cutAfter(6) };
    await using test = await startTestServer({ script: [early, late, say("Fine."), fail(fault.stallAfter(5))] });
    for (let round = 0; round < 3; round += 1) await collect(test.client.stream("anthropic", REQUEST));
    for await (const _ of test.client.stream("anthropic", REQUEST)) break;
    const [, , , stalled] = await test.model.waitForRequests(4);
    await stalled?.whenAborted;
    const text = await scrapeUntil(test.server.url, /outcome="cancelled"/);
    expect(text).toContain("loom_gateway_requests_open 0");
    expect(text).toContain(
      'loom_gateway_requests_total{upstream="anthropic",outcome="failed",dialect="loom",code="overloaded"} 1',
    );
    expect(text).toContain(
      'loom_gateway_requests_total{upstream="anthropic",outcome="cut_off",dialect="loom",code="network"} 1',
    );
    expect(text).toContain(
      'loom_gateway_requests_total{upstream="anthropic",outcome="cancelled",dialect="loom",code=""} 1',
    );
  });

  test("hold nothing that a client made up", async () => {
    const text = await scrape();
    expect(text).not.toContain("nobody-knows-this-model");
    expect(text).not.toContain("/some/path");
    expect(text).toContain('loom_http_requests_total{route="none",status="404"} 1');
  });

  // What `promtool check metrics` looks at.
  test("keep the naming rules of Prometheus", async () => {
    const text = await scrape();
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type]) => ({ name, type }));
    expect(types.length).toBeGreaterThan(8);
    for (const { name, type } of types) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(text).toMatch(new RegExp(`^# HELP ${name} .+\\.$`, "m"));
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      expect(name).not.toMatch(/_(?:count|sum|bucket|milliseconds|ms|kilobytes|minutes)$/);
    }
    expect(new Set(types.map(({ name }) => name)).size).toBe(types.length);
  });
});
