import { afterEach, expect, test } from "vitest";
import { anthropicRequest } from "../client-requests.testing.ts";
import { exchange } from "../raw-exchange.testing.ts";
import { type Delivery, say } from "./reply.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";

let model: ScriptedModel | undefined;

afterEach(() => model?.close());

async function deliver(text: string, delivery: Delivery) {
  model = await startScriptedModel({ script: () => say(text, { delivery }) });
  return exchange(`${model.url}/v1/messages`, anthropicRequest({ stream: true }));
}

function textOf(stream: string): string {
  return [...stream.matchAll(/"text_delta","text":("(?:[^"\\]|\\.)*")/g)]
    .map(([, json = '""']) => JSON.parse(json))
    .join("");
}

test("10,000 deltas arrive complete and in order", async () => {
  const text = Array.from({ length: 10_000 }, (_, index) => `${String(index).padStart(11, "0")} `).join("");
  const response = await deliver(text, { deltas: 10_000 });
  expect(response.text.match(/content_block_delta\n/g)).toHaveLength(10_000);
  expect(textOf(response.text)).toBe(text);
});

test("writes of one byte cut every character and change nothing", async () => {
  const whole = await deliver("schön 🎉", {});
  await model?.close();
  const bytewise = await deliver("schön 🎉", { bytesPerWrite: 1 });
  expect(bytewise.text).toBe(whole.text);
  expect(bytewise.chunks.length).toBeGreaterThan(100);
});

test("line ends can be CRLF throughout", async () => {
  const { text } = await deliver("Hello", { lineEnd: "\r\n" });
  expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  expect(text.endsWith("\r\n\r\n")).toBe(true);
});

test("a gap between writes lets events arrive one by one", async () => {
  const { text, chunks } = await deliver("One two three", { deltas: 3, gapMs: 2 });
  expect(textOf(text)).toBe("One two three");
  expect(chunks.length).toBeGreaterThan(1);
});

test("noise leaves the text as it is", async () => {
  const { text } = await deliver("Hello there, this is quite a bit of text.", { noise: true, deltas: 9 });
  expect(text).toContain(": keep-alive");
  expect(text).toContain("message_weather");
  expect(textOf(text)).toBe("Hello there, this is quite a bit of text.");
});
