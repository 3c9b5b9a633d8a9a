import { request } from "node:http";
import { fail, fault, say } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { collect, REQUEST, startTestServer, TOKEN } from "../../testing.ts";

/** Sends a request and gives what is needed to leave in the middle of it. */
function begin(url: string, path: string) {
  const outgoing = request(`${url}${path}`, {
    method: "POST",
    agent: false,
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
  });
  outgoing.on("error", () => {});
  const firstBytes = new Promise<void>((resolve) => {
    outgoing.once("response", (response) => {
      response.on("error", () => {});
      response.once("data", () => resolve());
    });
  });
  outgoing.end(JSON.stringify(REQUEST));
  return { firstBytes, leave: () => outgoing.destroy() };
}

describe.each(["anthropic", "openai"])("a client that leaves takes the request to %s with it", (provider) => {
  test("in the middle of a stream", async () => {
    await using test = await startTestServer({ script: [fail(fault.stallAfter(4))] });
    const client = begin(test.server.url, `/proxy/${provider}/stream`);
    await client.firstBytes;
    client.leave();
    const [upstream] = await test.model.waitForRequests(1);
    await upstream?.whenAborted;
    expect(upstream?.aborted).toBe(true);
  });

  test("before the first byte of a stream", async () => {
    await using test = await startTestServer({ script: [fail(fault.neverAnswer())] });
    const client = begin(test.server.url, `/proxy/${provider}/stream`);
    const upstream = await test.model.nextRequest();
    client.leave();
    await upstream.whenAborted;
    expect(upstream.aborted).toBe(true);
  });

  test("between the headers and the first event", async () => {
    await using test = await startTestServer({ script: [fail(fault.headersOnly())] });
    const client = begin(test.server.url, `/proxy/${provider}/stream`);
    const upstream = await test.model.nextRequest();
    client.leave();
    await upstream.whenAborted;
    expect(upstream.aborted).toBe(true);
  });

  test("while it waits for an answer in one piece", async () => {
    await using test = await startTestServer({ script: [fail(fault.neverAnswer())] });
    const client = begin(test.server.url, `/proxy/${provider}/complete`);
    const upstream = await test.model.nextRequest();
    client.leave();
    await upstream.whenAborted;
    expect(upstream.aborted).toBe(true);
  });
});

test("an aborted signal ends the client's stream with an error event and reaches the provider", async () => {
  await using test = await startTestServer({ script: [fail(fault.stallAfter(4))] });
  const controller = new AbortController();
  const events = [];
  for await (const batch of test.client.stream("anthropic", REQUEST, { signal: controller.signal })) {
    events.push(...batch);
    controller.abort();
  }
  expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "network", retryable: false } });
  const [upstream] = await test.model.waitForRequests(1);
  await upstream?.whenAborted;
  expect(upstream?.aborted).toBe(true);
});

test("a signal that was aborted before sends nothing", async () => {
  await using test = await startTestServer({ script: [say("Never asked.")] });
  const events = await collect(test.client.stream("anthropic", REQUEST, { signal: AbortSignal.abort() }));
  expect(events).toMatchObject([{ type: "error", error: { retryable: false } }]);
  expect(test.model.requests).toEqual([]);
});

test("a reader that stops in the middle takes the request with it", async () => {
  await using test = await startTestServer({ script: [fail(fault.stallAfter(4))] });
  for await (const batch of test.client.stream("anthropic", REQUEST)) {
    expect(batch.length).toBeGreaterThan(0);
    break;
  }
  const [upstream] = await test.model.waitForRequests(1);
  await upstream?.whenAborted;
  expect(upstream?.aborted).toBe(true);
});
