import { afterEach, describe, expect, test } from "vitest";
import { callTool, say } from "../model/reply.ts";
import { type ScriptedModel, startScriptedModel } from "../model/scripted-model.ts";
import { exchange } from "../raw-exchange.testing.ts";

let model: ScriptedModel | undefined;
afterEach(() => model?.close());

const headers = { "x-goog-api-key": "test-key" };
const contents = [{ role: "user", parts: [{ text: "Hello" }] }];
const path = (method: string) => `${model?.url}/v1beta/models/gemini-test:${method}`;

describe("Gemini's dialect", () => {
  test("answers in one piece", async () => {
    model = await startScriptedModel({ script: [say("Grüße", { usage: { inputTokens: 5, outputTokens: 2 } })] });
    const { status, text } = await exchange(path("generateContent"), { headers, body: { contents } });
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({
      candidates: [{ content: { role: "model", parts: [{ text: "Grüße" }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 },
      modelVersion: "gemini-test",
    });
    expect(model.requests[0]?.conversation).toMatchObject({ dialect: "gemini", model: "gemini-test", prompt: "Hello" });
  });

  test("streams events that end without a sentinel", async () => {
    model = await startScriptedModel({ script: [say("Grüße aus dem Test", { delivery: { deltas: 3 } })] });
    const { text } = await exchange(path("streamGenerateContent?alt=sse"), { headers, body: { contents } });
    const chunks = text
      .trim()
      .split("\n\n")
      .map((event) => JSON.parse(event.slice(6)));
    expect(chunks.map((chunk) => chunk.candidates[0].content.parts[0].text).join("")).toBe("Grüße aus dem Test");
    expect(chunks.at(-1).candidates[0].finishReason).toBe("STOP");
  });

  test("takes a tool's answer for the call of that name", async () => {
    model = await startScriptedModel({ script: [callTool("read_file", { path: "a" }), say("Done.")] });
    const first = await exchange(path("generateContent"), { headers, body: { contents } });
    const { content } = JSON.parse(first.text).candidates[0];
    expect(content.parts[0]).toMatchObject({
      functionCall: { name: "read_file", args: { path: "a" } },
      thoughtSignature: expect.any(String),
    });
    const answer = { role: "user", parts: [{ functionResponse: { name: "read_file", response: { output: "text" } } }] };
    await exchange(path("generateContent"), { headers, body: { contents: [...contents, content, answer] } });
    expect(model.requests[1]?.conversation?.toolResults).toMatchObject([
      { name: "read_file", input: { path: "a" }, text: "text" },
    ]);
    const unanswered = await exchange(path("generateContent"), {
      headers,
      body: { contents: [...contents, content, ...contents] },
    });
    expect(unanswered.status).toBe(400);
    expect(JSON.parse(unanswered.text).error).toMatchObject({ code: 400, status: "INVALID_ARGUMENT" });
  });

  test("counts tokens and lists models", async () => {
    model = await startScriptedModel({ script: [], models: ["gemini-test"] });
    const counted = await exchange(path("countTokens"), { headers, body: { contents } });
    expect(JSON.parse(counted.text).totalTokens).toBeGreaterThan(0);
    const listed = await exchange(`${model.url}/v1beta/models`, { method: "GET", headers });
    expect(JSON.parse(listed.text)).toMatchObject({ models: [{ name: "models/gemini-test" }] });
  });
});
