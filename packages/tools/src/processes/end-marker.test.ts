import fc from "fast-check";
import { expect, test } from "vitest";
import { EndMarker } from "./end-marker.ts";

const MARKER = "\x1eloom:id:";

/** The output in a stream that comes in these chunks. */
function run(chunks: readonly Buffer[]): { output: string; passed: boolean } {
  const end = new EndMarker(Buffer.from(MARKER));
  const output = chunks.map((chunk) => end.push(chunk));
  output.push(end.end());
  return { output: Buffer.concat(output).toString("latin1"), passed: end.passed };
}

/** Text that is rich in beginnings of the marker. */
const output = fc
  .array(fc.oneof(fc.constantFrom("\x1e", "\x1eloom", "\x1eloom:id", "\n", "a"), fc.string()), { maxLength: 12 })
  .map((parts) => parts.join("").replaceAll(MARKER, ""));

test("any split of the stream gives the same output, and what follows the marker is dropped", () => {
  fc.assert(
    fc.property(output, fc.string(), fc.array(fc.nat(200), { maxLength: 20 }), (text, rest, cuts) => {
      fc.pre(!text.includes(MARKER));
      const stream = Buffer.from(`${text}${MARKER}${rest}`);
      const points = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
      const chunks = points.slice(1).map((point, index) => stream.subarray(points[index], point));
      expect(run(chunks)).toEqual({ output: Buffer.from(text).toString("latin1"), passed: true });
    }),
  );
});

test("a stream that ends without a marker loses nothing", () => {
  expect(run([Buffer.from("abc\x1elo")])).toEqual({ output: "abc\x1elo", passed: false });
});
