import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { fail, fault, say } from "@loom/testkit";
import { expect, onTestFinished, test } from "vitest";
import { collect, REQUEST, startTestServer, TOKEN, textOf } from "../../testing.ts";

const BODY = JSON.stringify(REQUEST);

/** A stream as it is on the wire, up to the first text that matches. */
function wireUntil(url: string, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const outgoing = request(`${url}/proxy/anthropic/stream`, { method: "POST", agent: false, headers });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      let text = "";
      response.on("error", () => {});
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (!pattern.test(text)) return;
        outgoing.destroy();
        resolve(text);
      });
    });
    outgoing.end(BODY);
  });
}

test("a stream has headers that keep everybody in between from holding it back", async () => {
  await using test = await startTestServer({ script: [say("Hello.")] });
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { method: "POST", agent: false, headers };
    request(`${test.server.url}/proxy/anthropic/stream`, options, resolve).once("error", reject).end(BODY);
  });
  response.resume();
  expect(response.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-request-id": expect.stringMatching(/^req-[0-9a-f-]{36}$/),
  });
});

test("while a provider thinks between two events, comments keep the connection alive", async () => {
  const server = { keepAliveMs: 20 };
  await using test = await startTestServer({ script: [fail(fault.stallAfter(4))], server });
  expect(await wireUntil(test.server.url, /(: ping\n\n){3}/)).toMatch(/^event: text_delta\n/);
});

test("while a provider thinks before its first event, comments keep the connection alive", async () => {
  const server = { keepAliveMs: 20 };
  await using test = await startTestServer({ script: [fail(fault.headersOnly())], server });
  expect(await wireUntil(test.server.url, /(: ping\n\n){3}/)).toMatch(/^(: ping\n\n)+$/);
});

test("a provider that fails after the first comment fails in the stream, because the status is gone", async () => {
  const env = { LOOM_SERVER_FIRST_EVENT_TIMEOUT: "0.3" };
  await using test = await startTestServer({ script: [fail(fault.headersOnly())], env, server: { keepAliveMs: 20 } });
  const events = await collect(test.client.stream("anthropic", REQUEST));
  expect(events).toMatchObject([{ type: "error", error: { code: "timeout", retryable: true } }]);
  expect(events[0]).not.toHaveProperty("error.status");
});

test("10,000 deltas arrive whole and in order", async () => {
  const text = Array.from({ length: 10_000 }, (_, index) => `wörd${index} `).join("");
  await using test = await startTestServer({ script: [say(text, { delivery: { deltas: 10_000 } })] });
  const events = await collect(test.client.stream("anthropic", REQUEST));
  expect(textOf(events)).toBe(text);
  expect(events.at(-1)?.type).toBe("completed");
});

test("a client that does not read slows the provider down instead of filling the memory", async () => {
  const flood = await startFlood();
  onTestFinished(() => flood.close());
  await using test = await startTestServer({ env: { LOOM_SERVER_ANTHROPIC_BASE_URL: flood.url } });
  const { hostname, port } = new URL(test.server.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  socket.pause();
  socket.write(
    `POST /proxy/anthropic/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
  );
  const sent = await flood.sentWhenItStandsStill();
  expect(sent).toBeGreaterThan(0);
  // What fits into the kernel's buffers of two connections, and little more.
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

/** A provider that would send without end, as fast as it is let. */
async function startFlood() {
  const start = `event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"m","usage":{"input_tokens":1,"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n`;
  const text = "x".repeat(60_000);
  const delta = `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${text}"}}\n\n`;
  let sent = 0;
  const server: Server = createServer((incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    outgoing.write(start);
    const send = (): void => {
      while (!outgoing.destroyed) {
        sent += delta.length;
        if (!outgoing.write(delta)) return;
      }
    };
    outgoing.on("drain", send);
    send();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    /** When nothing more goes out during many turns of the event loop. */
    async sentWhenItStandsStill(): Promise<number> {
      let before = -1;
      for (let still = 0; still < 2_000; ) {
        await new Promise((resolve) => setImmediate(resolve));
        still = sent > 0 && sent === before ? still + 1 : 0;
        before = sent;
      }
      return sent;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
