import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./ledger.testing.ts";
import { readTrace } from "./read-trace.ts";

test("a line that a kill has torn says nothing, wherever it was torn", async () => {
  await using home = await temporaryDirectory();
  const file = join(home.path, "p.000001.requests");
  const opened = `${JSON.stringify({ id: "req-1", worst: {}, nodes: [] })}\n`;
  const [closed, told] = ["-req-1 12345;", "=12;"];
  const read = async (text: string) => {
    writeFileSync(file, text);
    const { costMicroUsd, toldWith } = (await readTrace([file])).requests.get("req-1") ?? {};
    return [costMicroUsd, toldWith];
  };
  for (let length = 0; length < closed.length; length += 1) {
    expect(await read(opened + closed.slice(0, length))).toEqual([undefined, undefined]);
  }
  for (let length = 0; length < told.length; length += 1) {
    expect(await read(`${opened}${closed}\n${told.slice(0, length)}`)).toEqual([12345, undefined]);
  }
  expect(await read(`${opened}${closed}\n${told}`)).toEqual([12345, 12]);
  // After a write that was cut off, the whole of it comes again.
  expect(await read(`${opened}${closed.slice(0, 9)}\n${closed}\n=1\n${told}\n`)).toEqual([12345, 12]);
});
