import type { LlmRequest } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseLlmRequest } from "./llm-request.ts";
import { llmRequest } from "./schemas/llm-request.ts";

const text = fc.record({ type: fc.constant("text" as const), text: fc.string() });
const image = fc.record({ type: fc.constant("image" as const), mediaType: fc.string(), data: fc.string() });
const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });

const toolResult = fc.record({
  type: fc.constant("tool_result" as const),
  toolCallId: fc.string(),
  content: fc.array(fc.oneof(text, image), { maxLength: 2 }),
  isError: fc.boolean(),
});

const thinking = fc.record(
  { type: fc.constant("thinking" as const), text: fc.string(), signature: fc.string(), redactedData: fc.string() },
  { requiredKeys: ["type", "text"] },
);

const toolUse = fc.record(
  {
    type: fc.constant("tool_use" as const),
    id: fc.string(),
    name: fc.string(),
    input: json,
    malformedInput: fc.string(),
  },
  { requiredKeys: ["type", "id", "name", "input"] },
);

const message = fc.oneof(
  fc.record({
    role: fc.constant("user" as const),
    content: fc.array(fc.oneof(text, image, toolResult), { maxLength: 3 }),
  }),
  fc.record({
    role: fc.constant("assistant" as const),
    content: fc.array(fc.oneof(text, thinking, toolUse), { maxLength: 3 }),
  }),
);

const request = fc.record(
  {
    model: fc.string({ minLength: 1, maxLength: 200 }),
    system: fc.string(),
    messages: fc.array(message, { minLength: 1, maxLength: 3 }),
    tools: fc.array(fc.record({ name: fc.string({ minLength: 1 }), description: fc.string(), inputSchema: json }), {
      maxLength: 2,
    }),
    maxTokens: fc.integer({ min: 1 }),
    temperature: fc.double({ min: 0, max: 2, noNaN: true }),
  },
  { requiredKeys: ["model", "system", "messages", "tools", "maxTokens"] },
);

/** What can stand in the place of a value: the usual mistakes, and values that are right elsewhere. */
const replacement = fc.oneof(
  fc.constantFrom<unknown>(null, "", "user", "text", "tool_use", 0, -1, 1.5, 2 ** 60, true, [], {}, [{}], [null]),
  fc.jsonValue({ maxDepth: 1 }),
);

type Mutation = {
  readonly path: readonly number[];
  readonly how: "replace" | "remove" | "add";
  readonly value: unknown;
};

const mutation: fc.Arbitrary<Mutation> = fc.record({
  path: fc.array(fc.nat(20), { maxLength: 6 }),
  how: fc.constantFrom("replace" as const, "remove" as const, "add" as const),
  value: replacement,
});

/** Walks down by the numbers, modulo what there is, and changes what it finds. */
function mutated(value: unknown, { path, how, value: fresh }: Mutation): unknown {
  const [step, ...rest] = path;
  if (typeof value !== "object" || value === null || step === undefined) return how === "replace" ? fresh : value;
  const keys = Object.keys(value);
  if (how === "add" && rest.length === 0 && !Array.isArray(value)) return { ...value, surprise: fresh };
  const key = keys[step % Math.max(keys.length, 1)];
  if (key === undefined) return value;
  if (how === "remove" && rest.length === 0 && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
  }
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = mutated(copy[key], { path: rest, how, value: fresh });
  return copy;
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe("the check by hand", () => {
  test("lets every request through and changes nothing of it", () => {
    fc.assert(
      fc.property(request, (value) => {
        const body = asJson(value);
        expect(parseLlmRequest(body)).toEqual({ ok: true, value: body });
        expect(llmRequest.safeParse(body)).toEqual({ success: true, data: body });
      }),
    );
  });

  test("agrees with the schema about requests with something wrong in them", () => {
    fc.assert(
      fc.property(request, fc.array(mutation, { minLength: 1, maxLength: 2 }), (value, mutations) => {
        const body = asJson(mutations.reduce<unknown>(mutated, value));
        expect(parseLlmRequest(body).ok).toBe(llmRequest.safeParse(body).success);
      }),
      { numRuns: 2_000 },
    );
  });

  test("agrees with the schema about anything at all", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        expect(parseLlmRequest(body).ok).toBe(llmRequest.safeParse(body).success);
      }),
    );
  });

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "knows no field and no kind called %s",
    (name) => {
      const body = `{"model":"m","system":"","tools":[],"maxTokens":1,"messages":[{"role":"user","content":[]}],"${name}":{}}`;
      expect(parseLlmRequest(JSON.parse(body)).ok).toBe(false);
      const kind = { role: name, content: [] } as unknown as LlmRequest["messages"][number];
      expect(parseLlmRequest({ ...JSON.parse("{}"), messages: [kind] }).ok).toBe(false);
    },
  );
});
