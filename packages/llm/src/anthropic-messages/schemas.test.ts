import type { JsonObject, LlmRequest } from "@loom/core";
import { describe, expect, test } from "vitest";
import { gemini, openAiResponses } from "../index.ts";
import { asArray, asObject } from "../json-reader.ts";
import { anthropicMessages } from "./codec.ts";

const BARE: LlmRequest = {
  model: "claude-sonnet-4-5",
  system: "",
  messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  tools: [],
  maxTokens: 100,
};

function encode(change: Partial<LlmRequest>) {
  return anthropicMessages.encodeRequest({ ...BARE, ...change }, { stream: false });
}

function answersBy(schema: JsonObject) {
  const encoded = encode({ output: { type: "json_schema", name: "answer", schema } });
  if (!encoded.ok) return { problem: encoded.problem };
  const format = asObject(asObject(encoded.body.output_config)?.format);
  return { schema: format?.schema, leftOut: encoded.leftOut };
}

function callsBy(inputSchema: JsonObject, more: { readonly strict?: boolean } = {}) {
  const encoded = encode({ tools: [{ name: "f", description: "", inputSchema, ...more }] });
  if (!encoded.ok) return { problem: encoded.problem };
  const { input_schema: schema, strict } = asObject(asArray(encoded.body.tools)[0]) ?? {};
  return { schema, strict, leftOut: encoded.leftOut };
}

const object = (properties: JsonObject, more: JsonObject = {}) => ({ type: "object", properties, ...more });
const shut = (properties: JsonObject, more: JsonObject = {}) => ({
  ...object(properties, more),
  additionalProperties: false,
});
const A = { type: "string" };
const B = { type: "integer" };

describe("the schema of an answer", () => {
  test.each<[string, JsonObject, JsonObject]>([
    ["bounds of numbers", { type: "integer", minimum: 1, maximum: 9 }, { type: "integer" }],
    ["multiples", { type: "number", multipleOf: 0.5 }, { type: "number" }],
    ["lengths", { type: "string", minLength: 1, maxLength: 9 }, { type: "string" }],
    ["counts", { type: "array", items: A, minItems: 2, maxItems: 3 }, { type: "array", items: A }],
    ["formats of its own", { type: "string", format: "color" }, { type: "string" }],
    ["patterns that look around", { type: "string", pattern: "(?=a)" }, { type: "string" }],
    ["what else may be in an object", object({ b: B }, { additionalProperties: A }), shut({ b: B })],
  ])("has %s in the description, and that is named", (_name, given, held) => {
    const told = Object.fromEntries(
      Object.entries(given).filter(([key]) => !(key in held) || key === "additionalProperties"),
    );
    expect(answersBy(object({ a: { ...given, description: "An a." } }))).toEqual({
      schema: shut({ a: { ...held, description: `An a.\n\n${JSON.stringify(told)}` } }),
      leftOut: ["parts of schemas"],
    });
  });

  test("is as it was where Claude is held to all of it, but for what says nothing", () => {
    const schema = shut(
      {
        a: { type: "array", items: { $ref: "#/$defs/x" }, minItems: 1 },
        b: { anyOf: [{ type: "string", format: "date", pattern: "^\\d+$" }, { type: "null" }] },
        c: { enum: ["x", 1, null] },
      },
      { $defs: { x: shut({ a: A }) }, required: ["a"] },
    );
    expect(answersBy({ $schema: "http://json-schema.org/draft-07/schema#", ...schema })).toEqual({
      schema,
      leftOut: undefined,
    });
  });

  test("has the parts of an allOf in one, so that something fits", () => {
    const base = object({ a: A }, { required: ["a"] });
    const schema = {
      allOf: [{ $ref: "#/$defs/base" }, object({ b: B }, { required: ["b"] })],
      $defs: { base },
    };
    expect(answersBy(schema).schema).toEqual(
      shut({ a: A, b: B }, { required: ["a", "b"], $defs: { base: shut({ a: A }, { required: ["a"] }) } }),
    );
    expect(
      answersBy(object({ a: { description: "An a.", allOf: [{ $ref: "#/$defs/base" }] } }, { $defs: { base } })),
    ).toMatchObject({
      schema: { properties: { a: { description: "An a.", anyOf: [{ $ref: "#/$defs/base" }] } } },
      leftOut: undefined,
    });
    expect(answersBy({ allOf: [A, B] }).problem).toMatch(/^output has a schema with an allOf whose parts contradict/);
    expect(answersBy({ allOf: [shut({ a: A }), object({ b: B })] }).problem).toMatch(
      /^output has a schema with an allOf/,
    );
  });

  test("closes no object around a choice of objects", () => {
    const choice = [object({ a: A }), object({ b: B })];
    const held = [shut({ a: A }), shut({ b: B })];
    expect(answersBy({ type: "object", anyOf: choice })).toEqual({ schema: { anyOf: held }, leftOut: undefined });
    expect(answersBy({ oneOf: choice })).toEqual({ schema: { anyOf: held }, leftOut: ["parts of schemas"] });
    const required = [{ required: ["a"] }, { required: ["b"] }];
    expect(answersBy(object({ a: A, b: B }, { anyOf: required }))).toEqual({
      schema: shut({ a: A, b: B }, { description: JSON.stringify({ anyOf: required }) }),
      leftOut: ["parts of schemas"],
    });
  });

  test.each<[string, JsonObject, RegExp]>([
    ["holds itself", object({ next: { $ref: "#" } }), /refers to itself/],
    [
      "holds itself by way of another",
      { $ref: "#/$defs/a", $defs: { a: object({ b: { $ref: "#/$defs/b" } }), b: { items: { $ref: "#/$defs/a" } } } },
      /refers to itself/,
    ],
    ["has any names", { type: "object", additionalProperties: A }, /may have any name/],
  ])("is refused where it %s", (_name, schema, problem) => {
    expect(answersBy(schema).problem).toMatch(problem);
  });

  test("is refused where its references double without an end in sight", () => {
    const $defs: Record<string, JsonObject> = { s0: object({ a: A }) };
    for (let step = 1; step < 40; step += 1) {
      const ref = { $ref: `#/$defs/s${step - 1}` };
      $defs[`s${step}`] = {
        allOf: [
          { ...ref, title: "x" },
          { ...ref, title: "y" },
        ],
      };
    }
    expect(answersBy({ $ref: "#/$defs/s39", $defs }).problem).toMatch(/10,000 parts/);
  });
});

describe("the schema of a tool", () => {
  test("is always one of an object", () => {
    expect(callsBy({})).toEqual({ schema: { type: "object" }, strict: undefined, leftOut: undefined });
    expect(callsBy({ type: ["object", "null"] }).schema).toEqual({ type: "object" });
    expect(callsBy({ $ref: "#/$defs/a", $defs: { a: object({ a: A }) } }).schema).toEqual(
      object({ a: A }, { $defs: { a: object({ a: A }) } }),
    );
    expect(callsBy({ type: "string" }).problem).toBe(
      "tools.0 has a schema of something else than an object, and tools take objects only.",
    );
  });

  test("has no choice at its top: it stands in the description, and that is named", () => {
    const anyOf = [{ required: ["a"] }, { required: ["b"] }];
    expect(callsBy({ properties: { a: A, b: B }, anyOf })).toEqual({
      schema: { type: "object", properties: { a: A, b: B }, description: JSON.stringify({ anyOf }) },
      strict: undefined,
      leftOut: ["parts of schemas"],
    });
    expect(callsBy({ allOf: [object({ a: A }), object({ b: B })] })).toMatchObject({
      schema: object({ a: A, b: B }),
      leftOut: undefined,
    });
  });

  test.each<[string, JsonObject]>([
    ["bounds", shut({ a: { type: "integer", minimum: 1 } })],
    ["a choice of one", shut({ a: { oneOf: [A, B] } })],
    ["itself in it", shut({ a: { $ref: "#" } })],
    ["objects of any names", shut({ a: { type: "object", additionalProperties: A } })],
    ["nothing in it", {}],
  ])("is not strict with %s, and that is named", (_name, schema) => {
    expect(callsBy(schema, { strict: true })).toMatchObject({ strict: false, leftOut: ["strict schemas"] });
    expect(callsBy(shut({ a: A }), { strict: true })).toMatchObject({ strict: true, leftOut: undefined });
  });
});

test("references in Gemini's own kind of schema mean the same to others", () => {
  const parameters = {
    type: "OBJECT",
    properties: { ref: { ref: "#/defs/city" } },
    defs: { city: { type: "STRING" } },
  };
  const decoded = gemini.decodeRequest(
    JSON.stringify({
      contents: [{ role: "user", parts: [{ text: "Hi" }] }],
      tools: [{ functionDeclarations: [{ name: "f", parameters }] }],
    }),
  );
  const schema = { type: "object", properties: { ref: { $ref: "#/$defs/city" } }, $defs: { city: { type: "string" } } };
  const { tools = [] } = decoded.ok ? decoded.request : {};
  expect(tools).toMatchObject([{ inputSchema: schema }]);
  expect(encode({ tools })).toMatchObject({ body: { tools: [{ input_schema: schema }] } });
  expect(openAiResponses.encodeRequest({ ...BARE, tools }, { stream: false })).toMatchObject({
    body: { tools: [{ parameters: schema }] },
  });
});
