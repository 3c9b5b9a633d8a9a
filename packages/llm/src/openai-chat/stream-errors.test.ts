import type { LlmEvent } from "@loom/core";
import { describe, expect, test } from "vitest";
import { chunk, decode, stream, usageChunk } from "./chat.testing.ts";

describe("one error ends the stream", () => {
  const begun = stream(chunk({ content: "Hel" }));
  const rest = stream(chunk({ content: "lo" }), chunk({}, "stop"), "[DONE]");
  const lost: LlmEvent = { type: "text_delta", text: "Hel" };

  test("and can be retried, where the connection breaks off", () => {
    const cut = { type: "error", error: { code: "network", retryable: true } };
    expect(decode(begun)).toMatchObject([lost, cut]);
    expect(decode(`${begun}data: {"choices":[{"delta":{"content":"lo"`)).toMatchObject([lost, cut]);
    expect(decode(begun, stream(usageChunk({ prompt_tokens: 5, completion_tokens: 1 })))).toMatchObject([lost, cut]);
    expect(decode("")).toMatchObject([cut]);
  });

  test.each<[string, string, object]>([
    [
      "an error in place of a chunk",
      stream({ error: { message: "Busy.", type: "server_error" } }),
      { code: "overloaded", retryable: true },
    ],
    [
      "an error beside a chunk",
      stream({ ...Object(chunk({ content: "" }, "error")), error: { code: 502, message: "Bad gateway" } }),
      { code: "overloaded", retryable: true },
    ],
    [
      "an error inside a choice",
      stream({ choices: [{ index: 0, delta: {}, error: { code: 429, message: "Slow" } }] }),
      { code: "rate_limited", retryable: true },
    ],
    [
      "an error as a string",
      stream({ error: "model runner has unexpectedly stopped" }),
      { code: "overloaded", retryable: true },
    ],
    [
      "an error as a named event",
      'event: error\ndata: {"message":"Too many","code":429}\n\n',
      { code: "rate_limited", retryable: true },
    ],
    ["an error as plain words", "event: error\ndata: upstream timed out\n\n", { code: "overloaded", retryable: true }],
    [
      "an error of vLLM",
      stream({ object: "error", message: "too long", type: "BadRequestError", code: 400 }),
      { code: "invalid_request", retryable: false },
    ],
    [
      "an empty account",
      stream({ error: { code: "insufficient_quota", message: "Pay." } }),
      { code: "budget_exceeded", retryable: false },
    ],
    [
      "an error of the request",
      stream({ error: { type: "invalid_request_error", message: "No." } }),
      { code: "invalid_request", retryable: false },
    ],
    [
      "a finish reason that is one",
      stream(chunk({}, "insufficient_system_resource")),
      { code: "overloaded", retryable: true },
    ],
    ["data that is no JSON", stream('{"choices":'), { code: "invalid_response", retryable: true }],
  ])("for %s", (_name, text, error) => {
    expect(decode(begun, text, rest)).toMatchObject([lost, { type: "error", error }]);
  });

  test("for a body that is an error and no stream", () => {
    expect(decode('{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}')).toMatchObject([
      { type: "error", error: { code: "unauthorized", retryable: false } },
    ]);
  });

  test.each([
    ["a page of HTML", "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"],
    ["only [DONE]", stream("[DONE]")],
    ["only comments", ": OPENROUTER PROCESSING\n\n"],
    ["JSON that is no answer", '{"hello":"world"}'],
    ["half a JSON body", '{"choices":[{"message":{"content":"Hel'],
    ["chunks that are no objects", stream(null, [1], "7", '"x"', "true")],
    ["bytes that are no text", "\u0000\u0001\u0002"],
  ])("for %s", (_name, text) => {
    expect(decode(text)).toMatchObject([{ type: "error", error: { code: "invalid_response", retryable: true } }]);
  });

  test("and what the provider said is in the message, without its keys", () => {
    const [event] = decode(stream({ error: { message: "Key sk-proj-abcdefgh12345678 is out of credit" } }));
    expect(event?.type === "error" && event.error.message).toContain("is out of credit");
    expect(JSON.stringify(event)).not.toContain("abcdefgh");
  });
});
