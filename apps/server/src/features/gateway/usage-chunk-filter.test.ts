import fc from "fast-check";
import { expect, test } from "vitest";
import { UsageChunkFilter } from "./usage-chunk-filter.ts";

const WANTED = [
  'data: {"choices":[{"delta":{"content":"Grüße \\"usage\\""}}],"usage":null}\n\n',
  ": ping\n\n",
  'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
];
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n';
const DONE = "data: [DONE]\n\n";

test.each([
  ["LF", "\n"],
  ["CR", "\r"],
  ["CRLF", "\r\n"],
])(
  "of lines that end in %s, the chunk with the counts goes, all else stays, wherever the bytes are cut",
  (_, lineEnd) => {
    const bytes = Buffer.from([...WANTED, USAGE, DONE].join("").replaceAll("\n", lineEnd));
    const expected = [...WANTED, DONE].join("");
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
        const filter = new UsageChunkFilter();
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const out = at.slice(1).map((end, index) => filter.push(bytes.subarray(at[index], end)));
        // A blank line that came by itself ends an event that is not there.
        const text = Buffer.concat([...out, filter.end()])
          .toString()
          .replaceAll(lineEnd, "\n")
          .replace(/\n\n\n+/g, "\n\n");
        expect(text).toBe(expected);
      }),
    );
  },
);

test("nothing waits for an LF where lines end in CRs", () => {
  const chunk = Buffer.from(WANTED.join("").replaceAll("\n", "\r"));
  expect(new UsageChunkFilter().push(chunk)).toEqual(chunk);
});

test("counts beside an answer stay, as Z.ai sends them", () => {
  const chunk = Buffer.from('data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}\n\n');
  expect(new UsageChunkFilter().push(chunk).toString()).toBe(chunk.toString());
});
