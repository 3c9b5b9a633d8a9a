import { describe, expect, test } from "vitest";
import { vertexClaudeBody, vertexOrigin, vertexPath } from "./vertex.ts";

describe("an address at Vertex AI", () => {
  test.each([
    ["us-central1", "https://us-central1-aiplatform.googleapis.com"],
    ["global", "https://aiplatform.googleapis.com"],
    ["eu", "https://aiplatform.eu.rep.googleapis.com"],
  ])("for %s is %s", (location, origin) => {
    expect(vertexOrigin(location)).toBe(origin);
  });

  test("names project, location, publisher, model and method, and lets nothing out of its place", () => {
    const model = {
      project: "acme",
      location: "global",
      publisher: "anthropic",
      model: "claude-sonnet-4-5@20250929",
    } as const;
    expect(vertexPath(model, "streamRawPredict")).toBe(
      "/v1/projects/acme/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
    );
    expect(vertexPath({ ...model, publisher: "google", model: "../x?y" }, "generateContent")).toBe(
      "/v1/projects/acme/locations/global/publishers/google/models/..%2Fx%3Fy:generateContent",
    );
  });
});

test("Claude on Vertex AI is told the version in the body, and the model in the path only", () => {
  expect(vertexClaudeBody({ model: "claude-test", max_tokens: 9, messages: [] })).toEqual({
    anthropic_version: "vertex-2023-10-16",
    max_tokens: 9,
    messages: [],
  });
});
