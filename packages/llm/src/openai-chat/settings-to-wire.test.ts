import type { LlmRequest, UserContent } from "@loom/core";
import { describe, expect, test } from "vitest";
import { bodyOf } from "../wire.testing.ts";
import { openAiChat, openAiChatCodec } from "./codec.ts";

const BARE: LlmRequest = {
  model: "gpt-5.2",
  system: "",
  messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
  tools: [{ name: "bash", description: "", inputSchema: { type: "object" } }],
  maxTokens: 100,
};

function encode(change: Partial<LlmRequest>, codec = openAiChat) {
  const { model, messages, max_tokens, max_completion_tokens, tools, ...settings } = bodyOf(
    codec.encodeRequest({ ...BARE, ...change }, { stream: false }),
  );
  return settings;
}

function problemOf(change: Partial<LlmRequest>) {
  const encoded = openAiChat.encodeRequest({ ...BARE, ...change }, { stream: false });
  return encoded.ok ? undefined : encoded.problem;
}

describe("thinking", () => {
  test.each<[string, LlmRequest["thinking"], string | undefined]>([
    ["gpt-5", { type: "on", effort: "minimal" }, "minimal"],
    ["gpt-5", { type: "on", effort: "max" }, "high"],
    ["gpt-5", { type: "off" }, "minimal"],
    ["o3", { type: "off" }, "low"],
    ["gpt-5.2", { type: "on", effort: "max" }, "xhigh"],
    ["openai/gpt-5.2", { type: "on", budgetTokens: 4_000 }, "low"],
    ["gpt-5.2", { type: "off" }, "none"],
    ["gpt-5.2", { type: "on" }, undefined],
    ["gpt-4.1", { type: "on", effort: "high" }, undefined],
    ["gpt-4.1", { type: "off" }, undefined],
    ["qwen3", { type: "on", effort: "max" }, "high"],
    ["qwen3", { type: "off" }, undefined],
    ["openai/gpt-oss-120b", { type: "on", effort: "max" }, "high"],
    ["openai/gpt-oss-120b", { type: "off" }, "low"],
  ])("of %s: %j", (model, thinking, effort) => {
    expect(encode({ model, ...(thinking === undefined ? {} : { thinking }) }).reasoning_effort).toBe(effort);
  });

  test("is named where there are no words for it", () => {
    const leftOut = (model: string, thinking: NonNullable<LlmRequest["thinking"]>, codec = openAiChat) => {
      const encoded = codec.encodeRequest({ ...BARE, model, thinking }, { stream: false });
      return encoded.ok ? encoded.leftOut : encoded.problem;
    };
    expect(leftOut("llama-4", { type: "off" })).toEqual(["thinking"]);
    expect(leftOut("llama-4", { type: "on" })).toEqual(["thinking"]);
    expect(leftOut("gpt-4.1", { type: "on", effort: "low" })).toEqual(["thinking"]);
    expect(leftOut("llama-4", { type: "on", effort: "low" })).toBeUndefined();
    expect(leftOut("qwen3", { type: "on" })).toBeUndefined();
    const kimi = openAiChatCodec({ thinkingParameter: "thinking" });
    expect(leftOut("kimi", { type: "on", budgetTokens: 1_024 }, kimi)).toEqual(["how much to think"]);
    expect(leftOut("kimi", { type: "on" }, kimi)).toBeUndefined();
  });

  test("is asked for in the words of the server", () => {
    const zai = openAiChatCodec({ maxTokensField: "max_tokens", thinkingParameter: "thinking" });
    expect(encode({ thinking: { type: "on", effort: "low" } }, zai)).toEqual({ thinking: { type: "enabled" } });
    expect(encode({ thinking: { type: "off" } }, zai)).toEqual({ thinking: { type: "disabled" } });
    const openRouter = openAiChatCodec({ maxTokensField: "max_tokens", thinkingParameter: "reasoning" });
    const reasoning = (thinking: NonNullable<LlmRequest["thinking"]>) => encode({ thinking }, openRouter).reasoning;
    expect(reasoning({ type: "off" })).toEqual({ enabled: false });
    expect(reasoning({ type: "on", visible: false })).toEqual({ enabled: true, exclude: true });
    expect(reasoning({ type: "on", budgetTokens: 9_000 })).toEqual({ max_tokens: 9_000 });
    expect(reasoning({ type: "on", effort: "max", budgetTokens: 9_000 })).toEqual({ effort: "xhigh" });
  });
});

describe("sampling", () => {
  const sampling = { temperature: 0.5, topP: 0.9 };
  const wire = { temperature: 0.5, top_p: 0.9 };

  test.each<[string, LlmRequest["thinking"], object]>([
    ["gpt-4.1", undefined, wire],
    ["gpt-5.2", undefined, wire],
    ["gpt-5.2", { type: "off" }, { ...wire, reasoning_effort: "none" }],
    ["gpt-5.2", { type: "on", effort: "low" }, { reasoning_effort: "low" }],
    ["gpt-5-mini", undefined, {}],
    ["o4-mini", undefined, {}],
    ["qwen3", { type: "on", effort: "low" }, { ...wire, reasoning_effort: "low" }],
  ])("of %s is left out where the model would refuse it: %j", (model, thinking, settings) => {
    expect(encode({ model, ...sampling, ...(thinking === undefined ? {} : { thinking }) })).toEqual(settings);
  });

  test("by top_k goes to servers that know it", () => {
    expect(encode({ topK: 40 })).toEqual({});
    expect(encode({ topK: 40 }, openAiChatCodec({ topK: true }))).toEqual({ top_k: 40 });
  });
});

test("a choice among tools is left out where there are none, and refused where one is wanted", () => {
  expect(encode({ tools: [], toolChoice: { type: "auto" }, parallelToolCalls: true })).toEqual({});
  expect(problemOf({ tools: [], toolChoice: { type: "tool", name: "bash" } })).toMatch(/^toolChoice asks for a tool/);
});

test("whom and which session a client names goes out at a length that OpenAI takes", () => {
  const { user, prompt_cache_key: key } = encode({ userId: "u".repeat(150), cacheKey: "s1" });
  expect(user).toHaveLength(64);
  expect(key).toBe("s1");
  expect(encode({ cacheKey: "s1" }, openAiChatCodec({ maxTokensField: "max_tokens" }))).toEqual({});
});

const CLOSED = { type: "object", additionalProperties: false } as const;

test("a schema's name is one that OpenAI takes", () => {
  const output = { type: "json_schema", name: "city & land", schema: CLOSED, strict: true } as const;
  expect(encode({ output }).response_format).toEqual({
    type: "json_schema",
    json_schema: { name: "city___land", schema: CLOSED, strict: true },
  });
});

test("ids of calls that OpenAI finds too long are cut, the same in call and result", () => {
  const id = "x".repeat(60);
  const { messages } = bodyOf(
    openAiChat.encodeRequest(
      {
        ...BARE,
        messages: [
          ...BARE.messages,
          { role: "assistant", content: [{ type: "tool_use", id, name: "bash", input: {} }] },
          { role: "user", content: [{ type: "tool_result", toolCallId: id, content: [], isError: false }] },
        ],
      },
      { stream: false },
    ),
  );
  const text = JSON.stringify(messages);
  const cut = /"tool_call_id":"([^"]*)"/.exec(text)?.[1] ?? "";
  expect(cut).toHaveLength(40);
  expect(text).toContain(`"id":"${cut}"`);
});

test("the seal of a call goes to the server that wants it back", () => {
  const call = { type: "tool_use", id: "a", name: "bash", input: {}, signature: "Cs0B" } as const;
  const messages = [...BARE.messages, { role: "assistant", content: [call] } as const];
  const sent = (codec = openAiChat) =>
    JSON.stringify(bodyOf(codec.encodeRequest({ ...BARE, messages }, { stream: false })));
  expect(sent()).not.toContain("Cs0B");
  expect(sent(openAiChatCodec({ callSignatures: true }))).toContain(
    '"extra_content":{"google":{"thought_signature":"Cs0B"}}',
  );
});

describe("documents", () => {
  const sent = (...content: UserContent[]) => {
    const encoded = openAiChat.encodeRequest({ ...BARE, messages: [{ role: "user", content }] }, { stream: false });
    return encoded.ok ? encoded.body.messages : encoded.problem;
  };

  test("of text are text", () => {
    const source = { type: "base64", mediaType: "text/markdown", data: btoa("# Hi") } as const;
    expect(
      sent({ type: "document", source: { type: "text", text: "One." }, title: "a.txt" }, { type: "document", source }),
    ).toEqual([{ role: "user", content: "a.txt\n\nOne.\n\n# Hi" }]);
  });

  test("in the results of tools follow in a user message", () => {
    const source = { type: "base64", mediaType: "application/pdf", data: "JVBE" } as const;
    const result = {
      type: "tool_result",
      toolCallId: "a",
      content: [{ type: "document", source }],
      isError: false,
    } as const;
    expect(sent(result)).toMatchObject([
      { role: "tool", content: "(An attachment follows in the next message.)" },
      { role: "user", content: [{}, { type: "file", file: { filename: "document.pdf" } }] },
    ]);
  });

  test.each<[string, UserContent, RegExp]>([
    [
      "at an address",
      { type: "document", source: { type: "url", url: "https://a.example/a.pdf" } },
      /^messages.0 holds a document at an address/,
    ],
    [
      "that lie at Anthropic",
      { type: "document", source: { type: "file", fileId: "file_011C" } },
      /^messages.0 names a file that lies at another provider/,
    ],
    [
      "that are images by id",
      { type: "remote_image", source: { type: "file", fileId: "file-1" } },
      /^messages.0 holds an image by the id of a file/,
    ],
    [
      "of another dialect",
      { type: "opaque", dialect: "anthropic", data: { type: "container_upload" } },
      /^messages.0 holds a part \(container_upload\) that only Anthropic Messages knows/,
    ],
  ])("%s are refused with a sentence", (_name, block, problem) => {
    expect(sent(block)).toMatch(problem);
  });
});

describe("stop sequences", () => {
  const five = ["a", "b", "c", "d", "e"];

  test("are refused where OpenAI would refuse them: five, or any to a model that thinks", () => {
    expect(encode({ stopSequences: five.slice(1) }).stop).toEqual(five.slice(1));
    expect(problemOf({ stopSequences: five })).toBe(
      "stopSequences holds 5 sequences, and OpenAI Chat Completions takes 4 at most.",
    );
    const whileThinking = /^stopSequences cannot be asked of \S+ while it thinks/;
    expect(problemOf({ stopSequences: ["a"], thinking: { type: "on", effort: "low" } })).toMatch(whileThinking);
    expect(problemOf({ stopSequences: ["a"], model: "gpt-5-mini" })).toMatch(whileThinking);
    expect(encode({ stopSequences: ["a"], thinking: { type: "off" } }).stop).toEqual(["a"]);
  });

  test("go to compatible servers as many as there are", () => {
    expect(encode({ stopSequences: five, model: "qwen3" }, openAiChatCodec({})).stop).toEqual(five);
  });
});
