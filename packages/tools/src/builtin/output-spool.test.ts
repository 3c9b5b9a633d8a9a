import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { OutputSpool } from "./output-spool.ts";

async function spool(directory: string, chunks: readonly Uint8Array[]) {
  const output = new OutputSpool(directory);
  for (const chunk of chunks) await output.write(chunk);
  await output.close();
  return output.excerpt();
}

test("a short output stays in memory", async () => {
  const directory = temporaryDirectory();
  const { start, end, file } = await spool(directory, [
    Buffer.from("a".repeat(20_000)),
    Buffer.from("b".repeat(10_000)),
  ]);
  expect([start.length, end.length, file]).toEqual([30_000, 0, undefined]);
  expect(readdirSync(directory)).toEqual([]);
});

test("of a longer one the beginning and the end are at hand, and all of it is in a file for nobody else", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 8, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(sizes, async (lengths) => {
      const chunks = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      const whole = Buffer.concat(chunks);
      fc.pre(whole.length > 30_000);
      const { start, end, totalBytes, file } = await spool(join(temporaryDirectory(), "a/b"), chunks);
      expect(totalBytes).toBe(whole.length);
      expect(whole.subarray(0, 10_000).equals(start)).toBe(true);
      expect(whole.subarray(-20_000).equals(end)).toBe(true);
      expect(readFileSync(file ?? "").equals(whole)).toBe(true);
      expect(statSync(file ?? "").mode & 0o777).toBe(0o600);
    }),
    { numRuns: 20 },
  );
});

test("many tiny chunks give the same", async () => {
  const chunks = Array.from({ length: 50_000 }, (_, index) => Buffer.from([index % 251]));
  const { start, end } = await spool(temporaryDirectory(), chunks);
  const whole = Buffer.concat(chunks);
  expect(whole.subarray(0, 10_000).equals(start) && whole.subarray(-20_000).equals(end)).toBe(true);
});

test("only the newest outputs are kept, and no other file is touched", async () => {
  const directory = temporaryDirectory();
  for (let index = 0; index < 120; index += 1) writeFileSync(join(directory, `output-${1_000 + index}-ab.txt`), "");
  writeFileSync(join(directory, "other.txt"), "");
  const { file } = await spool(directory, [Buffer.alloc(40_000)]);
  const files = readdirSync(directory);
  expect(files).toHaveLength(101);
  expect(files).toContain("other.txt");
  expect(files).not.toContain("output-1020-ab.txt");
  expect(files).toContain("output-1021-ab.txt");
  expect(files.map((name) => join(directory, name))).toContain(file);
});

test("an output without end is refused at the limit, and what came before it is at hand", async () => {
  const output = new OutputSpool(temporaryDirectory(), { maxBytes: 50_000 });
  await output.write(Buffer.alloc(50_000));
  await expect(output.write(Buffer.alloc(1))).rejects.toMatchObject({
    code: "io",
    message: "The command printed more than 50000 bytes and was stopped.",
  });
  await output.close();
  expect(output.excerpt().totalBytes).toBe(50_001);
});

test("a disk that does not take the output costs the file, not the output", async () => {
  const parent = temporaryDirectory();
  writeFileSync(join(parent, "file"), "");
  const { start, end, totalBytes, file } = await spool(join(parent, "file"), [
    Buffer.alloc(40_000),
    Buffer.alloc(40_000),
  ]);
  expect([start.length, end.length, totalBytes, file]).toEqual([10_000, 20_000, 80_000, undefined]);
});
