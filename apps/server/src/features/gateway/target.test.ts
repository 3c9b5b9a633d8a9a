import { describe, expect, test } from "vitest";
import { isAmbiguousPath, targetOfDialect, targetOfProxy } from "./target.ts";

const KINDS = {
  anthropic: "anthropic",
  openai: "openai",
  gemini: "gemini",
  vertex: "vertex",
  zai: "zai",
  ollama: "compatible",
} as const;
const kindOf = (name: string) => KINDS[name as keyof typeof KINDS];
const target = (path: string) => targetOfProxy(path, "", kindOf);

describe("a path under /proxy", () => {
  test.each([
    ["/anthropic/stream", { dialect: "loom", upstream: "anthropic", operation: "generate", stream: true }],
    ["/ollama/complete", { dialect: "loom", upstream: "ollama", operation: "generate", stream: false }],
    ["/anthropic/v1/messages", { dialect: "anthropic", upstream: "anthropic", operation: "generate" }],
    ["/anthropic/v1/messages/count_tokens", { dialect: "anthropic", operation: "count_tokens" }],
    ["/anthropic/v1/models", { dialect: "anthropic", operation: "models" }],
    ["/openai/v1/chat/completions", { dialect: "chat", operation: "generate", path: "/v1/chat/completions" }],
    ["/openai/responses", { dialect: "responses", operation: "generate" }],
    ["/openai/v1/embeddings", { dialect: "chat", operation: "use" }],
    ["/openai/v1/responses/input_tokens", { dialect: "responses", operation: "count_tokens" }],
    ["/openai/v1/responses/compact", { operation: "use" }],
    ["/zai/api/coding/paas/v4/chat/completions", { dialect: "chat", operation: "generate" }],
    ["/zai/api/anthropic/v1/messages", { dialect: "anthropic", operation: "generate" }],
    [
      "/gemini/v1beta/models/gemini-x:generateContent",
      { dialect: "gemini", operation: "generate", model: "gemini-x", stream: false },
    ],
    ["/gemini/v1beta/models/a/b%40c:streamGenerateContent", { dialect: "gemini", model: "a/b@c", stream: true }],
    ["/gemini/v1beta/models/gemini-x:countTokens", { dialect: "gemini", operation: "count_tokens" }],
    ["/gemini/v1beta/models/gemini-x:embedContent", { dialect: "gemini", operation: "use" }],
    ["/gemini/v1beta/models/gemini-x:batchEmbedContents", { dialect: "gemini", operation: "use" }],
    ["/vertex/v1/projects/p/locations/l/publishers/google/models/imagen-4:predict", { operation: "use" }],
    ["/gemini/v1beta/models/gemini-x%3AgenerateContent", { operation: "generate", model: "gemini-x", stream: false }],
    ["/gemini/v1beta/models/a%2Fb%3astreamGenerateContent", { operation: "generate", model: "a/b", stream: true }],
    ["/gemini/v1beta/models/a%2Fb%3A8b%3AcountTokens", { operation: "count_tokens", model: "a/b:8b" }],
    ["/ollama/v1/models/meta-llama%2Fllama-3", { operation: "models", path: "/v1/models/meta-llama%2Fllama-3" }],
    ["/openai/v1/models/ft%3Agpt-4o%3Aacme%3A%3Aid", { operation: "models" }],
    [
      "/vertex/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict",
      { dialect: "anthropic", operation: "generate", model: "claude-x@1", stream: true },
    ],
    [
      "/vertex/v1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent",
      { dialect: "gemini", model: "gemini-x" },
    ],
  ])("%s", (path, expected) => {
    expect(target(path)).toMatchObject(expected);
  });

  test.each([
    "/anthropic/v1/files",
    "/openai/v1/organization/admin_api_keys",
    "/openai/v1/batches",
    "/openai/v1/responses/resp_1",
    "/openai/v1/responses/resp_1/input_items",
    "/openai/v1/responses/resp_1/cancel",
    "/openai/v1/responses/compact/input_items",
    "/openai/responses/resp_1",
    "/gemini/v1beta/cachedContents",
    "/gemini/v1beta/models/gemini-x:batchGenerateContent",
    "/gemini/v1beta/models/gemini-x:asyncBatchEmbedContent",
    "/gemini/v1beta/models/veo-3:predictLongRunning",
    "/gemini/v1beta/models/gemini-x:whateverComes",
    "/vertex/v1/projects/p/locations/l/publishers/google/models/veo-3:fetchPredictOperation",
    "/openai/v1/models/",
  ])("%s is for those who may administer", (path) => {
    expect(target(path)?.operation).toBe("administer");
  });

  test.each([
    "/",
    "/anthropic",
    "",
    "/anthropic/v1/messages/",
    "/anthropic/v1/Messages",
    "/anthropic/v1/messages;x=1",
    "/anthropic/v1/%6dessages",
    "/anthropic/v1/message%zz",
    "/openai/v1/chat/completions/",
    "/gemini/v1beta/models/gemini-x:generateContent/",
    "/gemini/v1beta/models/gemini-x:GenerateContent",
    "/gemini/v1beta/models/gemini-x:batchembedcontents",
    "/gemini/v1beta/models/gemini-x%3Agenerate%43ontent",
    "/gemini/v1beta/models/a%2Fb%3Agenerate%43ontent",
  ])("%j leads nowhere", (path) => {
    expect(target(path)).toBeUndefined();
  });
});

test("a dialect's own endpoint belongs to no provider", () => {
  expect(targetOfDialect("/v1/messages", "?beta=true", "anthropic")).toEqual({
    dialect: "anthropic",
    upstream: undefined,
    operation: "generate",
    path: "/v1/messages",
    query: "?beta=true",
  });
});

describe("beneath a dialect", () => {
  test.each([
    ["/v1/models/lab%2Fqwen3%3A8b", "chat", { operation: "models", model: "lab/qwen3:8b" }],
    ["/v1/models/lab/qwen3:8b", "chat", { operation: "models", model: "lab/qwen3:8b" }],
    ["/v1beta/models/lab%2Fqwen3:generateContent", "gemini", { operation: "generate", model: "lab/qwen3" }],
    ["/v1beta/lab/qwen3:generateContent", "gemini", { operation: "generate", model: "lab/qwen3" }],
    [
      "/v1beta/lab/a/b:8b:streamGenerateContent",
      "gemini",
      { operation: "generate", model: "lab/a/b:8b", stream: true },
    ],
    ["/v1beta/tunedModels/x:generateContent", "gemini", { operation: "administer" }],
    ["/v1beta/lab/qwen3:generateContent", "anthropic", { operation: "administer" }],
  ] as const)("%s (%s)", (path, dialect, expected) => {
    expect(isAmbiguousPath(path)).toBe(false);
    expect(targetOfDialect(path, "", dialect)).toMatchObject(expected);
  });
});

test.each([
  "/proxy/openai/v1/x/../chat/completions",
  "/proxy/openai/%2e%2e/x",
  "/proxy/openai//v1",
  "/proxy/openai/v1/a%2Fb",
  "/proxy/openai%2Fv1/models/x",
  "/proxy/openai/v1/models/a%2Fb/x",
  "/proxy/openai/v1/models/..%2Fchat%2Fcompletions",
  "/proxy/openai/v1/models/a%2F..%2F..%2Fchat%2Fcompletions",
  "/proxy/openai/v1/models/a%2F%2e%2e%2Fb",
  "/proxy/openai/v1/models/a%2F%252e%252e%2Fb",
  "/proxy/openai/v1/models/a%2F..%252Fb",
  "/proxy/openai/v1/models/a%252F..%2Fb",
  "/proxy/openai/v1/models/a%5C..%5Cb",
  "/proxy/openai/v1/models/a%2F%2Fb",
  "/proxy/openai/v1/models/%2Fa",
  "/proxy/openai/v1/models/a%2F",
  "/proxy/openai/v1/models/a%2F;x",
  "/proxy/openai/v1/models/a%2F%zz",
  "/proxy/openai/.",
  "/a\\b",
])("%s could be read in two ways", (path) => {
  expect(isAmbiguousPath(path)).toBe(true);
});
