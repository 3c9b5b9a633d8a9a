import { describe, expect, test } from "vitest";
import { anthropicMessages, gemini, type LlmCodec, openAiChat, openAiResponses } from "./index.ts";

const CLIENTS: readonly (readonly [string, LlmCodec, string])[] = [
  ["Chat Completions", openAiChat, "messages"],
  ["Responses", openAiResponses, "input"],
];

function sent(from: LlmCodec, body: object, to: LlmCodec) {
  const decoded = from.decodeRequest(JSON.stringify({ model: "m", ...body }));
  if (!decoded.ok) throw new Error(decoded.problem);
  return to.encodeRequest(decoded.request, { stream: false });
}

describe.each(CLIENTS)("by a client of %s", (_name, from, list) => {
  test("a conversation that the assistant begins goes to OpenAI, and is refused for others", () => {
    const first = { role: "assistant", content: "Welcome." };
    const body = { [list]: [first, { role: "user", content: "Hi" }] };
    expect(sent(from, body, openAiChat)).toMatchObject({
      body: { messages: [first, { role: "user", content: "Hi" }] },
    });
    expect(sent(from, body, openAiResponses)).toMatchObject({
      body: { input: [{ role: "assistant" }, { role: "user" }] },
    });
    for (const to of [anthropicMessages, gemini]) {
      expect(sent(from, body, to)).toMatchObject({
        problem: expect.stringMatching(/^messages must begin with what the user says, where they go to /),
      });
    }
  });

  test("instructions alone go to OpenAI, and are refused for others", () => {
    const body = { [list]: [{ role: "system", content: "Greet." }] };
    expect(sent(from, body, openAiChat)).toMatchObject({ body: { messages: [{ role: "system", content: "Greet." }] } });
    const responses = sent(from, body, openAiResponses);
    expect(responses).toMatchObject({ body: { input: [{ role: "developer", content: "Greet." }] } });
    expect(responses).not.toHaveProperty("body.instructions");
    for (const to of [anthropicMessages, gemini]) {
      expect(sent(from, body, to)).toMatchObject({
        problem: expect.stringMatching(/^messages hold nothing but instructions, which \S+ \S+ does not answer/),
      });
    }
  });

  test("nothing at all is refused", () => {
    expect(from.decodeRequest(JSON.stringify({ model: "m", [list]: [] }))).toMatchObject({
      problem: `${list} must not be empty.`,
    });
  });
});
