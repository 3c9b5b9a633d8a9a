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
  "one whose name comes last": `data: {"message":"${KEY}"}\nevent: error\n\n`,
  "one with a name behind several lines": `: error\r\ndata: a ${KEY}\r\ndata: b ${KEY}\r\nevent:error\r\n\r\n`,
  "one whose lines end in CRs": `event: error\rdata: KEY is ${KEY}\r\r`,
  "one whose name comes last, behind a CR": `data: ${KEY}\revent: error\r\r`,
  "one with a line of blanks": `event: error\n  \ndata: ${KEY}\n\n`,
  "Anthropic's": `data: {"type":"error","error":{"message":"${KEY}"}}\n\n`,
  "OpenAI's": `data: {"error":{"message":"é ${KEY}"}}\n\n`,
  "one beside a choice": `data: {"id":"x","choices":[{"delta":{},"finish_reason":"error"}],"error":{"message":"${KEY}"}}\n\n`,
  "one within a choice": `data: {"choices":[{"error":{"message":"${KEY}"}}]}\n\n`,
  "that of Responses": `data: {"type":"response.failed","response":{"error":{"message":"${KEY}"}}}\n\n`,
  "one in several lines": `data: {"error":\ndata: {"message":"${KEY}"}}\n\n`,
  "one that says so in its last line": `data: {"message":"${KEY}",\ndata: "error":true}\n\n`,
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
      const after = /[\r\n]$/.test(error) ? `\n${OTHERS.join("")}` : "";
      const clean = before + redact(error) + after;
      fc.assert(
        fc.property(fc.array(fc.nat(Buffer.byteLength(clean))), (cuts) => {
          expect(filtered(before + error + after, cuts)).toBe(clean);
        }),
      );
    },
  );

  test.each(Object.entries(ERRORS))("%s has none either where all lines end in CRs", (_name, error) => {
    const text = [...OTHERS, error].join("").replaceAll(/\r?\n/g, "\r");
    const clean = [...OTHERS, redact(error)].join("").replaceAll(/\r?\n/g, "\r");
    fc.assert(
      fc.property(fc.array(fc.nat(Buffer.byteLength(clean))), (cuts) => {
        expect(filtered(text, cuts)).toBe(clean);
      }),
    );
  });

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

  test("what an answer consists of does not wait for the end of its event", () => {
    const filter = new ErrorEventFilter(redact);
    const lines = [
      'data: {"choices":[]}\n',
      "\n",
      "data: [DONE]\n",
      "\n",
      "event: x\n",
      'data: {"a":1}\n',
      "\n",
      ": ping\n",
      "\r",
      "id: 7\r",
    ];
    for (const line of lines) expect(filter.push(Buffer.from(line)).toString()).toBe(line);
    expect(filter.push(Buffer.from('data: {"a":1}\r\ndata: {"ch')).toString()).toBe("");
    expect(filter.push(Buffer.from("\n\ndata: x\n")).toString()).toBe('data: {"a":1}\r\ndata: {"ch\n\n');
    expect(filter.push(Buffer.from("\n")).toString()).toBe("data: x\n\n");
  });

  test("an error may begin in the same bytes as another one ends", () => {
    const filter = new ErrorEventFilter(redact);
    const parts = ["event: error\n", `data: 1\n\ndata: ${KEY}\n`, "event: error\n\n"];
    const out = parts.map((part) => filter.push(Buffer.from(part)).toString());
    expect(out).toEqual(["event: error\n", "data: 1\n\n", "data: [redacted]\nevent: error\n\n"]);
  });

  test("data that may be an error waits no further than 8 KiB, and no line of it further than 256", () => {
    const filter = new ErrorEventFilter(redact);
    const half = `data: ${"x".repeat(4_096)}\n`;
    expect(filter.push(Buffer.from(half)).length).toBe(0);
    expect(filter.push(Buffer.from(half)).toString()).toBe(half + half);
    expect(filter.push(Buffer.from(`\n${half}data: `)).toString()).toBe("\n");
    const long = "y".repeat(300_000);
    expect(filter.push(Buffer.from(long)).toString()).toBe(`${half}data: ${long}`);
    const rest = `\r${half}\n${ERRORS["one whose name comes last"]}`;
    expect(filter.push(Buffer.from(rest)).toString()).toBe(redact(rest));
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
