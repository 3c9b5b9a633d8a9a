import type { JsonObject } from "@loom/core";
import { describe, expect, test } from "vitest";
import { gemini } from "./codec.ts";

function failureOf(status: number, error: JsonObject, headers: Record<string, string> = {}) {
  return gemini.failureFromHttp({ status, headers, body: JSON.stringify({ error }, null, 2) }, 0);
}

const detail = (type: string, fields: JsonObject) => ({ "@type": `type.googleapis.com/google.rpc.${type}`, ...fields });

describe("an error of Gemini", () => {
  test.each<[string, number, JsonObject, object]>([
    [
      "too many requests, with the wait in the body",
      429,
      {
        code: 429,
        message: "You exceeded your current quota.",
        status: "RESOURCE_EXHAUSTED",
        details: [detail("QuotaFailure", { violations: [] }), detail("RetryInfo", { retryDelay: "34.07s" })],
      },
      { code: "rate_limited", retryable: true, retryAfterMs: 34_070, status: 429 },
    ],
    [
      "a wrong key, which has the status of a bad request",
      400,
      {
        code: 400,
        message: "API key not valid.",
        status: "INVALID_ARGUMENT",
        details: [detail("ErrorInfo", { reason: "API_KEY_INVALID" })],
      },
      { code: "unauthorized", retryable: false },
    ],
    ["a bad request", 400, { code: 400, message: "No.", status: "INVALID_ARGUMENT" }, { code: "invalid_request" }],
    [
      "an unknown model",
      404,
      { code: 404, message: "models/x is not found.", status: "NOT_FOUND" },
      { code: "unknown_model" },
    ],
    ["an expired token", 401, { code: 401, message: "No.", status: "UNAUTHENTICATED" }, { code: "unauthorized" }],
    ["no permission", 403, { code: 403, message: "No.", status: "PERMISSION_DENIED" }, { code: "unauthorized" }],
    [
      "no billing",
      403,
      {
        code: 403,
        message: "No.",
        status: "PERMISSION_DENIED",
        details: [detail("ErrorInfo", { reason: "BILLING_DISABLED" })],
      },
      { code: "budget_exceeded", retryable: false },
    ],
    [
      "overload",
      503,
      { code: 503, message: "Overloaded.", status: "UNAVAILABLE" },
      { code: "overloaded", retryable: true },
    ],
    [
      "a deadline",
      504,
      { code: 504, message: "Slow.", status: "DEADLINE_EXCEEDED" },
      { code: "timeout", retryable: true },
    ],
  ])("%s", (_name, status, error, expected) => {
    expect(failureOf(status, error)).toMatchObject(expected);
  });

  test("may be in a list, or in words", () => {
    const body = JSON.stringify([{ error: { code: 503, message: "Overloaded.", status: "UNAVAILABLE" } }]);
    expect(gemini.failureFromHttp({ status: 503, headers: {}, body }, 0).message).toContain('"Overloaded."');
    expect(gemini.failureFromHttp({ status: 500, headers: {}, body: "Oops" }, 0).message).toContain('"Oops"');
  });

  test("says how long to wait in a header too, which comes first", () => {
    const error = { code: 429, status: "RESOURCE_EXHAUSTED", details: [detail("RetryInfo", { retryDelay: "9s" })] };
    expect(failureOf(429, error, { "retry-after": "2" }).retryAfterMs).toBe(2_000);
  });

  test("masks a key that it repeats", () => {
    expect(failureOf(400, { message: "Bad key AIzaSyA1234567890abcdefghijklmnopqrstuv." }).message).not.toContain(
      "AIzaSyA123",
    );
  });
});
