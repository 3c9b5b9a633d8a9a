import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { Budgets, CredentialOutcome, Credentials } from "../../gateway-types.ts";
import { ask, open, sendAndDrop, startGateway, type TestGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream, type TestUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const SSE = { "content-type": "text/event-stream" };
const START =
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n';
const DELTA = `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${"Hello ".repeat(10)}"}}\n\n`;
const WHOLE = `${START}event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":3}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n`;

type Settled = { settled: ({ usage: { inputTokens: number; outputTokens: number } } | undefined)[]; reserved: number };

function countingBudgets(): { budgets: Budgets; counts: Settled } {
  const counts: Settled = { settled: [], reserved: 0 };
  const budgets: Budgets = {
    reserve() {
      counts.reserved += 1;
      return {
        ok: true,
        headers: {},
        reservation: { settle: (actual) => void counts.settled.push(actual), touch: () => {} },
      };
    },
  };
  return { budgets, counts };
}

/** An upstream that hangs, and says when a client of it is gone. */
async function hangingUpstream(
  before: string | undefined,
): Promise<TestUpstream & { readonly dropped: Promise<void>; readonly asked: Promise<void> }> {
  const dropped = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const upstream = await startUpstream((response) => {
    response.on("close", () => dropped.resolve());
    if (before !== undefined) {
      response.writeHead(200, SSE);
      response.write(before);
    }
    asked.resolve();
  });
  closing.push(upstream);
  return { ...upstream, dropped: dropped.promise, asked: asked.promise };
}

async function gatewayFor(
  upstream: TestUpstream,
  options: Partial<Parameters<typeof startGateway>[0]> = {},
): Promise<TestGateway> {
  const gateway = await startGateway({
    ...options,
    env: { LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY, LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url },
  });
  closing.push(gateway);
  return gateway;
}

const PATHS = [
  ["its own dialect", "/proxy/anthropic/v1/messages", { model: "claude-x", messages: [] }],
  [
    "another dialect",
    "/openai/v1/chat/completions",
    { model: "anthropic/claude-x", messages: [{ role: "user", content: "Hi" }] },
  ],
] as const;

describe.each([{ pooled: true }, { pooled: false }])("a client that leaves ($pooled)", (transport) => {
  describe.each(PATHS)("in %s", (_name, path, body) => {
    test.each([
      ["before the first byte of a stream", true],
      ["before the answer in one piece", false],
    ])("%s takes the provider's request with it", async (_when, stream) => {
      const upstream = await hangingUpstream(undefined);
      const { budgets, counts } = countingBudgets();
      const gateway = await gatewayFor(upstream, { ...transport, budgets });
      const headers = { authorization: `Bearer ${gateway.token}` };
      const drop = sendAndDrop(gateway.url + path, { headers, body: { ...body, stream } });
      await upstream.asked;
      drop();
      await upstream.dropped;
      const [entry] = await gateway.waitForEntries(1);
      expect(entry).toMatchObject({ outcome: "cancelled", status: 499, estimated: true, usage: { outputTokens: 0 } });
      expect(entry?.usage.inputTokens).toBeGreaterThan(0);
      expect(counts).toMatchObject({ reserved: 1, settled: [{ usage: { outputTokens: 0 } }] });
    });

    test("in the middle of a stream is charged for what was seen", async () => {
      const upstream = await hangingUpstream(START + DELTA);
      const { budgets, counts } = countingBudgets();
      const gateway = await gatewayFor(upstream, { ...transport, budgets });
      const headers = { authorization: `Bearer ${gateway.token}` };
      const answer = await open(gateway.url + path, { headers, body: { ...body, stream: true } });
      await answer.waitFor("Hello");
      answer.drop();
      await upstream.dropped;
      const [entry] = await gateway.waitForEntries(1);
      expect(entry).toMatchObject({ outcome: "cancelled", status: 499, estimated: true });
      expect(entry?.usage.outputTokens).toBeGreaterThan(10);
      expect(counts.settled).toHaveLength(1);
    });
  });
});

describe("a client that leaves with another request behind the one that is being answered", () => {
  const chat = JSON.stringify({ ...PATHS[0][2], stream: true });
  const upload = "multipart/form-data; boundary=b";

  /** Both on one connection, which goes once the first one has come to its provider. */
  async function leave(second: { readonly path: string; readonly length: number; readonly sent: number }) {
    const upstream = await hangingUpstream(undefined);
    const gateway = await gatewayFor(upstream);
    const head = (path: string, more: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gateway.token}\r\n${more}\r\n\r\n`;
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      `${head(PATHS[0][1], "Content-Type: application/json\r\nTransfer-Encoding: chunked")}${chat.length.toString(16)}\r\n${chat}\r\n0\r\n\r\n`,
    );
    await upstream.asked;
    socket.write(head(second.path, `Content-Type: ${upload}\r\nContent-Length: ${second.length}`));
    await new Promise<void>((resolve) => socket.write(Buffer.alloc(second.sent, "a"), () => resolve()));
    // What was written is read there before the end of the connection is.
    socket.resetAndDestroy();
    await upstream.dropped;
    await gateway.waitForEntries(1);
    return ask(`${gateway.url}/healthz`, { method: "GET" });
  }

  test("and an upload that breaks off ends nothing but itself", async () => {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const health = await leave({ path: "/proxy/anthropic/v1/files", length: 11_000, sent: 1_000 });
      expect(health.status).toBe(401);
    }
  });

  test("is noticed although nobody reads what is behind", async () => {
    await leave({ path: "/nothing-here", length: 1_000_000, sent: 500_000 });
  });
});

describe("what is held for a request", () => {
  test("is settled once with what the provider counted", async () => {
    const upstream = await startUpstream((response) => void response.writeHead(200, SSE).end(WHOLE));
    closing.push(upstream);
    const { budgets, counts } = countingBudgets();
    const gateway = await gatewayFor(upstream, { budgets });
    const headers = { authorization: `Bearer ${gateway.token}` };
    await ask(gateway.url + PATHS[0][1], { headers, body: { ...PATHS[0][2], stream: true } });
    await gateway.waitForEntries(1);
    expect(counts).toMatchObject({ reserved: 1, settled: [{ usage: { inputTokens: 7, outputTokens: 3 } }] });
  });

  test("is given back where nothing came of it", async () => {
    const upstream = await startUpstream((response) => void response.writeHead(500).end());
    closing.push(upstream);
    const { budgets, counts } = countingBudgets();
    const gateway = await gatewayFor(upstream, { budgets });
    await ask(gateway.url + PATHS[0][1], { headers: { authorization: `Bearer ${gateway.token}` }, body: PATHS[0][2] });
    expect(counts).toMatchObject({ reserved: 1, settled: [undefined] });
  });

  test.each([
    ["rate", 429, "rate_limit_error"],
    ["money", 402, "billing_error"],
    ["model", 403, "permission_error"],
  ] as const)("may be too much: %s", async (reason, status, type) => {
    const upstream = await startUpstream(() => {});
    closing.push(upstream);
    const outcomes: CredentialOutcome[] = [];
    const credentials: Credentials = {
      lease: () => ({ credentialId: "a", headers: () => ({}), report: (outcome) => void outcomes.push(outcome) }),
      health: () => ({ available: 1, coolingDown: 0, disabled: 0 }),
    };
    const budgets: Budgets = {
      reserve: () => ({ ok: false, reason, message: "Too much.", retryAfterMs: 1_500, headers: { "x-limit": "1" } }),
    };
    const gateway = await gatewayFor(upstream, { budgets, credentials });
    const answer = await ask(gateway.url + PATHS[0][1], {
      headers: { authorization: `Bearer ${gateway.token}` },
      body: PATHS[0][2],
    });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({ "x-limit": "1", "retry-after": "2" });
    expect(JSON.parse(answer.text)).toMatchObject({ error: { type, message: "Too much." } });
    expect(upstream.seen).toHaveLength(0);
    expect(outcomes).toEqual([{ type: "cancelled" }]);
    expect(gateway.entries).toMatchObject([{ outcome: "refused", status }]);
  });

  test("cannot be written down: nobody is let in", async () => {
    const upstream = await startUpstream(() => {});
    closing.push(upstream);
    const gateway = await gatewayFor(upstream, { healthy: () => false });
    const answer = await ask(gateway.url + PATHS[0][1], {
      headers: { authorization: `Bearer ${gateway.token}` },
      body: PATHS[0][2],
    });
    expect(answer.status).toBe(503);
    expect(upstream.seen).toHaveLength(0);
  });
});

describe("a server that stops", () => {
  test("lets an answer end within its deadline", async () => {
    const release = Promise.withResolvers<void>();
    const upstream = await startUpstream((response) => {
      response.writeHead(200, SSE);
      response.write(START);
      void release.promise.then(() => response.end(WHOLE.slice(START.length)));
    });
    closing.push(upstream);
    const gateway = await gatewayFor(upstream);
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answer = await open(gateway.url + PATHS[0][1], { headers, body: { ...PATHS[0][2], stream: true } });
    await answer.waitFor("message_start");
    const closed = gateway.close({ drainMs: 20_000 });
    release.resolve();
    await answer.waitFor("message_stop");
    await closed;
    expect(gateway.entries).toMatchObject([{ outcome: "completed" }]);
  });

  test("ends the rest with an error, and their provider's requests", async () => {
    const upstream = await hangingUpstream(START);
    const gateway = await gatewayFor(upstream);
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answer = await open(gateway.url + PATHS[0][1], { headers, body: { ...PATHS[0][2], stream: true } });
    await answer.waitFor("message_start");
    const ended = answer.waitFor("shutting down");
    await gateway.close();
    await Promise.all([ended, upstream.dropped]);
    expect(gateway.entries).toMatchObject([{ outcome: "cut_off", errorCode: "overloaded" }]);
  });
});

test.each(["identity", "gzip"])(
  "a client that reads nothing of an answer as %s slows the provider down",
  async (encoding) => {
    const text = Buffer.concat([Buffer.from(START), Buffer.alloc(48 * 1024 * 1024, "x")]);
    // Compressed, it is as large as before: what is slowed down is what comes from the provider.
    const bytes = encoding === "gzip" ? gzipSync(text, { level: 0 }) : text;
    let written = 0;
    const upstream = await startUpstream((response) => {
      const packed = encoding === "gzip" ? { "content-encoding": encoding } : {};
      response.writeHead(200, { ...SSE, ...packed, "content-length": bytes.length });
      const pump = (): void => {
        while (written < bytes.length && !response.destroyed) {
          const piece = bytes.subarray(written, written + 64 * 1024);
          written += piece.length;
          if (!response.write(piece)) {
            response.once("drain", pump);
            return;
          }
        }
      };
      pump();
    });
    closing.push(upstream);
    const gateway = await gatewayFor(upstream);
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on("warning", onWarning);
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answer = await open(gateway.url + PATHS[0][1], { headers, body: { ...PATHS[0][2], stream: true } });
    await answer.waitFor("message_start");
    answer.pause();
    // Until the provider has stood still for a while: sockets in between hold a few megabytes.
    for (let last = -1; last !== written; ) {
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    process.off("warning", onWarning);
    expect(written).toBeLessThan(24 * 1024 * 1024);
    // Nobody listens twice for the same thing.
    expect(warnings).toEqual([]);
    answer.drop();
  },
);
