import { expect, test } from "vitest";
import { describeFailure } from "./failure.ts";

test.each([
  [
    "ENOSPC",
    "/x/journal.jsonl",
    "/x/journal.jsonl cannot be written: there is no space left on the disk: make room and try again.",
  ],
  ["EROFS", undefined, "A file cannot be written: the disk can only be read."],
])("%s is the disk's problem and not a mistake of ours", async (code, path, message) => {
  const error = Object.assign(new Error(`${code}: write`), { code }, path === undefined ? {} : { path });
  expect(await describeFailure(error)).toEqual({ exit: "not_saved", code: "not_saved", message });
});

test("what nobody foresaw is called a mistake of ours", async () => {
  expect(await describeFailure(new TypeError("x is not a function"))).toMatchObject({
    exit: "failed",
    message: "This should not have happened: x is not a function. Set LOOM_DEBUG=1 to see where.",
  });
});
