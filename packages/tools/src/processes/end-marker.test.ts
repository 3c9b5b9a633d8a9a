import fc from "fast-check";
import { expect, test } from "vitest";
import { EndMarker } from "./end-marker.ts";

const MARKER = "\x1eloom:id:";

/** Output and exit code of a stream that comes in these chunks. */
function run(chunks: readonly Buffer[]): { output: string; exitCode: number | undefined } {
  const end = new EndMarker(MARKER);
  const output = chunks.map((chunk) => end.push(chunk));
  output.push(end.end());
  return { output: Buffer.concat(output).toString("latin1"), exitCode: end.exitCode };
}

/** Text that is rich in beginnings of the marker. */
const output = fc
  .array(fc.oneof(fc.constantFrom("\x1e", "\x1eloom", "\x1eloom:id", "\n", "a"), fc.string()), { maxLength: 12 })
  .map((parts) => parts.join("").replaceAll(MARKER, ""));

test("any split of the stream gives the same output and exit code, and what follows the marker is dropped", () => {
  fc.assert(
    fc.property(
      output,
      fc.nat(255),
      fc.string(),
      fc.array(fc.nat(200), { maxLength: 20 }),
      (text, code, rest, cuts) => {
        fc.pre(!text.includes(MARKER));
        const stream = Buffer.from(`${text}${MARKER}${code}\n${rest}`);
        const points = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
        const chunks = points.slice(1).map((point, index) => stream.subarray(points[index], point));
        expect(run(chunks)).toEqual({ output: Buffer.from(text).toString("latin1"), exitCode: code });
      },
    ),
  );
});

test("a stream that ends without a marker loses nothing", () => {
  expect(run([Buffer.from("abc\x1elo")])).toEqual({ output: "abc\x1elo", exitCode: undefined });
  expect(run([Buffer.from(`abc${MARKER}1`)])).toEqual({ output: `abc${MARKER}1`, exitCode: undefined });
});
