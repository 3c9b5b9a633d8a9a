import { describe, expect, test } from "vitest";
import { areForeignEvents, isForeignDocument, mayBeForeignDocument } from "./answer-signs.ts";

/** The least that servers answer with, in each dialect, and some that are unusual. */
const ANSWERS: readonly string[] = [
  '{"type":"message","role":"assistant","content":[]}',
  '{"content":[{"type":"text","text":"Hi"}]}',
  '{"completion":" Hi","stop_reason":"stop_sequence"}',
  '{"choices":[{"message":{"content":"Hi"}}]}',
  '{"created":1,"choices":[]}',
  '{"error":null,"choices":[{"text":"Hi"}]}',
  '{"prompt_filter_results":[],"choices":[]}',
  '{"status":"completed","output":[]}',
  '{"object":"response","status":"queued"}',
  '{"candidates":[{"finishReason":"STOP"}]}',
  '{"promptFeedback":{"blockReason":"SAFETY"}}',
  '{"usageMetadata":{"promptTokenCount":3}}',
  '{"response":{"candidates":[]}}',
  '{"predictions":["Hi"]}',
  '\uFEFF {\n  "choices" : [] }',
];

const OTHERS: readonly string[] = [
  '{"status":"ok"}',
  '{"message":"hello"}',
  '{"code":500,"msg":"404 NOT_FOUND","success":false}',
  '{"data":{"id":7,"model":"m"}}',
];

describe("a document", () => {
  test.each(ANSWERS)("may be an answer: %s", (text) => {
    expect(isForeignDocument(text)).toBe(false);
    expect(isForeignDocument(`[{"status":"ok"},${text.replace("\uFEFF", "")}]`)).toBe(false);
  });

  test.each(OTHERS)("is none: %s", (text) => {
    expect(isForeignDocument(text)).toBe(true);
    expect(isForeignDocument(`[${text}]`)).toBe(true);
  });

  test.each(["", "[]", "{}", "[{}]", "null", '"choices"', '["a"]', '{"status":"ok"', "[[]]"])(
    "is not judged: %j",
    (text) => {
      expect(isForeignDocument(text)).toBe(false);
    },
  );
});

test.each(["{}", " [ ]\n"])("nothing is an answer only where it may be: %j", (text) => {
  expect(isForeignDocument(text)).toBe(false);
  expect(isForeignDocument(text, { mayBeEmpty: false })).toBe(true);
});

describe("a document that has only begun", () => {
  test.each(['{"id":"1","obj', '{\n  "candidates": [', '\xef\xbb\xbf{ "model":"m"', "[", "\n\n", "data: {"])(
    "need not be waited for: %j",
    (text) => expect(mayBeForeignDocument(text)).toBe(false),
  );

  test.each(["{", "{ }", "[\n]", '{"sta', '{"ch', '\xef\xbb\xbf\n{ "checks":[{"id":1}]', '{"created":1,"choices":'])(
    "may be anything: %j",
    (text) => expect(mayBeForeignDocument(text)).toBe(true),
  );
});

describe("events", () => {
  const events = (...data: readonly string[]) => data.map((each) => `data: ${each}\n\n`).join("");

  test.each([
    ...ANSWERS.map((text) => events(text.replaceAll(/[\uFEFF\n]/g, ""))),
    events('{"type":"ping"}'),
    events('{"status":"ok"}', '{"delta":"Hi"}'),
    events('{"status":"ok"}', "[DONE]"),
    ": ping\n\n",
    "data: {}\n\n",
    "event: message_start\n",
    "data: [DONE]\n\n",
  ])("may be those of an answer: %j", (text) => {
    expect(areForeignEvents(text)).toBe(false);
  });

  test.each(['data: {"status":"ok"}\n\n', ': hello\n\nid: 1\ndata:{"x":1}\n\n', 'id: 1\rdata: {"x":1}\r\r'])(
    "are others: %j",
    (text) => {
      expect(areForeignEvents(text)).toBe(true);
    },
  );
});
