import { Secret } from "@loom/config";
import { expect, test } from "vitest";
import { createGrowingRedactor } from "./growing-redactor.ts";

test("what becomes a secret is taken out from then on, also of a text that was seen before", () => {
  const { redact, conceal } = createGrowingRedactor([new Secret("first secret")]);
  const seen = ["a model", "second secret", `${"x".repeat(300)} second secret`];
  expect(seen.map(redact)).toEqual(seen);
  expect(redact("first secret")).toBe("[redacted]");
  conceal("credentials", [new Secret("second secret")]);
  expect(seen.map(redact)).toEqual(["a model", "[redacted]", `${"x".repeat(300)} [redacted]`]);
});

test("more short texts than are remembered come out right", () => {
  const { redact } = createGrowingRedactor([new Secret("first secret")]);
  const texts = Array.from({ length: 3_000 }, (_, index) => `model-${index}`);
  expect([...texts, ...texts].map(redact)).toEqual([...texts, ...texts]);
  expect(redact("model-1 first secret")).toBe("model-1 [redacted]");
});
