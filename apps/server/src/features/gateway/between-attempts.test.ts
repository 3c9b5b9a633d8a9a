import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import type { Budgets, Credentials, LedgerEntry, Routing } from "../../gateway-types.ts";
import { ask, sendAndDrop, startGateway, UPSTREAM_KEY } from "./gateway.testing.ts";
import { startUpstream } from "./upstream.testing.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

const PATH = "/proxy/anthropic/v1/messages";
const QUESTION = {
  model: "claude-opus-4-5",
  max_tokens: 9,
  stream: true,
  messages: [{ role: "user", content: "x".repeat(40_000) }],
};
const LATER = '{"type":"error","error":{"type":"overloaded_error","message":"Later."}}';

/** What the first upstream does, and what it may bill. */
const FIRST: readonly (readonly [string, (response: ServerResponse) => void, "charged" | "free"])[] = [
  ["broke off", (response) => void response.destroy(), "charged"],
  [
    "was refused",
    (response) => void response.writeHead(529, { "content-type": "application/json" }).end(LATER),
    "free",
  ],
  [
    "was refused by its first event, in lines that end in CRs",
    (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`event: error\rdata: ${LATER}\r\r`);
    },
    "free",
  ],
  [
    "was refused by its first event",
    (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`event: error\ndata: ${LATER}\n\n`);
    },
    "free",
  ],
];

/** Money that is held and charged. */
function purse() {
  const counts = { held: 0, charged: 0 };
  const budgets: Budgets = {
    reserve() {
      counts.held += 1;
      return {
        ok: true,
        headers: {},
        reservation: {
          settle(actual) {
            counts.held -= 1;
            counts.charged += actual?.costMicroUsd ?? 0;
          },
          touch() {},
        },
      };
    },
  };
  return { counts, budgets };
}

/** A gateway with a second upstream, for which the credential is not ready when its turn comes. */
async function gatewayBetween(first: (response: ServerResponse) => void) {
  const upstream = await startUpstream(first);
  const begun = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<{ readonly authorization: string }>();
  const credentials: Credentials = {
    lease: (name) => ({
      credentialId: name,
      headers() {
        if (name !== "openai") return { "x-api-key": UPSTREAM_KEY };
        begun.resolve();
        return ready.promise;
      },
      report() {},
    }),
    health: () => ({ available: 1, coolingDown: 0, disabled: 0 }),
  };
  const routing: Routing = {
    plan: ({ model }) => ({
      ok: true,
      steps: ["anthropic", "openai"].map((name) => ({ upstream: name, model, reason: name })),
    }),
    enter: () => true,
    report: () => {},
    aliases: () => [],
  };
  const { counts, budgets } = purse();
  const gateway = await startGateway({
    routing,
    credentials,
    budgets,
    env: {
      LOOM_SERVER_ANTHROPIC_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url,
      LOOM_SERVER_OPENAI_API_KEY: UPSTREAM_KEY,
      LOOM_SERVER_OPENAI_BASE_URL: `${upstream.url}/v1`,
    },
  });
  closing.push(upstream, gateway);
  const options = { headers: { authorization: `Bearer ${gateway.token}` }, body: QUESTION };
  const release = (): void => ready.resolve({ authorization: "Bearer x" });
  return { upstream, gateway, options, counts, begun: begun.promise, release };
}

function costOf(entries: readonly LedgerEntry[]): number {
  return entries.reduce((sum, { costMicroUsd = 0 }) => sum + costMicroUsd, 0);
}

describe.each(FIRST)("a request whose first attempt %s", (_how, first, billed) => {
  /** The rows: the attempt by itself where it is charged, and the request, for which nobody else was asked. */
  function expectRows(entries: readonly LedgerEntry[], outcome: string): void {
    const request = { outcome, attempts: 2, estimated: false, usage: { inputTokens: 0, outputTokens: 0 } };
    if (billed === "free") expect(entries).toMatchObject([request]);
    else expect(entries).toMatchObject([{ outcome: "replaced", upstream: "anthropic", estimated: true }, request]);
    expect(costOf(entries) > 0).toBe(billed === "charged");
  }
  const rows = billed === "charged" ? 2 : 1;

  test("is charged for no second one where its client leaves before that", async () => {
    const { upstream, gateway, options, counts, begun, release } = await gatewayBetween(first);
    const drop = sendAndDrop(gateway.url + PATH, options);
    await begun;
    drop();
    expectRows(await gateway.waitForEntries(rows), "cancelled");
    release();
    expect(counts).toEqual({ held: 0, charged: costOf(gateway.entries) });
    expect(upstream.seen).toHaveLength(1);
  });

  test("is charged for no second one where the server ends before that", async () => {
    const { upstream, gateway, options, counts, begun, release } = await gatewayBetween(first);
    const answered = ask(gateway.url + PATH, options);
    await begun;
    const closed = gateway.close();
    expect(await answered).toMatchObject({ status: 529 });
    release();
    await closed;
    expectRows(await gateway.waitForEntries(rows), "cut_off");
    expect(counts).toEqual({ held: 0, charged: costOf(gateway.entries) });
    expect(upstream.seen).toHaveLength(1);
  });
});
