import { expect, test } from "vitest";
import { anthropicMessages } from "./codec.ts";

function failureOf(status: number, body: object) {
  return anthropicMessages.failureFromHttp({ status, headers: {}, body: JSON.stringify(body) }, 0);
}

const errorBody = (type: string, message: string) => ({ type: "error", error: { type, message }, request_id: "req_1" });

test("an error body says more than its status", () => {
  expect(failureOf(400, errorBody("billing_error", "No credit."))).toMatchObject({
    code: "budget_exceeded",
    status: 400,
  });
  expect(failureOf(500, errorBody("rate_limit_error", "Slow."))).toMatchObject({
    code: "rate_limited",
    retryable: true,
  });
  expect(failureOf(404, errorBody("not_found_error", "model: claude-9"))).toEqual({
    code: "unknown_model",
    message:
      "The provider does not know this model or address (HTTP 404, \"model: claude-9\"): check the model's name and the provider's address.",
    retryable: false,
    status: 404,
  });
});

test.each([
  [401, "unauthorized"],
  [403, "unauthorized"],
  [404, "unknown_model"],
  [400, "invalid_request"],
] as const)("a body that only says trouble does not make less of status %i", (status, code) => {
  expect(failureOf(status, errorBody("api_error", "Hm."))).toMatchObject({ code, retryable: false });
});

test.each([
  ["an unknown type", errorBody("brand_new_error", "Hm.")],
  ["a bare message", { message: "Hm." }],
  ["an error that is a string", { error: "Hm." }],
])("a body with %s is quoted, and the status decides", (_name, body) => {
  expect(failureOf(529, body)).toMatchObject({ code: "overloaded", message: expect.stringContaining('"Hm."') });
});
