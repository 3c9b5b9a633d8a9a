import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { Budgets, Credentials } from "../../gateway-types.ts";
import {
  ask,
  sendAndDrop,
  startGateway,
  type TestGateway,
  type TestGatewayOptions,
  UPSTREAM_KEY,
} from "./gateway.testing.ts";
import { startUpstream, type TestUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const PATH = "/proxy/anthropic/v1/messages";
const QUESTION = { model: "claude-x", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };

async function upstreamWith(answer: Parameters<typeof startUpstream>[0] = () => {}): Promise<TestUpstream> {
  const upstream = await startUpstream(answer);
  closing.push(upstream);
  return upstream;
}

async function gatewayFor(upstream: TestUpstream, options: Omit<TestGatewayOptions, "env"> = {}): Promise<TestGateway> {
  const env = { LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY, LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url };
  const gateway = await startGateway({ ...options, env });
  closing.push(gateway);
  return gateway;
}

/** Something that is waited for: when that has begun, and its end. */
function hold() {
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const wait = (): Promise<void> => {
    begun.resolve();
    return over.promise;
  };
  return { wait, begun: begun.promise, release: over.resolve };
}

function slowBudgets(wait: () => Promise<void>) {
  const held = { now: 0, ever: 0 };
  const budgets: Budgets = {
    async reserve() {
      await wait();
      held.now += 1;
      held.ever += 1;
      const settle = (): void => {
        held.now -= 1;
      };
      return { ok: true, headers: {}, reservation: { settle, touch() {} } };
    },
  };
  return { held, budgets };
}

function slowCredentials(wait: () => Promise<void>): Credentials {
  const headers = async () => {
    await wait();
    return { "x-api-key": UPSTREAM_KEY };
  };
  return {
    lease: () => ({ credentialId: "c", headers, report() {} }),
    health: () => ({ available: 1, coolingDown: 0, disabled: 0 }),
  };
}

type Wait = (wait: () => Promise<void>) => Omit<TestGatewayOptions, "env">;
const WAITS: readonly (readonly [string, Wait])[] = [
  ["its token is looked up", (knownAfter) => ({ knownAfter })],
  ["money is fetched for it", (wait) => ({ budgets: slowBudgets(wait).budgets })],
  ["a credential is made ready", (wait) => ({ credentials: slowCredentials(wait) })],
];

/** Everything that could still come has come. */
async function settled(gateway: TestGateway): Promise<void> {
  await ask(`${gateway.url}/proxy/anthropic/v1/nothing`, { headers: { authorization: "Bearer none" } });
}

describe.each(WAITS)("a request while %s", (_name, optionsOf) => {
  test("has one row when its client leaves, and is not sent", async () => {
    const upstream = await upstreamWith();
    const { wait, begun, release } = hold();
    const gateway = await gatewayFor(upstream, optionsOf(wait));
    const drop = sendAndDrop(gateway.url + PATH, {
      headers: { authorization: `Bearer ${gateway.token}` },
      body: QUESTION,
    });
    await begun;
    drop();
    // Where nobody knows yet who it is, there is nobody to put down.
    const isKnown = optionsOf(wait).knownAfter === undefined;
    if (isKnown) await gateway.waitForEntries(1);
    else while (!(await gateway.metrics()).includes("loom_http_requests_open 0")) await new Promise(setImmediate);
    release();
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "cancelled", status: 499, estimated: false }]);
    await settled(gateway);
    expect(gateway.entries).toHaveLength(1);
    expect(upstream.seen).toHaveLength(0);
  });

  test("has one row when the server ends", async () => {
    const upstream = await upstreamWith();
    const { wait, begun, release } = hold();
    const gateway = await gatewayFor(upstream, optionsOf(wait));
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answered = ask(gateway.url + PATH, { headers, body: QUESTION }).catch(() => undefined);
    await begun;
    const closed = gateway.close();
    await answered;
    release();
    await closed;
    expect(await gateway.waitForEntries(1)).toHaveLength(1);
    expect(gateway.entries[0]?.outcome).toMatch(/^(cut_off|cancelled)$/);
    expect(upstream.seen).toHaveLength(0);
  });
});

describe("a request", () => {
  test("that waits for money gives it back when its client has left", async () => {
    const { wait, begun, release } = hold();
    const { held, budgets } = slowBudgets(wait);
    const gateway = await gatewayFor(await upstreamWith(), { budgets });
    const headers = { authorization: `Bearer ${gateway.token}` };
    const drop = sendAndDrop(gateway.url + PATH, { headers, body: QUESTION });
    await begun;
    drop();
    await gateway.waitForEntries(1);
    release();
    await settled(gateway);
    expect(held).toEqual({ now: 0, ever: 1 });
  });

  test.each([
    ["in the middle of its body", 40],
    ["with its last byte", 0],
  ])("whose client leaves %s has one row", async (_when, missing) => {
    const upstream = await upstreamWith();
    const gateway = await gatewayFor(upstream);
    const body = JSON.stringify(QUESTION);
    const head = `POST ${PATH} HTTP/1.1\r\nhost: ${new URL(gateway.url).host}\r\nauthorization: Bearer ${gateway.token}\r\ncontent-length: ${body.length}\r\n\r\n`;
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname, () => {
      socket.write(head + body.slice(0, body.length - missing), () => socket.destroy());
    });
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "cancelled", status: 499, client: "" }]);
    await settled(gateway);
    expect(gateway.entries).toHaveLength(1);
  });

  test.each([
    ["is not JSON", "{", 400],
    ["names no model", "{}", 400],
    ["is too large", Buffer.alloc(33 * 1024 * 1024, 32), 413],
  ])("whose body %s has a row that says so", async (_what, body, status) => {
    const gateway = await gatewayFor(await upstreamWith());
    const headers = { authorization: `Bearer ${gateway.token}` };
    expect((await ask(gateway.url + PATH, { headers, body })).status).toBe(status);
    expect(await gateway.waitForEntries(1)).toMatchObject([{ outcome: "failed", status, attempts: 0, upstream: "" }]);
  });

  test.each([
    ["by another method", { method: "PUT", path: PATH, body: QUESTION }, { status: 405, code: "method_not_allowed" }],
    [
      "with a body of another type",
      { method: "POST", path: "/proxy/anthropic/complete", body: QUESTION },
      { status: 415, code: "unsupported_media_type" },
    ],
  ])("that comes %s has a row that says so", async (_how, { path, ...request }, { status, code }) => {
    const upstream = await upstreamWith();
    const gateway = await gatewayFor(upstream);
    const headers = { authorization: `Bearer ${gateway.token}`, "content-type": "text/plain" };
    expect((await ask(gateway.url + path, { ...request, headers })).status).toBe(status);
    expect(gateway.entries).toMatchObject([{ outcome: "failed", status, errorCode: code, attempts: 0, upstream: "" }]);
    await settled(gateway);
    expect(gateway.entries).toHaveLength(1);
    expect(upstream.seen).toHaveLength(0);
  });

  test.each([
    [
      "does not belong to who asks",
      { "x-loom-team": "team-1" },
      { outcome: "refused", status: 403, code: "forbidden" },
    ],
    [
      "is named twice",
      { "x-loom-team": "team-1", "x-loom-organization": "org-1" },
      { outcome: "failed", status: 400, code: "invalid_input" },
    ],
  ])("whose payer %s has a row, and is charged to nobody", async (_how, payer, { outcome, status, code }) => {
    const upstream = await upstreamWith();
    const gateway = await gatewayFor(upstream);
    const headers = { authorization: `Bearer ${gateway.token}`, "x-loom-session": "s-1", ...payer };
    expect((await ask(gateway.url + PATH, { headers, body: QUESTION })).status).toBe(status);
    const row = { outcome, status, errorCode: code, subject: "owner", session: "s-1", attempts: 0, upstream: "" };
    expect(gateway.entries).toMatchObject([{ ...row, usage: { inputTokens: 0, outputTokens: 0 } }]);
    await ask(gateway.url + PATH, { headers: { ...headers, authorization: "Bearer none" }, body: QUESTION });
    await ask(`${gateway.url}/anthropic/v1/models`, { method: "GET", headers });
    expect(gateway.entries).toHaveLength(1);
    expect(upstream.seen).toHaveLength(0);
  });

  test("that meets a mistake of the server's own ends, with a row", async () => {
    const budgets: Budgets = { reserve: () => Promise.reject(new Error("This may not happen.")) };
    const gateway = await gatewayFor(await upstreamWith(), { budgets });
    const headers = { authorization: `Bearer ${gateway.token}` };
    expect((await ask(gateway.url + PATH, { headers, body: QUESTION })).status).toBe(500);
    expect(gateway.entries).toMatchObject([{ outcome: "failed", status: 500, errorCode: "internal" }]);
  });

  test("whose compressed answer is still being looked at has its row before the server has ended", async () => {
    const text = JSON.stringify({
      model: "claude-x",
      padding: "x".repeat(60 * 1024 * 1024),
      usage: { input_tokens: 1 },
    });
    const packed = gzipSync(text, { level: 1 });
    const passed = Promise.withResolvers<void>();
    const upstream = await upstreamWith((response) => {
      const headers = { "content-type": "application/json", "content-encoding": "gzip" };
      response.writeHead(200, { ...headers, "content-length": packed.length });
      response.end(packed, () => passed.resolve());
    });
    const gateway = await gatewayFor(upstream);
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answered = ask(gateway.url + PATH, { headers, body: QUESTION }).catch(() => undefined);
    await passed.promise;
    await gateway.close();
    expect(gateway.entries).toHaveLength(1);
    await answered;
  });
});
