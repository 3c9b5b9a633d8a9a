import type { JsonObject, LlmRequest } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages, gemini, type LlmCodec, openAiChat, openAiResponses } from "./index.ts";
import { isStrictForOpenAi } from "./strict-schema.ts";
import { bodyOf } from "./wire.testing.ts";

const OPEN = { type: "object", properties: { a: { type: "object", properties: { b: { type: "string" } } } } };
const B = { type: "object", properties: { b: { type: "string" } }, additionalProperties: false };
const CLOSED = { type: "object", properties: { a: B }, additionalProperties: false };
const STRICT = {
  type: "object",
  properties: { a: { anyOf: [{ ...B, required: ["b"] }, { type: "null" }] } },
  required: ["a"],
  additionalProperties: false,
};
const holding = (a: JsonObject) => ({ ...STRICT, properties: { a } });
/** Closed and with all required, but with words that OpenAI refuses in a schema that is to be held to. */
const NOT_HELD: readonly JsonObject[] = [
  holding({ oneOf: [{ type: "string" }, { type: "null" }] }),
  holding({ allOf: [{ type: "string" }] }),
  holding({ type: "array", items: { not: { type: "string" } } }),
  holding({ type: "array", items: { type: "string" }, uniqueItems: true }),
  holding({ type: "string", default: "b" }),
  { ...holding({ $ref: "#/$defs/b", description: "A b." }), $defs: { b: { type: "string" } } },
  { ...STRICT, anyOf: [STRICT] },
];

function decoded(body: JsonObject): LlmRequest {
  const contents = [{ role: "user", parts: [{ text: "Hi" }] }];
  const request = gemini.decodeRequest(JSON.stringify({ contents, ...body }));
  if (!request.ok) throw new Error(request.problem);
  return request.request;
}

function encoded(codec: LlmCodec, request: LlmRequest) {
  const wire = codec.encodeRequest(request, { stream: false });
  return { body: JSON.stringify(bodyOf(wire)), leftOut: wire.ok ? wire.leftOut : undefined };
}

const answersBy = (responseJsonSchema: JsonObject) =>
  decoded({ generationConfig: { responseMimeType: "application/json", responseJsonSchema } });
const callsBy = (parametersJsonSchema: JsonObject) =>
  decoded({
    tools: [{ functionDeclarations: [{ name: "f", parametersJsonSchema }] }],
    toolConfig: { functionCallingConfig: { mode: "VALIDATED" } },
  });

describe.each([
  ["Chat Completions", openAiChat],
  ["Responses", openAiResponses],
])("OpenAI's strict mode (%s)", (_name, codec) => {
  test.each([
    ["answers", answersBy],
    ["calls", callsBy],
  ])("is asked for where the schema of %s is one that it takes, and named where it is not", (_of, request) => {
    expect(encoded(codec, request(STRICT))).toMatchObject({
      body: expect.stringContaining('"strict":true'),
      leftOut: undefined,
    });
    for (const schema of [OPEN, CLOSED, { ...STRICT, required: [] }, { anyOf: [STRICT] }, {}, ...NOT_HELD]) {
      expect(encoded(codec, request(schema))).toMatchObject({
        body: expect.stringContaining('"strict":false'),
        leftOut: ["strict schemas"],
      });
    }
  });
});

test("each name is looked at a few times, and a schema once, however often it is asked about", () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `p${index}`);
  let looks = 0;
  const required = new Proxy(names, {
    get(target, key, receiver) {
      looks += 1;
      return Reflect.get(target, key, receiver);
    },
  });
  const properties = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  const schema = { type: "object", properties, required, additionalProperties: false };
  expect(isStrictForOpenAi(schema)).toBe(true);
  expect(looks).toBeLessThan(5 * names.length);
  const once = looks;
  expect(isStrictForOpenAi(schema)).toBe(true);
  expect(looks).toBe(once);
});

describe("Claude", () => {
  test("is held to calls by schemas whose objects are closed", () => {
    for (const schema of [CLOSED, STRICT]) {
      expect(encoded(anthropicMessages, callsBy(schema)).body).toContain('"strict":true');
    }
    expect(encoded(anthropicMessages, callsBy(OPEN))).toMatchObject({
      body: expect.stringContaining('"strict":false'),
      leftOut: ["strict schemas"],
    });
  });

  test("gets the schema of answers with its objects closed", () => {
    expect(encoded(anthropicMessages, answersBy(OPEN))).toMatchObject({
      body: expect.stringContaining(JSON.stringify({ ...OPEN, properties: { a: B }, additionalProperties: false })),
      leftOut: undefined,
    });
  });
});
