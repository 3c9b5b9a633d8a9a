import type { LlmFailure } from "@loom/core";
import { type Fault, fail, fault, say } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { collect, REQUEST, startTestServer } from "../../testing.ts";

type Expected = Partial<LlmFailure> & { readonly code: LlmFailure["code"] };
type FaultCase = {
  readonly name: string;
  readonly how: Fault;
  readonly expected: Expected;
  readonly env: NodeJS.ProcessEnv;
};

function faultCase(name: string, how: Fault, expected: Expected, env: NodeJS.ProcessEnv = {}): FaultCase {
  return { name, how, expected, env };
}

/** Short, because the test waits for them; generous against everything that does not stall. */
const IMPATIENT = {
  LOOM_SERVER_HEADERS_TIMEOUT: "0.3",
  LOOM_SERVER_COMPLETE_TIMEOUT: "0.3",
  LOOM_SERVER_FIRST_EVENT_TIMEOUT: "0.3",
  LOOM_SERVER_GAP_TIMEOUT: "0.3",
};

/** What fails before anything has been sent to the client: with and without streaming the client gets a problem. */
const BEFORE_THE_FIRST_BYTE: readonly FaultCase[] = [
  faultCase("401", fault.status(401), { code: "unauthorized", retryable: false, status: 502 }),
  faultCase("403", fault.status(403), { code: "unauthorized", retryable: false, status: 502 }),
  faultCase("402", fault.status(402), { code: "budget_exceeded", retryable: false, status: 402 }),
  faultCase("404", fault.status(404), { code: "unknown_model", retryable: false, status: 404 }),
  faultCase("400", fault.status(400), { code: "invalid_request", retryable: false, status: 400 }),
  faultCase("429 with Retry-After", fault.status(429, { retryAfter: 7 }), {
    code: "rate_limited",
    retryable: true,
    retryAfterMs: 7_000,
    status: 429,
  }),
  faultCase("429 without Retry-After", fault.status(429), { code: "rate_limited", retryable: true, status: 429 }),
  faultCase("500", fault.status(500), { code: "overloaded", retryable: true, status: 503 }),
  faultCase("529", fault.status(529), { code: "overloaded", retryable: true, status: 503 }),
  faultCase("a redirect", fault.status(302, { headers: { location: "http://127.0.0.1:1/" } }), {
    code: "invalid_response",
    status: 502,
  }),
  faultCase("a reset connection", fault.reset(), { code: "network", retryable: true, status: 502 }),
  faultCase("a web page", fault.html(), { code: "invalid_response", status: 502 }),
  faultCase("bytes that mean nothing", fault.binary(), { code: "invalid_response", status: 502 }),
  faultCase("no answer at all", fault.neverAnswer(), { code: "timeout", retryable: true, status: 504 }, IMPATIENT),
  faultCase(
    "headers and nothing else",
    fault.headersOnly(),
    { code: "timeout", retryable: true, status: 504 },
    IMPATIENT,
  ),
];

describe.each(["anthropic", "openai"])("a provider (%s) that fails before its first event", (provider) => {
  test.each(BEFORE_THE_FIRST_BYTE)("with $name becomes an error with its own code", async ({ how, expected, env }) => {
    await using test = await startTestServer({ script: () => fail(how), env });
    const events = await collect(test.client.stream(provider, REQUEST));
    expect(events).toEqual([{ type: "error", error: expect.objectContaining(expected) }]);
    await expect(test.client.complete(provider, REQUEST)).rejects.toMatchObject(expected);
  });

  test("a Retry-After that is missing is not invented", async () => {
    await using test = await startTestServer({ script: [fail(fault.status(429))] });
    const [event] = await collect(test.client.stream(provider, REQUEST));
    expect(event).not.toHaveProperty("error.retryAfterMs");
  });
});

const LONG = say("Größere Sätze, damit mehrere Ereignisse unterwegs sind – für größere Lücken, später übrigens auch.", {
  delivery: { deltas: 12 },
});

const AFTER_THE_FIRST_BYTE: readonly FaultCase[] = [
  faultCase("a cut between two events", fault.cutAfter(5), { code: "network", retryable: true }),
  faultCase("a cut within an event", fault.cutInsideEvent(5), { code: "network", retryable: true }),
  faultCase("a cut within a character", fault.cutInsideCharacter(3), { code: "network", retryable: true }),
  faultCase("a proper end that comes too early", fault.endAfter(5), { code: "network", retryable: true }),
  faultCase("an error event", fault.errorEvent(5), { code: "overloaded", retryable: true }),
  faultCase("silence", fault.stallAfter(5), { code: "timeout", retryable: true }, IMPATIENT),
];

describe.each(["anthropic", "openai"])("a provider (%s) that fails in the middle of its answer", (provider) => {
  test.each(AFTER_THE_FIRST_BYTE)("with $name ends the stream with an error event", async ({ how, expected, env }) => {
    await using test = await startTestServer({ script: () => ({ ...LONG, fault: how }), env });
    const events = await collect(test.client.stream(provider, REQUEST));
    expect(events.at(-1)).toEqual({ type: "error", error: expect.objectContaining(expected) });
    expect(events.filter((event) => event.type === "error" || event.type === "completed")).toHaveLength(1);
  });
});

test("a provider that is down is named, and the person is told what to do", async () => {
  await using test = await startTestServer();
  await test.model.refuseConnections();
  const [event] = await collect(test.client.stream("anthropic", REQUEST));
  expect(event).toMatchObject({
    type: "error",
    error: {
      code: "network",
      message: `The provider anthropic at ${test.model.url} refused the connection: try again, or check its address on the server.`,
    },
  });
});
