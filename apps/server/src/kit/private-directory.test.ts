import { stat } from "node:fs/promises";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../testing.ts";
import { makePrivateDirectory } from "./private-directory.ts";

test("missing directories are made for their owner alone, existing ones stay as they are", async () => {
  await using directory = await temporaryDirectory();
  makePrivateDirectory(`${directory.path}/a/b/c`);
  makePrivateDirectory(`${directory.path}/a/b/c`);
  for (const name of ["a", "a/b", "a/b/c"]) {
    expect((await stat(`${directory.path}/${name}`)).mode & 0o777).toBe(0o700);
  }
});

test.runIf(process.platform === "linux")(
  "a place where nothing can be made is an error and not an endless wait",
  () => {
    expect(() => makePrivateDirectory("/proc/loom/data")).toThrow("ENOENT");
  },
);
