import { describe, expect, test } from "vitest";
import type { HttpFailure } from "../codec.ts";
import { openAiChat } from "./codec.ts";

const NOW = Date.parse("2026-09-23T12:00:00Z");

function failureOf(status: number, body: unknown, headers: HttpFailure["headers"] = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return openAiChat.failureFromHttp({ status, headers, body: text }, NOW);
}

describe("an error of OpenAI", () => {
  test.each<[string, number, object, object]>([
    [
      "a rate limit can be retried",
      429,
      { error: { message: "Rate limit reached.", type: "tokens", code: "rate_limit_exceeded" } },
      { code: "rate_limited", retryable: true, status: 429 },
    ],
    [
      "an empty account has the status of a rate limit, but cannot",
      429,
      {
        error: { message: "You exceeded your current quota.", type: "insufficient_quota", code: "insufficient_quota" },
      },
      { code: "budget_exceeded", retryable: false, status: 429 },
    ],
    [
      "an unknown model",
      404,
      { error: { message: "The model `x` does not exist.", type: "invalid_request_error", code: "model_not_found" } },
      { code: "unknown_model", retryable: false },
    ],
    [
      "a wrong key",
      401,
      { error: { message: "Incorrect API key.", type: "invalid_request_error", code: "invalid_api_key" } },
      { code: "unauthorized", retryable: false },
    ],
    [
      "no key, which has only a general type",
      401,
      { error: { message: "You didn't provide an API key.", type: "invalid_request_error", code: null } },
      { code: "unauthorized", retryable: false },
    ],
    [
      "too long a conversation",
      400,
      { error: { message: "Too long.", type: "invalid_request_error", code: "context_length_exceeded" } },
      { code: "invalid_request", retryable: false },
    ],
    ["trouble", 500, { error: { message: "Oops.", type: "server_error" } }, { code: "overloaded", retryable: true }],
    ["no balance at DeepSeek", 402, { error: { message: "Insufficient Balance" } }, { code: "budget_exceeded" }],
    [
      "no balance at Z.ai, which answers 429",
      429,
      { error: { code: "1113", message: "Insufficient balance" } },
      { code: "budget_exceeded", retryable: false },
    ],
  ])("%s", (_name, status, body, expected) => {
    expect(failureOf(status, body)).toMatchObject(expected);
  });
});

describe("what the provider said is quoted", () => {
  test.each<[string, unknown, string]>([
    ["from OpenAI", { error: { message: "The model `x` does not exist." } }, "The model `x` does not exist."],
    ["from Ollama", { error: "model 'x' not found" }, "model 'x' not found"],
    ["from vLLM", { object: "error", message: "max_tokens is too large", code: 400 }, "max_tokens is too large"],
    ["from FastAPI", { detail: "Not Found" }, "Not Found"],
    ["from a server without JSON", "no such route", "no such route"],
    [
      "from the provider behind OpenRouter",
      { error: { message: "Provider returned error", code: 400, metadata: { raw: "image too large" } } },
      "Provider returned error: image too large",
    ],
  ])("%s", (_name, body, said) => {
    expect(failureOf(404, body).message).toContain(`"${said}"`);
  });

  test("but a page of HTML is not", () => {
    const failure = failureOf(502, "<html><head><title>502 Bad Gateway</title></head></html>");
    expect(failure).toMatchObject({ code: "overloaded", retryable: true });
    expect(failure.message).not.toContain("<");
  });

  test("and a key in it is masked", () => {
    const failure = failureOf(401, { error: { message: "Incorrect API key provided: sk-proj-abc123def456." } });
    expect(failure.message).not.toContain("abc123");
  });
});

describe("the wait the provider asks for", () => {
  test.each<[string, HttpFailure["headers"], number | undefined]>([
    ["in seconds", { "retry-after": "2" }, 2_000],
    ["in milliseconds, which is more exact", { "retry-after": "2", "retry-after-ms": "1250" }, 1_250],
    ["as a date", { "retry-after": "Wed, 23 Sep 2026 12:00:30 GMT" }, 30_000],
    ["in words is none", { "retry-after": "soon" }, undefined],
    ["is none where it does not ask", {}, undefined],
  ])("%s", (_name, headers, retryAfterMs) => {
    expect(failureOf(429, { error: { message: "Slow down." } }, headers).retryAfterMs).toBe(retryAfterMs);
  });
});
