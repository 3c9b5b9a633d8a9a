import { describe, expect, test } from "vitest";
import { anthropicMessages } from "./anthropic-messages/codec.ts";
import type { HttpFailure } from "./codec.ts";
import { openAiChat } from "./openai-chat/codec.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");

const codecs = [
  ["Anthropic", anthropicMessages],
  ["OpenAI", openAiChat],
] as const;

describe.each(codecs)("an HTTP failure of %s", (_name, codec) => {
  const failureOf = (status: number, headers: HttpFailure["headers"] = {}, body = "") =>
    codec.failureFromHttp({ status, headers, body }, NOW);

  test.each([
    [400, "invalid_request", false],
    [401, "unauthorized", false],
    [402, "budget_exceeded", false],
    [403, "unauthorized", false],
    [404, "unknown_model", false],
    [408, "timeout", true],
    [409, "overloaded", true],
    [413, "invalid_request", false],
    [422, "invalid_request", false],
    [429, "rate_limited", true],
    [500, "overloaded", true],
    [502, "overloaded", true],
    [503, "overloaded", true],
    [529, "overloaded", true],
    [302, "invalid_response", false],
  ])("with status %i is %s", (status, code, retryable) => {
    const failure = failureOf(status);
    expect(failure).toMatchObject({ code, retryable, status });
    expect(failure.message).toContain(`HTTP ${status}`);
    expect(failure.message).toMatch(/^[A-Z].*\.$/);
  });

  test.each<[string, HttpFailure["headers"], number | undefined]>([
    ["nothing", {}, undefined],
    ["seconds", { "retry-after": "7" }, 7_000],
    ["parts of a second", { "retry-after": "0.25" }, 250],
    ["a date", { "retry-after": "Fri, 02 Jan 2026 03:04:35 GMT" }, 30_000],
    ["a date in the old form of C", { "retry-after": "Fri Jan  2 03:04:06 2026" }, 1_000],
    ["a date in the past", { "retry-after": "Fri, 02 Jan 2026 03:00:00 GMT" }, 0],
    ["milliseconds", { "retry-after-ms": "1234.5", "retry-after": "9" }, 1_235],
    ["several values", { "retry-after": ["3", "4"] }, 3_000],
    ["more than a day", { "retry-after": "99999999999" }, 86_400_000],
    ["words", { "retry-after": "soon" }, undefined],
    ["a negative number", { "retry-after": "-5" }, undefined],
    ["a word that looks like a date", { "retry-after": "Mon" }, undefined],
  ])("that asks to wait with %s says how long", (_what, headers, retryAfterMs) => {
    expect(failureOf(429, headers).retryAfterMs).toBe(retryAfterMs);
  });

  test.each([
    [7, "wait a little and try again"],
    [90, "try again in 2 minutes"],
    [7_200, "try again in 2 hours"],
  ])("that asks to wait %d s says so to the person", (seconds, advice) => {
    expect(failureOf(429, { "retry-after": String(seconds) }).message).toContain(advice);
  });

  test("may say itself whether another try makes sense", () => {
    expect(failureOf(400, { "x-should-retry": "true" }).retryable).toBe(true);
    expect(failureOf(500, { "x-should-retry": "false" }).retryable).toBe(false);
  });

  test("quotes what the provider said, bounded and without keys", () => {
    const message = `Incorrect key sk-proj-abcdefghijklmnop1234 ${"x ".repeat(500)}`;
    const failure = failureOf(401, {}, JSON.stringify({ error: { message, type: "authentication_error" } }));
    expect(failure.message).toContain('"Incorrect key [key] x x');
    expect(failure.message).not.toContain("abcdefghijklmnop");
    expect(failure.message.length).toBeLessThan(500);
  });

  test.each([
    ["an empty body", "", false],
    ["a page of HTML", "<!doctype html><title>Bad gateway</title>", false],
    ["plain words", "upstream connect error", true],
    ["half of a JSON text", '{"error":{"mess', true],
    ["JSON of another shape", '["no"]', true],
  ])("survives %s", (_name, body, quoted) => {
    const failure = failureOf(502, {}, body);
    expect(failure).toMatchObject({ code: "overloaded", status: 502 });
    expect(failure.message.includes('"')).toBe(quoted);
  });
});
