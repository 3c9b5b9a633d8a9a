import type { LlmRequest, Message } from "@loom/core";
import { describe, expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { anthropicMessages } from "./codec.ts";

const BARE: LlmRequest = {
  model: "claude-sonnet-4-5",
  system: "",
  messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  tools: [{ name: "bash", description: "", inputSchema: { type: "object" } }],
  maxTokens: 16_000,
};

const BEGUN: Message = { role: "assistant", content: [{ type: "text", text: "{" }] };

function encode(change: Partial<LlmRequest>) {
  const { model, messages, max_tokens, tools, ...settings } = bodyOf(
    anthropicMessages.encodeRequest({ ...BARE, ...change }, { stream: false }),
  );
  return settings;
}

function problemOf(change: Partial<LlmRequest>) {
  const encoded = anthropicMessages.encodeRequest({ ...BARE, ...change }, { stream: false });
  return encoded.ok ? undefined : encoded.problem;
}

function leftOut(change: Partial<LlmRequest>) {
  const encoded = anthropicMessages.encodeRequest({ ...BARE, ...change }, { stream: false });
  return encoded.ok ? encoded.leftOut : undefined;
}

describe("thinking", () => {
  const on = { type: "on", effort: "high" } as const;
  const bound = (budget_tokens: number) => ({ thinking: { type: "enabled", budget_tokens } });
  const adaptive = { thinking: { type: "adaptive" } };

  test.each([
    ["claude-3-7-sonnet-latest", bound(8_000)],
    ["claude-opus-4-1-20250805", bound(8_000)],
    ["claude-sonnet-4@20250514", bound(8_000)],
    ["claude-haiku-4-5-20251001", bound(8_000)],
    ["claude-opus-4-5", { ...bound(8_000), output_config: { effort: "high" } }],
    ["anthropic/claude-opus-4.6", { ...adaptive, output_config: { effort: "high" } }],
    ["claude-opus-4-8", { ...adaptive, output_config: { effort: "high" } }],
    ["claude-sonnet-5", { ...adaptive, output_config: { effort: "high" } }],
    ["claude-mythos-preview", { ...adaptive, output_config: { effort: "high" } }],
    ["glm-5.3", bound(8_000)],
  ])("is asked of %s in the words that it knows", (model, settings) => {
    expect(encode({ model, thinking: on })).toEqual(settings);
  });

  test.each([
    ["claude-opus-4-8", {}],
    ["claude-opus-5", { thinking: { type: "disabled" } }],
    ["claude-sonnet-5-5", { thinking: { type: "disabled" } }],
    ["claude-opus-5-5", { output_config: { effort: "low" } }],
    ["claude-fable-5", { output_config: { effort: "low" } }],
  ])("is turned off for %s, or down where it cannot be", (model, settings) => {
    expect(encode({ model, thinking: { type: "off" } })).toEqual(settings);
  });

  test("has the bound that was asked for, within what the provider takes and the answer leaves", () => {
    const budget = (budgetTokens: number, maxTokens: number) =>
      encode({ maxTokens, thinking: { type: "on", budgetTokens } }).thinking;
    expect(budget(5_000, 16_000)).toEqual({ type: "enabled", budget_tokens: 5_000 });
    expect(budget(10, 16_000)).toEqual({ type: "enabled", budget_tokens: 1_024 });
    expect(budget(1_999, 2_000)).toEqual({ type: "enabled", budget_tokens: 1_999 });
    expect(budget(50_000, 3_000)).toEqual({ type: "enabled", budget_tokens: 1_500 });
    expect(budget(50_000, 2_048)).toEqual({ type: "enabled", budget_tokens: 1_024 });
    for (const maxTokens of [2_000, 1_000]) {
      const request: LlmRequest = { ...BARE, maxTokens, thinking: on };
      const encoded = anthropicMessages.encodeRequest(request, { stream: false });
      expect(bodyOf(encoded).thinking).toBeUndefined();
      expect(encoded).toMatchObject({ leftOut: ["thinking"] });
    }
  });

  test.each([
    ["claude-sonnet-4-5", 64_000, 24_576],
    ["claude-opus-4-1", 32_000, 16_000],
    ["claude-3-7-sonnet-latest", 64_000, 24_576],
    ["glm-5.3", 8_192, 4_096],
  ])("of %s leaves room for an answer where nobody set a bound", (model, max_tokens, budget_tokens) => {
    const { maxTokens: _, ...unbound } = BARE;
    const body = bodyOf(anthropicMessages.encodeRequest({ ...unbound, model, thinking: on }, { stream: false }));
    expect(body).toMatchObject({ max_tokens, thinking: { budget_tokens } });
  });

  test.each<[string, Partial<LlmRequest>]>([
    ["a call is a must", { toolChoice: { type: "required" } }],
    ["a call of one tool is a must", { toolChoice: { type: "tool", name: "bash" }, model: "claude-opus-4-6" }],
    ["the answer has begun", { messages: [...BARE.messages, BEGUN] }],
  ])("is left out where %s, since both is refused, and named", (_name, change) => {
    expect(encode({ ...change, thinking: on })).not.toHaveProperty("thinking");
    expect(leftOut({ ...change, thinking: on })).toEqual(["thinking"]);
  });

  test("stays where a call is a must of a model that thinks unasked", () => {
    const change = { model: "claude-sonnet-5", thinking: on, toolChoice: { type: "required" } } as const;
    expect(encode(change)).toMatchObject({ ...adaptive, tool_choice: { type: "any" } });
    expect(leftOut(change)).toBeUndefined();
  });

  test("becomes an effort where a model takes no bound, and the nearest one that the model has", () => {
    const effort = (model: string, thinking: LlmRequest["thinking"]) =>
      encode({ model, ...(thinking === undefined ? {} : { thinking }) }).output_config;
    expect(effort("claude-opus-4-8", { type: "on", budgetTokens: 4_000 })).toEqual({ effort: "low" });
    expect(effort("claude-opus-4-8", { type: "on", budgetTokens: 31_999 })).toEqual({ effort: "high" });
    expect(effort("claude-opus-4-8", { type: "on", effort: "minimal" })).toEqual({ effort: "low" });
    expect(effort("claude-opus-4-6", { type: "on", effort: "xhigh" })).toEqual({ effort: "high" });
    expect(effort("claude-opus-4-8", { type: "on" })).toBeUndefined();
  });

  test("is shown or not, as asked", () => {
    expect(encode({ model: "claude-opus-5", thinking: { type: "on", visible: true } }).thinking).toEqual({
      type: "adaptive",
      display: "summarized",
    });
    expect(encode({ model: "claude-opus-5", thinking: { type: "on", visible: false } }).thinking).toEqual({
      type: "adaptive",
      display: "omitted",
    });
  });
});

test.each([
  ["claude-instant-1.2", 4_096],
  ["claude-3-haiku-20240307", 4_096],
  ["claude-3-5-sonnet-latest", 8_192],
  ["claude-sonnet-4@20250514", 64_000],
  ["claude-opus-4-20250514", 32_000],
  ["claude-haiku-4-5", 64_000],
  ["claude-opus-5-5", 64_000],
])("%s gets a bound that it takes where nobody set one", (model, max_tokens) => {
  const { maxTokens: _, ...unbound } = BARE;
  expect(bodyOf(anthropicMessages.encodeRequest({ ...unbound, model }, { stream: false }))).toMatchObject({
    max_tokens,
  });
});

describe("sampling", () => {
  const sampling = { temperature: 0.5, topP: 0.9, topK: 40 };
  const wire = { temperature: 0.5, top_p: 0.9, top_k: 40 };

  test("is set where the model takes it, and named where it does not", () => {
    expect(encode({ ...sampling, model: "claude-sonnet-4-0" })).toEqual(wire);
    expect(encode({ ...sampling, model: "claude-opus-4-8" })).toEqual({});
    expect(leftOut({ ...sampling, model: "claude-opus-4-8" })).toEqual(["temperature", "top_p", "top_k"]);
    expect(leftOut({ temperature: 1, topP: 1, model: "claude-opus-4-8" })).toBeUndefined();
  });

  test.each(["claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-6"])(
    "has no top_p beside a temperature for %s, which takes one of the two",
    (model) => {
      expect(encode({ model, temperature: 0.5, topP: 0.9 })).toEqual({ temperature: 0.5 });
      expect(leftOut({ model, temperature: 0.5, topP: 0.9 })).toEqual(["top_p"]);
      expect(encode({ model, topP: 0.9 })).toEqual({ top_p: 0.9 });
      expect(leftOut({ model, topP: 0.9 })).toBeUndefined();
    },
  );

  test("is left out where the model thinks, since both is refused", () => {
    expect(encode({ ...sampling, thinking: { type: "on", budgetTokens: 2_000 } })).not.toHaveProperty("temperature");
    expect(encode({ ...sampling, model: "glm-5.3", thinking: { type: "off" } })).toEqual(wire);
  });
});

describe("the choice of a tool", () => {
  test.each<[Partial<LlmRequest>, object | undefined]>([
    [{}, undefined],
    [{ parallelToolCalls: true }, undefined],
    [{ parallelToolCalls: false }, { type: "auto", disable_parallel_tool_use: true }],
    [{ toolChoice: { type: "auto" } }, { type: "auto" }],
    [{ toolChoice: { type: "none" }, parallelToolCalls: false }, { type: "none" }],
    [{ toolChoice: { type: "required" } }, { type: "any" }],
    [
      { toolChoice: { type: "tool", name: "bash" }, parallelToolCalls: false },
      { type: "tool", name: "bash", disable_parallel_tool_use: true },
    ],
    [{ toolChoice: { type: "auto" }, tools: [] }, undefined],
  ])("%j", (change, choice) => {
    expect(encode(change).tool_choice).toEqual(choice);
  });

  test.each(["claude-opus-5-5", "claude-fable-5-1", "claude-sonnet-5-5"])("cannot be forced on %s", (model) => {
    expect(problemOf({ model, toolChoice: { type: "required" } })).toBe(
      `toolChoice asks for a call, which ${model} cannot be made to do: let the model choose.`,
    );
    expect(problemOf({ model, toolChoice: { type: "auto" } })).toBeUndefined();
  });

  test("of none is refused where one is asked for", () => {
    expect(problemOf({ toolChoice: { type: "required" }, tools: [] })).toMatch(/^toolChoice asks for a tool/);
  });
});

describe("the form of the answer", () => {
  test("is a schema, with what it is for inside", () => {
    const schema = { type: "object", properties: {}, additionalProperties: false };
    expect(encode({ output: { type: "json_schema", name: "city", schema, description: "A city." } })).toEqual({
      output_config: { format: { type: "json_schema", schema: { ...schema, description: "A city." } } },
    });
  });

  test("is refused as JSON of any kind", () => {
    expect(problemOf({ output: { type: "json" } })).toMatch(/^output asks for JSON without a schema/);
  });
});

test("stop sequences go out as they are, and those of white space are refused", () => {
  expect(encode({ stopSequences: ["END"] })).toEqual({ stop_sequences: ["END"] });
  expect(encode({ stopSequences: [] })).toEqual({});
  expect(problemOf({ stopSequences: ["END", "\n\n"] })).toMatch(/^stopSequences.1 is white space only/);
});

test("whom the client asks for goes out, at a length that the provider takes", () => {
  expect(encode({ userId: "user_1" })).toEqual({ metadata: { user_id: "user_1" } });
  const long = encode({ userId: "x".repeat(999) });
  expect(JSON.stringify(long).length).toBeLessThan(300);
  expect(long).not.toEqual(encode({ userId: `${"x".repeat(998)}y` }));
});

test("tools that run at the provider go to their own provider only", () => {
  const definition = { type: "web_search_20250305", name: "web_search" };
  const asked = (dialect: string) =>
    anthropicMessages.encodeRequest({ ...BARE, providerTools: [{ dialect, definition }] }, { stream: false });
  expect(bodyOf(asked("anthropic")).tools).toMatchObject([{ name: "bash" }, definition]);
  expect(asked("gemini")).toEqual({
    ok: false,
    problem:
      "providerTools.0 holds a tool (web_search_20250305) that only Gemini generateContent knows, " +
      "and cannot be sent to a model that speaks Anthropic Messages.",
  });
});

describe("what cannot be shown is refused with a sentence", () => {
  const shown = (block: LlmRequest["messages"][0]["content"][number]) =>
    problemOf({
      messages: [
        { role: "user", content: [{ type: "text", text: "Hi" }] },
        { role: "assistant", content: [{ type: "text", text: "Yes?" }] },
        { role: "user", content: [block] },
      ] as LlmRequest["messages"],
    });

  test("a document of another kind", () => {
    const source = { type: "base64", mediaType: "application/msword", data: "0M8R" } as const;
    expect(shown({ type: "document", source })).toBe(
      'messages.2 holds a document of the type "application/msword": Anthropic Messages takes PDFs and text.',
    );
  });

  test("text that is none", () => {
    const source = { type: "base64", mediaType: "text/plain", data: "/w==" } as const;
    expect(shown({ type: "document", source })).toBe("messages.2 must be UTF-8 text in base64.");
  });

  test("a file of another provider", () => {
    expect(shown({ type: "remote_image", source: { type: "file", fileId: "file-abc" } })).toMatch(
      /^messages.2 names a file that lies at another provider/,
    );
  });

  test("a part of another dialect", () => {
    expect(shown({ type: "opaque", dialect: "responses", data: { type: "item_reference" } })).toMatch(
      /^messages.2 holds a part \(item_reference\) that only OpenAI Responses knows/,
    );
  });
});
