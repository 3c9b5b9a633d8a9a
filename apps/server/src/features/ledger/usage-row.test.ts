import { expect, test } from "vitest";
import { durationClass } from "./duration-class.ts";
import { entry } from "./ledger.testing.ts";
import { USAGE_COLUMNS } from "./migrations.ts";
import { pathOf, valuesOf } from "./usage-row.ts";

const FULL = entry("req-1", {
  at: 1_700_000_000_000.4,
  subject: "a subject",
  nodes: [{ kind: "token", id: "token-1" }],
  session: "a session",
  client: "a client",
  dialect: "chat",
  upstream: "openai",
  credentialId: "a credential",
  requestedModel: "asked",
  model: "answered",
  route: "a route",
  attempts: 2,
  usage: {
    inputTokens: 3,
    outputTokens: 4,
    cacheReadTokens: 5,
    cacheWriteTokens: 6,
    cacheWriteLongTokens: 7,
    reasoningTokens: 8,
  },
  estimated: true,
  costMicroUsd: 9,
  priceVersion: "a price",
  latencyMs: 10_000,
  firstByteMs: 11,
  status: 502,
  outcome: "failed",
  errorCode: "network",
  details: { webSearches: 12 },
});

test("every value of a row stands in its column", () => {
  const values = valuesOf(FULL);
  const names = Object.keys(USAGE_COLUMNS);
  expect(values).toHaveLength(names.length);
  expect(Object.fromEntries(names.map((name, index) => [name, values[index]]))).toEqual({
    id: "req-1",
    at_ms: 1_700_000_000_000,
    subject: "a subject",
    path: pathOf(FULL.nodes),
    session: "a session",
    client: "a client",
    dialect: "chat",
    upstream: "openai",
    credential: "a credential",
    requested_model: "asked",
    model: "answered",
    route: "a route",
    attempts: 2,
    input_tokens: 3,
    output_tokens: 4,
    cache_read_tokens: 5,
    cache_write_tokens: 6,
    cache_write_long_tokens: 7,
    reasoning_tokens: 8,
    estimated: 1,
    cost_micro_usd: 9,
    price_version: "a price",
    latency_ms: 10_000,
    first_byte_ms: 11,
    latency_class: durationClass(10_000),
    first_byte_class: durationClass(11),
    status: 502,
    outcome: "failed",
    error_code: "network",
    details: '{"webSearches":12}',
  });
});

test("a path is known from its nodes alone", () => {
  const paths = [1, 2, 1].map((id) => pathOf([{ kind: "token", id: `token-${id}` }]));
  expect(paths[0]).toBe(paths[2]);
  expect(paths[1]).not.toBe(paths[0]);
  expect(pathOf([])).toBe("");
});
