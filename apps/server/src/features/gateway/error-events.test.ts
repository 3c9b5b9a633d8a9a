import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorEventFilter } from "./error-events.ts";

const KEY = "KEY-3f2504e0";
const redact = (text: string): string => text.replaceAll(KEY, "[redacted]");

function filtered(text: string, cuts: readonly number[] = []): string {
  const filter = new ErrorEventFilter(redact);
  const bytes = Buffer.from(text, "utf8");
  const edges = [0, ...[...cuts].map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
  const parts = edges.slice(1).map((end, index) => filter.push(Buffer.from(bytes.subarray(edges[index], end))));
  return Buffer.concat([...parts, filter.end()]).toString("utf8");
}

const ERRORS = {
  "a named event": `event: error\ndata: {"message":"${KEY}"}\n\n`,
  "a named event that is no JSON": `event:error\r\ndata: Bad ${KEY}\r\n\r\n`,
  "Anthropic's": `data: {"type":"error","error":{"message":"${KEY}"}}\n\n`,
  "OpenAI's": `data: {"error":{"message":"é ${KEY}"}}\n\n`,
  "one beside a choice": `data: {"id":"x","choices":[{"delta":{},"finish_reason":"error"}],"error":{"message":"${KEY}"}}\n\n`,
  "one within a choice": `data: {"choices":[{"error":{"message":"${KEY}"}}]}\n\n`,
  "that of Responses": `data: {"type":"response.failed","response":{"error":{"message":"${KEY}"}}}\n\n`,
  "one in several lines": `data: {"error":\ndata: {"message":"${KEY}"}}\n\n`,
  "Gemini's behind the events": `{"error":{"message":"${KEY}"}}\n`,
  "the same for people": `{\n  "error": {\n    "message": "${KEY}"\n  }\n}\n`,
  "one whose end is missing": `data: {"error":{"message":"${KEY}`,
};

const OTHERS = [
  `event: message\ndata: {"delta":{"text":"an error: \\"error\\" ${KEY}"}}\n\n`,
  `data: {"type":"response.created","response":{"error":null,"instructions":"${KEY}"}}\n\n`,
  `data: {"candidates":[{"content":{"parts":[{"functionCall":{"args":{"error":"${KEY}"}}}]}}]}\n\n`,
  `: error ${KEY}\n\n`,
];

describe("an error in a stream", () => {
  test.each(Object.entries(ERRORS))(
    "%s has no secret in it, however it is cut; what stands around it is as it came",
    (_name, error) => {
      const before = OTHERS.join("");
      const after = error.endsWith("\n") ? `\n${OTHERS.join("")}` : "";
      const clean = before + redact(error) + after;
      fc.assert(
        fc.property(fc.array(fc.nat(Buffer.byteLength(clean))), (cuts) => {
          expect(filtered(before + error + after, cuts)).toBe(clean);
        }),
      );
    },
  );

  test("a line's two ends may come apart", () => {
    const error = ERRORS["a named event that is no JSON"];
    for (let cut = 0; cut <= error.length; cut += 1) expect(filtered(error, [cut])).toBe(redact(error));
    expect(filtered(error, [11, 12])).toBe(redact(error));
  });

  test("any other bytes pass as they are, however they are cut", () => {
    const part = fc.constantFrom("\n", "\r", "\r\n", "error", '"error"', "event: error", "data: ", "{", "é", "x");
    fc.assert(
      fc.property(fc.array(part), fc.array(fc.nat(60)), (parts, cuts) => {
        expect(filtered(parts.join(""), cuts)).toBe(parts.join(""));
      }),
    );
  });

  test("a line that is too long goes out before its end, and the next one is looked at", () => {
    const filter = new ErrorEventFilter(redact);
    const long = Buffer.from(`data: {"delta":"${"x".repeat(300_000)}`);
    expect(filter.push(long)).toEqual(long);
    expect(filter.push(Buffer.from("yy")).toString()).toBe("yy");
    expect(filter.push(Buffer.from(`"}\n\n${ERRORS["OpenAI's"]}`)).toString()).toBe(
      `"}\n\n${redact(ERRORS["OpenAI's"])}`,
    );
  });
});
