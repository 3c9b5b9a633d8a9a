import type { LlmResponse } from "@loom/core";
import { describe, expect, test } from "vitest";
import { anthropicMessages, gemini, openAiChat, openAiResponses } from "./index.ts";
import { bytesOf } from "./wire.testing.ts";

const CUT = '{"pattern":"*.tmp","dir":"/va';
const PROBLEM =
  /^The model called the tool "delete_files" with arguments that are not a JSON object \(.*\/va\): try again\.$/;

/** A chat server's answer that calls a tool with arguments that end too early. */
function answer(reason: string): LlmResponse {
  const call = { id: "call_1", type: "function", function: { name: "delete_files", arguments: CUT } };
  const choice = {
    index: 0,
    finish_reason: reason,
    message: { role: "assistant", content: "I clean up.", tool_calls: [call] },
  };
  const decoded = openAiChat.decodeResponse(JSON.stringify({ id: "1", model: "m", choices: [choice] }));
  if (!decoded.ok) throw new Error(decoded.failure.message);
  return decoded.response;
}

describe.each([
  ["Anthropic Messages", anthropicMessages],
  ["Gemini", gemini],
])("a call with arguments that are no JSON, for a client of %s", (_name, codec) => {
  test("is a failure, streamed or not", () => {
    const whole = answer("tool_calls");
    expect(codec.answerProblem?.(whole)).toMatchObject({ message: expect.stringMatching(PROBLEM), retryable: true });
    const decoder = codec.streamDecoder();
    const wire = codec.streamEncoder().push([
      { type: "text_delta", text: "I clean up." },
      { type: "tool_call_delta", callId: "call_1", name: "delete_files", argumentsFragment: CUT },
      { type: "completed", response: whole },
    ]);
    expect([...decoder.push(bytesOf(wire)), ...decoder.end()].at(-1)).toMatchObject({ type: "error" });
    expect(wire).toContain("are not a JSON object");
  });

  test.each(["length", "stop_sequence"])("is left out of an answer that says itself that it was cut: %s", (reason) => {
    const whole = reason === "length" ? answer(reason) : { ...answer("stop"), stopReason: "stop_sequence" as const };
    expect(codec.answerProblem?.(whole)).toBeUndefined();
    const body = JSON.stringify(codec.encodeResponse(whole));
    expect(body).toContain("I clean up.");
    expect(body).not.toContain("delete_files");
  });
});

describe.each([
  ["Anthropic Messages", anthropicMessages],
  ["Chat Completions", openAiChat],
  ["Responses", openAiResponses],
  ["Gemini", gemini],
])("what servers send for no arguments, for a client of %s", (_name, codec) => {
  test.each(["null", "[]", '""', " [ ]"])("is none: %s", (nothing) => {
    const tool = { index: 0, id: "call_1", type: "function", function: { name: "now", arguments: nothing } };
    const chunks = [{ delta: { tool_calls: [tool] } }, { delta: {}, finish_reason: "tool_calls" }].map(
      (choice) => `data: ${JSON.stringify({ id: "1", model: "m", choices: [choice] })}\n\n`,
    );
    const from = openAiChat.streamDecoder();
    const wire = codec.streamEncoder().push([...from.push(bytesOf(chunks.join(""))), ...from.end()]);
    const decoder = codec.streamDecoder();
    const last = [...decoder.push(bytesOf(wire)), ...decoder.end()].at(-1);
    const call = { type: "tool_use", name: "now", input: {} };
    expect(last).toMatchObject({ type: "completed", response: { message: { content: [call] } } });
    // The text of arguments passes as it is in the dialect that it came from.
    if (codec !== openAiChat) expect(wire).not.toContain(JSON.stringify(nothing));
  });
});

test.each([
  ["Chat Completions", openAiChat],
  ["Responses", openAiResponses],
])("a client of %s gets the arguments as the model wrote them", (_name, codec) => {
  expect(codec.answerProblem?.(answer("tool_calls"))).toBeUndefined();
  expect(JSON.stringify(codec.encodeResponse(answer("tool_calls")))).toContain(JSON.stringify(CUT));
});

test.each([
  ["Anthropic Messages", anthropicMessages],
  ["Chat Completions", openAiChat],
  ["Responses", openAiResponses],
  ["Gemini", gemini],
])("in the history that goes to %s, it has no arguments, and that is named", (_name, codec) => {
  const { content } = answer("tool_calls").message;
  const encoded = codec.encodeRequest(
    {
      model: "m",
      system: "",
      maxTokens: 100,
      tools: [],
      messages: [
        { role: "user", content: [{ type: "text", text: "Go." }] },
        { role: "assistant", content },
        { role: "user", content: [{ type: "tool_result", toolCallId: "call_1", content: [], isError: true }] },
      ],
    },
    { stream: false },
  );
  expect(encoded).toMatchObject({ ok: true, leftOut: ["arguments of earlier calls that are not JSON"] });
});
