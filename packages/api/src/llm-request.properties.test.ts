import fc from "fast-check";
import { expect, test } from "vitest";
import { parseLlmRequest } from "./llm-request.ts";
import { llmRequest } from "./schemas/llm-request.ts";

/** One of everything that a request can hold. */
const FULL = {
  model: "default",
  system: "Be brief.",
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "Hi", signature: "s", cache: "5m" },
        { type: "image", mediaType: "image/png", data: "iVBO", cache: "1h" },
        { type: "remote_image", source: { type: "url", url: "https://a.example/a.png", mediaType: "image/png" } },
        { type: "document", source: { type: "file", fileId: "file_1" }, title: "a.pdf" },
        { type: "document", source: { type: "base64", mediaType: "application/pdf", data: "JVBE" } },
        { type: "document", source: { type: "text", text: "One." } },
        { type: "opaque", dialect: "chat", data: { type: "input_audio" } },
      ],
    },
    {
      role: "assistant",
      content: [
        { type: "thinking", text: "Hm.", signature: "EqQ", redactedData: "Emw", dialect: "anthropic" },
        { type: "tool_use", id: "a", name: "bash", input: { n: 1 }, malformedInput: "{", signature: "s", cache: "5m" },
        { type: "opaque", dialect: "anthropic", data: {} },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", toolCallId: "a", content: [{ type: "text", text: "ok" }], isError: false, cache: "1h" },
      ],
    },
  ],
  tools: [{ name: "bash", description: "Runs.", inputSchema: { type: "object" }, strict: true, cache: "5m" }],
  maxTokens: 100,
  temperature: 0.5,
  topP: 0.9,
  topK: 40,
  stopSequences: ["END"],
  seed: -1,
  systemCache: "5m",
  toolChoice: { type: "tool", name: "bash" },
  parallelToolCalls: false,
  providerTools: [{ dialect: "anthropic", definition: { type: "web_search_20250305" } }],
  thinking: { type: "on", effort: "high", budgetTokens: 2_000, visible: true },
  output: { type: "json_schema", name: "answer", schema: {}, strict: true, description: "An answer." },
  userId: "me",
  cacheKey: "s1",
};

type Path = readonly (string | number)[];

/** Every place in a value, from the outside in. */
function placesIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...path, key]))];
}

/** The value with what lies at the path replaced, or taken away. */
function changed(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...Object(value) };
  const inner = changed(Reflect.get(copy, key), rest, replacement);
  if (inner === GONE && Array.isArray(copy)) copy.splice(Number(key), 1);
  else if (inner === GONE) Reflect.deleteProperty(copy, key);
  else Reflect.set(copy, key, inner);
  return copy;
}

const GONE = Symbol("gone");
const PLACES = placesIn(FULL);
const replacement = fc.oneof(
  fc.constant(GONE),
  fc.constantFrom<unknown>(
    "",
    "x",
    "5m",
    "auto",
    "none",
    0,
    -1,
    1.5,
    3,
    null,
    true,
    [],
    {},
    { type: "off" },
    { type: "none" },
    { type: "json" },
    { type: "text", text: "x" },
    { type: "text", text: "x", more: 1 },
    { type: "url", url: "x" },
    { type: "toString" },
  ),
);

test("the schema by hand takes and refuses what the schema does", () => {
  expect([parseLlmRequest(FULL).ok, llmRequest.safeParse(FULL).success]).toEqual([true, true]);
  fc.assert(
    fc.property(fc.constantFrom(...PLACES), replacement, (path, value) => {
      const given = changed(FULL, path, value);
      expect(parseLlmRequest(given).ok).toBe(llmRequest.safeParse(given).success);
    }),
    { numRuns: 3_000 },
  );
});

test("a wrong field is named by its place", () => {
  const given = changed(FULL, ["messages", 0, "content", 3, "source", "fileId"], 7);
  expect(parseLlmRequest(given)).toEqual({
    ok: false,
    errors: [{ field: "messages[0].content[3].source.fileId", message: "must be a string" }],
  });
});
