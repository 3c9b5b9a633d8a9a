import type { LlmRequest, UserContent } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import { CARRIED, carriedBetween } from "./carried.ts";
import type { LlmCodec } from "./codec.ts";
import type { WireDialect } from "./dialect.ts";
import { gemini } from "./gemini/codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";
import { openAiResponses } from "./openai-responses/codec.ts";

const CODECS: Readonly<Record<WireDialect, LlmCodec>> = {
  anthropic: anthropicMessages,
  chat: openAiChat,
  responses: openAiResponses,
  gemini,
};
const DIALECTS: readonly WireDialect[] = ["anthropic", "chat", "responses", "gemini"];

/** Models that can be told everything that their dialect can say. */
const MODELS: Readonly<Record<WireDialect, string>> = {
  anthropic: "claude-sonnet-4-5",
  chat: "gpt-5.2",
  responses: "gpt-5.2",
  gemini: "gemini-2.5-flash",
};

/** A part of a request, and what shows in a body that it is there. */
type Sample = {
  readonly change: Partial<LlmRequest>;
  readonly sign: RegExp;
  /** For a dialect whose usual model would do so anyway. */
  readonly models?: Partial<Record<WireDialect, string>>;
};

const said = (...content: readonly UserContent[]): Partial<LlmRequest> => ({ messages: [{ role: "user", content }] });
const afterCall = (result: { content: readonly { type: "text"; text: string }[]; isError: boolean }) => ({
  messages: [
    { role: "user", content: [{ type: "text", text: "Go." }] },
    { role: "assistant", content: [{ type: "tool_use", id: "call_1", name: "bash", input: {} }] },
    { role: "user", content: [{ type: "tool_result", toolCallId: "call_1", ...result }] },
  ] as const,
});
const PDF = { type: "base64", mediaType: "application/pdf", data: "MARK" } as const;

const SAMPLES: Readonly<Record<string, Sample>> = {
  "Text, instructions, tools, calls and results": {
    change: { ...afterCall({ content: [{ type: "text", text: "MARK1" }], isError: false }), system: "MARK2" },
    sign: /MARK1.*MARK2|MARK2.*MARK1/,
  },
  "Instructions later in the conversation": {
    change: said({ type: "text", text: "Hi" }, { type: "text", text: "MARK", instructs: true }),
    sign: /"role":"(?:system|developer)","content":(?:"MARK"|\[\{"type":"input_text","text":"MARK"\}\])|"text":"<system_instruction>\\nMARK\\n<\/system_instruction>"/,
  },
  "Errors of tools": {
    change: afterCall({ content: [{ type: "text", text: "broken" }], isError: true }),
    sign: /"is_error":true|Error: broken|"error":"broken"/,
  },
  Images: { change: said({ type: "image", mediaType: "image/png", data: "MARK" }), sign: /MARK/ },
  "Images at an address": {
    change: said({ type: "remote_image", source: { type: "url", url: "https://a.example/MARK.png" } }),
    sign: /MARK/,
  },
  PDFs: { change: said({ type: "document", source: PDF, title: "a.pdf" }), sign: /MARK/ },
  "Documents of text": {
    change: said({ type: "document", source: { type: "text", text: "MARK" } }),
    sign: /MARK/,
  },
  "PDFs at an address": {
    change: said({ type: "document", source: { type: "url", url: "https://a.example/MARK.pdf" } }),
    sign: /MARK/,
  },
  "Search of the web": {
    change: { providerTools: [{ dialect: "responses", definition: { type: "web_search" } }] },
    sign: /"web_search_20250305"|"type":"web_search"|"googleSearch"/,
  },
  "Choice of a tool": { change: { toolChoice: { type: "tool", name: "bash" } }, sign: /"bash".*"bash"/ },
  "At most one call an answer": {
    change: { parallelToolCalls: false },
    sign: /"disable_parallel_tool_use":true|"parallel_tool_calls":false|at most one tool/,
  },
  "Strict arguments": {
    change: {
      tools: [
        { name: "bash", description: "", inputSchema: { type: "object", additionalProperties: false }, strict: true },
      ],
    },
    sign: /"strict":true|"VALIDATED"/,
  },
  "How much to think": {
    change: { thinking: { type: "on", effort: "low" } },
    sign: /"budget_tokens":4096|"(?:reasoning_)?effort":"low"|"thinkingBudget":4096/,
  },
  "No thinking": {
    change: { thinking: { type: "off" } },
    models: { anthropic: "claude-opus-5" },
    sign: /"thinking":\{"type":"disabled"\}|"(?:reasoning_)?effort":"none"|"thinkingBudget":0/,
  },
  "Thinking of earlier answers": {
    change: {
      messages: [
        { role: "user", content: [{ type: "text", text: "Go." }] },
        {
          role: "assistant",
          content: [
            { type: "thinking", text: "MARK" },
            { type: "text", text: "Yes." },
          ],
        },
        { role: "user", content: [{ type: "text", text: "On." }] },
      ],
    },
    sign: /MARK/,
  },
  "Answers by a JSON schema": {
    change: { output: { type: "json_schema", name: "answer", schema: { type: "object", description: "MARK" } } },
    sign: /MARK/,
  },
  "Answers in any JSON": { change: { output: { type: "json" } }, sign: /"json_object"|"application\/json"/ },
  "Stop sequences": { change: { stopSequences: ["MARK"] }, sign: /MARK/ },
  "temperature, top_p": {
    change: { temperature: 0.25, topP: 0.75 },
    models: { anthropic: "claude-sonnet-4-0" },
    sign: /"temperature":0.25.*"top_?[pP]":0.75/,
  },
  top_k: { change: { topK: 47 }, sign: /47/ },
  seed: { change: { seed: 4711 }, sign: /4711/ },
  "Places to cache up to": { change: { systemCache: "1h", system: "Be brief." }, sign: /cache_control/ },
  "User id": { change: { userId: "MARK" }, sign: /MARK/ },
  "Cache key": { change: { cacheKey: "MARK" }, sign: /MARK/ },
};

function encode(to: WireDialect, change: Partial<LlmRequest>) {
  const request: LlmRequest = {
    model: MODELS[to],
    system: "",
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    tools: [
      { name: "bash", description: "", inputSchema: { type: "object" } },
      { name: "read", description: "", inputSchema: { type: "object" } },
    ],
    maxTokens: 16_000,
    ...change,
  };
  return CODECS[to].encodeRequest(request, { stream: false });
}

describe("the table of what is carried is true", () => {
  const rows = CARRIED.flatMap(({ name, fate }) =>
    fate === "own" ? [] : DIALECTS.map((to) => [name, to, fate[to]] as const),
  );

  test.each(rows)("%s to %s: %s", (name, to, fate) => {
    const sample = SAMPLES[name];
    if (sample === undefined) throw new Error("has no sample");
    const model = sample.models?.[to] ?? MODELS[to];
    const encoded = encode(to, { ...sample.change, model });
    expect(encoded.ok ? (sample.sign.test(JSON.stringify(encoded.body)) ? "carried" : "left out") : "refused").toBe(
      fate,
    );
    if (!encoded.ok) expect(encoded.problem).toMatch(/^\w+(\.\d+)* .*\.$/);
  });

  test.each(DIALECTS.flatMap((from) => DIALECTS.map((to) => [from, to] as const)))(
    "what only %s knows goes to %s if it is the same",
    (from, to) => {
      const definition = { type: "MARK", name: "search" };
      const part = { type: "opaque", dialect: from, data: { type: "MARK" } } as const;
      for (const change of [{ providerTools: [{ dialect: from, definition }] }, said(part)]) {
        expect(encode(to, change).ok).toBe(from === to);
      }
    },
  );

  test.each([
    ["file_011C", ["anthropic"]],
    ["file-abc", ["chat", "responses"]],
    ["files/abc", ["gemini"]],
  ])("the file %s goes to %j only", (fileId, takers) => {
    const block = { type: "document", source: { type: "file", fileId } } as const;
    expect(DIALECTS.filter((to) => encode(to, said(block)).ok)).toEqual(takers);
  });
});

test.each([
  ["gemini", "gemini-2.0-flash", ["thinking"]],
  ["responses", "gpt-4o", ["thinking"]],
  ["gemini", "gemini-2.5-flash", undefined],
  ["responses", "gpt-5.2", undefined],
] as const)("%s: what is asked of %s and left out is %j", (to, model, leftOut) => {
  const encoded = encode(to, { model, thinking: { type: "on", visible: true } });
  expect(encoded).toMatchObject({ ok: true });
  expect(encoded.ok && encoded.leftOut).toEqual(leftOut);
});

test("a pair has what its client can ask for, with what is its own refused to any other", () => {
  const fateOf = (from: WireDialect, to: WireDialect, name: string) =>
    carriedBetween(from, to).find((row) => row.name === name)?.fate;
  expect(fateOf("anthropic", "chat", "PDFs at an address")).toBe("refused");
  expect(fateOf("chat", "anthropic", "PDFs at an address")).toBeUndefined();
  expect(fateOf("gemini", "gemini", "Tools that the provider runs")).toBe("carried");
  expect(fateOf("gemini", "chat", "Tools that the provider runs")).toBe("refused");
});
