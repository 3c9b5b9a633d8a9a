import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ToolFailure } from "../failure.ts";
import { RUNNING, temporaryDirectory, Workspace } from "../testing.ts";
import { LocalFiles } from "./local-files.ts";
import { MAX_EDIT_BYTES } from "./operations.ts";

const WHOLE = { startLine: 1, maxBytes: 1_000_000, signal: RUNNING };

async function failureOf(promise: Promise<unknown>): Promise<ToolFailure> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof ToolFailure) return error;
  throw new Error(`expected a ToolFailure, got ${String(error)}`);
}

test("a slice begins at a line and ends after so many bytes", async () => {
  const { files } = new Workspace({ "a.txt": "one\ntwo\nthree\nfour" });
  const { bytes, truncated, size, lineCount } = await files.read("a.txt", {
    startLine: 2,
    maxBytes: 7,
    signal: RUNNING,
  });
  expect({ text: Buffer.from(bytes).toString(), truncated, size, lineCount }).toEqual({
    text: "two\nthr",
    truncated: true,
    size: 18,
    lineCount: 4,
  });
});

test("a slice that ends where the file ends is not truncated", async () => {
  const { files } = new Workspace({ "a.txt": "one\ntwo\n" });
  expect(await files.read("a.txt", { startLine: 2, maxBytes: 4, signal: RUNNING })).toMatchObject({
    truncated: false,
    lineCount: 2,
  });
});

test("the version is that of the whole file, however little of it was read", async () => {
  const workspace = new Workspace({ "a.txt": "one\ntwo\n" });
  const whole = await workspace.files.read("a.txt", WHOLE);
  const part = await workspace.files.read("a.txt", { startLine: 2, maxBytes: 1, signal: RUNNING });
  expect(part.version).toBe(whole.version);
  workspace.put("a.txt", "One\ntwo\n");
  expect((await workspace.files.read("a.txt", WHOLE)).version).not.toBe(whole.version);
});

test("a line deep inside a file larger than any buffer is found, and such a file has no version", async () => {
  const line = `${"x".repeat(99)}\n`;
  const lines = Math.ceil(MAX_EDIT_BYTES / line.length) + 1_000;
  const workspace = new Workspace({ "big.txt": `${line.repeat(lines)}the end\n` });
  const startLine = lines + 1;
  const slice = await workspace.files.read("big.txt", { startLine, maxBytes: 100, signal: RUNNING });
  expect(Buffer.from(slice.bytes).toString()).toBe("the end\n");
  expect(slice.version).toBeUndefined();
});

test("what is no regular file is refused and not waited for", async () => {
  const { root, files } = new Workspace({ "directory/a.txt": "x" });
  execFileSync("mkfifo", [join(root, "pipe")]);
  const server = createServer().listen(join(root, "socket"));
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  for (const [path, kind] of [
    ["pipe", "a named pipe"],
    ["socket", "a socket"],
    ["directory", "a directory"],
  ] as const) {
    const failure = await failureOf(files.read(path, WHOLE));
    expect([failure.code, failure.message]).toEqual(["invalid_arguments", expect.stringContaining(kind)]);
  }
  const written = await failureOf(files.write("pipe", Buffer.from("x"), { expected: null, signal: RUNNING }));
  expect(written.code).toBe("invalid_arguments");
});

test("a device is refused", async () => {
  const files = new LocalFiles("/dev");
  onTestFinished(() => files.close());
  expect((await failureOf(files.read("zero", WHOLE))).message).toContain("is a device");
});

test("replacing a file keeps its mode and leaves nothing else behind", async () => {
  const { root, files, text } = withText("old");
  chmodSync(join(root, "a.txt"), 0o750);
  const { version } = await files.read("a.txt", WHOLE);
  const written = await files.write("a.txt", Buffer.from("new"), { expected: version ?? null, signal: RUNNING });
  expect(text()).toBe("new");
  expect(statSync(join(root, "a.txt")).mode & 0o7777).toBe(0o750);
  expect(readdirSync(root)).toEqual(["a.txt"]);
  expect(written.version).toBe((await files.read("a.txt", WHOLE)).version);
});

test("replacing a file that a symlink names leaves the symlink", async () => {
  const { root, files, text } = withText("old");
  symlinkSync("a.txt", join(root, "link"));
  const { version } = await files.read("link", WHOLE);
  expect((await files.write("link", Buffer.from("new"), { expected: version ?? null, signal: RUNNING })).path).toBe(
    "a.txt",
  );
  expect(text()).toBe("new");
  expect(readdirSync(root).sort()).toEqual(["a.txt", "link"]);
});

test("a file that is marked read-only is not replaced, not even by root", async () => {
  const { root, files, text } = withText("old");
  chmodSync(join(root, "a.txt"), 0o444);
  const { version } = await files.read("a.txt", WHOLE);
  const failure = await failureOf(
    files.write("a.txt", Buffer.from("new"), { expected: version ?? null, signal: RUNNING }),
  );
  expect(failure.message).toBe("Could not write a.txt: it is marked read-only.");
  expect(text()).toBe("old");
});

test("a new file gets the usual mode", async () => {
  const { root, files } = new Workspace();
  await files.write("a.txt", Buffer.from("x"), { expected: null, signal: RUNNING });
  expect(statSync(join(root, "a.txt")).mode & 0o777).toBe(0o666 & ~process.umask());
});

test("a file that is no longer what was read is not replaced", async () => {
  const { files, root, text } = withText("old");
  const { version } = await files.read("a.txt", WHOLE);
  writeFileSync(join(root, "a.txt"), "theirs");
  const failure = await failureOf(
    files.write("a.txt", Buffer.from("mine"), { expected: version ?? null, signal: RUNNING }),
  );
  expect(failure.code).toBe("stale_file");
  expect(text()).toBe("theirs");
});

test("a file that should be new is not written over", async () => {
  const { files, text } = withText("theirs");
  const failure = await failureOf(files.write("a.txt", Buffer.from("mine"), { expected: null, signal: RUNNING }));
  expect(failure.code).toBe("stale_file");
  expect(text()).toBe("theirs");
});

test("of many writers of one new file exactly one succeeds", async () => {
  const workspace = new Workspace();
  const { files } = workspace;
  const writes = Array.from({ length: 20 }, (_, index) =>
    files.write("a.txt", Buffer.from(`writer ${index}`), { expected: null, signal: RUNNING }).then(
      () => `writer ${index}`,
      () => undefined,
    ),
  );
  const winners = (await Promise.all(writes)).filter((winner) => winner !== undefined);
  expect(winners).toHaveLength(1);
  expect(winners[0]).toBe(workspace.text("a.txt"));
});

test("a write that was stopped changes nothing", async () => {
  const { files, root } = new Workspace();
  const failure = await failureOf(
    files.write("a.txt", Buffer.from("x"), { expected: null, signal: AbortSignal.abort() }),
  );
  expect(failure.code).toBe("interrupted");
  expect(readdirSync(root)).toEqual([]);
});

// The tests may run as root, whom no mode keeps from writing. Not even root creates files here.
test.skipIf(!existsSync("/sys/kernel"))("a place that cannot be written to is named in a sentence", async () => {
  const files = new LocalFiles("/sys/kernel");
  onTestFinished(() => files.close());
  const failure = await failureOf(files.write("loom.txt", Buffer.from("x"), { expected: null, signal: RUNNING }));
  expect(failure.code).toBe("io");
  expect(failure.message).toMatch(
    /^Could not write loom\.txt: (permission is denied|the system does not permit it|the file system is read-only)\.$/,
  );
});

test("a workspace that does not exist cannot be opened", () => {
  expect(() => new LocalFiles(join(temporaryDirectory(), "none"))).toThrow("ENOENT");
});

function withText(content: string) {
  const workspace = new Workspace({ "a.txt": content });
  return { root: workspace.root, files: workspace.files, text: () => workspace.text("a.txt") };
}
