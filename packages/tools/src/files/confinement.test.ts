import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ToolFailure } from "../failure.ts";
import { RUNNING, temporaryDirectory } from "../testing.ts";
import { LocalFiles } from "./local-files.ts";

describe.each(["held-directories", "paths"] as const)("a workspace confined by %s", (confinement) => {
  function workspace() {
    const parent = temporaryDirectory();
    const root = join(parent, "workspace");
    mkdirSync(join(root, "src"), { recursive: true });
    writeFileSync(join(root, "src/a.txt"), "inside");
    mkdirSync(join(parent, "outside"));
    writeFileSync(join(parent, "outside/secret.txt"), "outside");
    return { root, outside: join(parent, "outside"), files: new LocalFiles(root, { confinement }) };
  }

  async function read(files: LocalFiles, path: string): Promise<string> {
    try {
      const { bytes } = await files.read(path, { startLine: 1, maxBytes: 1_000, signal: RUNNING });
      return Buffer.from(bytes).toString();
    } catch (error) {
      return error instanceof ToolFailure ? error.code : String(error);
    }
  }

  async function create(files: LocalFiles, path: string): Promise<string> {
    try {
      const { path: written } = await files.write(path, Buffer.from("new"), { expected: null, signal: RUNNING });
      return written;
    } catch (error) {
      return error instanceof ToolFailure ? error.code : String(error);
    }
  }

  test("reads by relative path, by absolute path and with dots in it", async () => {
    const { root, files } = workspace();
    for (const path of ["src/a.txt", "./src//a.txt", "src/../src/a.txt", join(root, "src/a.txt")]) {
      expect(await read(files, path)).toBe("inside");
    }
  });

  test("takes the path by which the workspace was opened, though it leads through a symlink", async () => {
    const { root } = workspace();
    const link = join(temporaryDirectory(), "link");
    symlinkSync(root, link);
    expect(await read(new LocalFiles(link, { confinement }), join(link, "src/a.txt"))).toBe("inside");
  });

  test("follows symlinks that stay inside, relative and absolute", async () => {
    const { root, files } = workspace();
    symlinkSync("src", join(root, "relative"));
    symlinkSync(join(root, "src"), join(root, "absolute"));
    symlinkSync("../relative/a.txt", join(root, "src/twice"));
    for (const path of ["relative/a.txt", "absolute/a.txt", "src/twice", "relative/twice"]) {
      expect(await read(files, path)).toBe("inside");
    }
  });

  test("refuses every way out", async () => {
    const { root, outside, files } = workspace();
    symlinkSync("../outside", join(root, "relative"));
    symlinkSync(outside, join(root, "absolute"));
    symlinkSync("../../outside/secret.txt", join(root, "src/file"));
    symlinkSync("absolute", join(root, "chain"));
    const ways = [
      "../outside/secret.txt",
      "src/../../outside/secret.txt",
      join(outside, "secret.txt"),
      "/etc/passwd",
      `${root}-other/x`,
      "relative/secret.txt",
      "absolute/secret.txt",
      "src/file",
      "chain/secret.txt",
    ];
    for (const path of ways) expect([path, await read(files, path)]).toEqual([path, "path_outside_workspace"]);
    for (const path of ways) expect([path, await create(files, path)]).toEqual([path, "path_outside_workspace"]);
    expect(readdirSync(outside)).toEqual(["secret.txt"]);
  });

  test("does not make directories outside on the way to a file that it refuses", async () => {
    const { root, outside, files } = workspace();
    symlinkSync(outside, join(root, "link"));
    expect(await create(files, "link/new/file.txt")).toBe("path_outside_workspace");
    expect(await create(files, "../sibling/new/file.txt")).toBe("path_outside_workspace");
    expect(readdirSync(outside)).toEqual(["secret.txt"]);
    expect(existsSync(join(root, "../sibling"))).toBe(false);
  });

  test("does not create a file outside through a symlink that leads nowhere yet", async () => {
    const { root, outside, files } = workspace();
    symlinkSync(join(outside, "planted.txt"), join(root, "dangling"));
    expect(await create(files, "dangling")).toBe("path_outside_workspace");
    expect(readdirSync(outside)).toEqual(["secret.txt"]);
  });

  test("gives up on symlinks that lead in a circle", async () => {
    const { root, files } = workspace();
    symlinkSync("b", join(root, "a"));
    symlinkSync("a", join(root, "b"));
    expect(await read(files, "a")).toBe("io");
  });

  test("makes missing parents inside, and says where the file really is", async () => {
    const { root, files } = workspace();
    symlinkSync("src", join(root, "link"));
    expect(await create(files, "link/new/deep/b.txt")).toBe("src/new/deep/b.txt");
    expect(await read(files, "src/new/deep/b.txt")).toBe("new");
  });

  test("tells what is missing from what is no directory", async () => {
    const { files } = workspace();
    expect(await read(files, "src/none.txt")).toBe("file_not_found");
    expect(await read(files, "none/none.txt")).toBe("file_not_found");
    expect(await read(files, "src/a.txt/x")).toBe("io");
    expect(await read(files, "src/a\0b")).toBe("invalid_arguments");
  });

  test("lets go of everything that it opens", async () => {
    const { files } = workspace();
    const before = readdirSync("/proc/self/fd").length;
    for (let round = 0; round < 50; round += 1) {
      await read(files, "src/a.txt");
      await read(files, "src/none/none");
      await read(files, "../x");
      await files.list(".", { maxResults: 10, signal: RUNNING });
    }
    expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
  });
});
