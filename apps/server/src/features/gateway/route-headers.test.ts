import { expect, test } from "vitest";
import { routeHeaders } from "./route-headers.ts";

const step = { upstream: "openai", model: "gpt-5.4", reason: "alias fast" };
const redact = (text: string): string => text.replaceAll("sk-1", "[redacted]");

test("an answer says its way, and what was left out only where something was", () => {
  const headers = { "x-loom-route": "openai/gpt-5.4; alias fast", "x-loom-attempts": "2" };
  expect(routeHeaders({ step, attempts: 2, leftOut: [], redact })).toEqual(headers);
  const leftOut = ["seed", "new\r\nfield"];
  expect(routeHeaders({ step, attempts: 2, leftOut, redact })).toEqual({
    ...headers,
    "x-loom-left-out": "seed, new??field",
  });
});

test("what a client names neither breaks a header, nor fills it, nor shows a secret", () => {
  const leftOut = Array.from({ length: 100 }, () => "x".repeat(1_000));
  const model = "größe\r\nset-cookie: sk-1";
  const headers = routeHeaders({ step: { ...step, model, reason: "" }, attempts: 1, leftOut, redact });
  expect(headers["x-loom-route"]).toBe("openai/gr??e??set-cookie: [redacted]");
  expect(headers["x-loom-left-out"]).toHaveLength(20 * 60 + 19 * 2);
});
