import type { JsonObject, LlmRequest, LlmResponse } from "@loom/core";
import { NO_USAGE } from "@loom/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LlmCodec } from "./codec.ts";
import { anthropicMessages, gemini, openAiChat, openAiResponses } from "./index.ts";
import { parseJsonObject } from "./json-reader.ts";
import { bodyOf, bytesOf } from "./wire.testing.ts";

const CODECS: readonly (readonly [string, LlmCodec])[] = [
  ["anthropic", anthropicMessages],
  ["chat", openAiChat],
  ["responses", openAiResponses],
  ["gemini", gemini],
];
const PAIRS = CODECS.flatMap(([client, a]) => CODECS.map(([provider, b]) => [client, provider, a, b] as const));

const digits = (min: number, max: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max }).map((each) => each.join(""));
const whole = fc.tuple(fc.integer({ min: 1, max: 9 }), digits(0, 24)).map(([first, rest]) => `${first}${rest}`);
/** Numbers as a model may write them. */
const written = fc.oneof(
  fc.constantFrom("12345678901234567890", "1.10", "1.0", "-0", "9007199254740993", "1e400", "0.12345678901234567891"),
  whole,
  fc.tuple(fc.constantFrom("", "-"), whole, digits(1, 24)).map(([sign, before, after]) => `${sign}${before}.${after}`),
  fc.tuple(whole, fc.constantFrom("e", "E+", "e-"), digits(1, 2)).map((parts) => parts.join("")),
);

function callWith(number: string) {
  const input = parseJsonObject(`{"exact":${number},"in":{"list":[{"exact":${number}}]}}`);
  if (input === undefined) throw new Error(number);
  return { type: "tool_use", id: "call_1", name: "f", input } as const;
}

function answerWith(number: string): LlmResponse {
  const message = { role: "assistant", content: [callWith(number)] } as const;
  return { message, stopReason: "tool_use", usage: NO_USAGE, model: "m" };
}

/** Every number that a text has for `exact`, also inside of strings of JSON. */
function numbersIn(text: string): ReadonlySet<string> {
  const found = text.replaceAll("\\", "").matchAll(/"exact":([^,}\]]+)/g);
  return new Set([...found].map(([, number = ""]) => number));
}

describe.each(PAIRS)(
  "a number that JavaScript cannot hold, client %s, model %s",
  (_client, _provider, client, provider) => {
    test("reaches the client as the model wrote it", () => {
      fc.assert(
        fc.property(written, (number) => {
          const decoded = provider.decodeResponse(JSON.stringify(provider.encodeResponse(answerWith(number))));
          if (!decoded.ok) throw new Error(decoded.failure.message);
          expect(numbersIn(JSON.stringify(client.encodeResponse(decoded.response)))).toEqual(new Set([number]));
        }),
      );
    });

    test("reaches the client as the model wrote it, streamed: in the deltas and in the end", () => {
      fc.assert(
        fc.property(written, (number) => {
          const wire = provider.streamEncoder().push([{ type: "completed", response: answerWith(number) }]);
          const decoder = provider.streamDecoder();
          const events = [...decoder.push(bytesOf(wire)), ...decoder.end()];
          expect(numbersIn(client.streamEncoder().push(events))).toEqual(new Set([number]));
        }),
      );
    });

    test("reaches the model as the client wrote it, in calls of earlier answers and in schemas", () => {
      fc.assert(
        fc.property(written, (number) => {
          const body = JSON.stringify({
            ...bodyOf(client.encodeRequest(requestWith(number), { stream: false })),
            model: "m",
          });
          const decoded = client.decodeRequest(body);
          if (!decoded.ok) throw new Error(decoded.problem);
          const sent = JSON.stringify(bodyOf(provider.encodeRequest(decoded.request, { stream: false })));
          expect(numbersIn(sent)).toEqual(new Set([number]));
          expect(sent).toContain(`"maximum":${number}`);
        }),
      );
    });
  },
);

function requestWith(number: string): LlmRequest {
  const inputSchema: JsonObject = parseJsonObject(`{"type":"object","properties":{"a":{"maximum":${number}}}}`) ?? {};
  return {
    model: "m",
    system: "",
    maxTokens: 100,
    tools: [{ name: "f", description: "", inputSchema }],
    messages: [
      { role: "user", content: [{ type: "text", text: "Go." }] },
      { role: "assistant", content: [callWith(number)] },
      { role: "user", content: [{ type: "tool_result", toolCallId: "call_1", content: [], isError: false }] },
    ],
  };
}

test("settings may be written in any way that is a number", () => {
  const decoded = openAiChat.decodeRequest(
    '{"model":"m","messages":[{"role":"user","content":"Hi"}],"temperature":1.0,"top_p":0.69999998807907104,"max_tokens":1.0e3,"seed":7.0,"n":1.0}',
  );
  expect(decoded).toMatchObject({
    ok: true,
    request: { temperature: 1, topP: 0.69999998807907104, maxTokens: 1_000, seed: 7 },
  });
  const contents = '"contents":[{"parts":[{"text":"Hi"}]}]';
  const thinking = (budget: string) =>
    gemini.decodeRequest(`{${contents},"generationConfig":{"thinkingConfig":{"thinkingBudget":${budget}}}}`);
  expect(thinking("0.0")).toMatchObject({ request: { thinking: { type: "off" } } });
  expect(thinking("-1.0")).toEqual(thinking("-1"));
  expect(thinking("1024.0")).toMatchObject({ request: { thinking: { type: "on", budgetTokens: 1_024 } } });
  expect(gemini.decodeRequest(`{${contents},"generationConfig":{"candidateCount":1.0,"topK":40.0}}`)).toMatchObject({
    ok: true,
    request: { topK: 40 },
  });
});
