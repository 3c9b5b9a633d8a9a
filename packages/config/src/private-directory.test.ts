import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makePrivateDirectory } from "./private-directory.ts";

test("missing directories are made for their owner alone, existing ones stay as they are", async () => {
  const directory = await mkdtemp(join(tmpdir(), "loom-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  makePrivateDirectory(`${directory}/a/b/c`);
  makePrivateDirectory(`${directory}/a/b/c`);
  for (const name of ["a", "a/b", "a/b/c"]) {
    expect((await stat(`${directory}/${name}`)).mode & 0o777).toBe(0o700);
  }
});

test.runIf(process.platform === "linux")(
  "a place where nothing can be made is an error and not an endless wait",
  () => {
    expect(() => makePrivateDirectory("/proc/loom/data")).toThrow("ENOENT");
  },
);
