import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { codeOf, Workspace } from "../testing.ts";

test("the model reads numbered lines", async () => {
  const workspace = new Workspace({ "a.txt": "one\n\n\tthree" });
  const { display } = await workspace.call("read_file", { path: "a.txt" });
  expect(await workspace.model("read_file", { path: "a.txt" })).toBe("1\tone\n2\t\n3\t\tthree");
  expect(display).toEqual({ kind: "file", path: "a.txt", lines: 3, truncated: false });
});

test("line breaks and the byte order mark of Windows are not shown", async () => {
  const workspace = new Workspace({ "a.txt": "\ufeffone\r\ntwo\r\n" });
  expect(await workspace.model("read_file", { path: "a.txt" })).toBe("1\tone\n2\ttwo");
});

test("a file can be read from a line on", async () => {
  const workspace = new Workspace({ "a.txt": "one\ntwo\nthree\n" });
  expect(await workspace.model("read_file", { path: "a.txt", startLine: 2 })).toBe("2\ttwo\n3\tthree");
  expect(await workspace.model("read_file", { path: "a.txt", startLine: 9 })).toBe(
    "(the file has 3 lines; there is no line 9)",
  );
});

test("a file above the limit is cut between lines, with the line to go on from", async () => {
  const workspace = new Workspace({ "a.txt": "one\ntwo\nthree\n" });
  const result = await workspace.call("read_file", { path: "a.txt", maxBytes: 10 });
  expect(result.display).toMatchObject({ lines: 2, truncated: true });
  expect(await workspace.model("read_file", { path: "a.txt", maxBytes: 10 })).toBe(
    "1\tone\n2\ttwo\n[Truncated. The file has 14 bytes. Go on with startLine 3.]",
  );
});

test("following the hints reads a file of several megabytes whole", async () => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `line ${index} ${"ä".repeat(20)}`);
  const workspace = new Workspace({ "a.txt": `${lines.join("\n")}\n` });
  const seen: string[] = [];
  for (let startLine: number | undefined = 1; startLine !== undefined; ) {
    const text = await workspace.model("read_file", { path: "a.txt", startLine });
    const next = /\[Truncated\. .* startLine (\d+)\.\]$/.exec(text)?.[1];
    const shown = next === undefined ? text.split("\n") : text.split("\n").slice(0, -1);
    seen.push(...shown.map((line) => line.slice(line.indexOf("\t") + 1)));
    startLine = next === undefined ? undefined : Number(next);
  }
  expect(seen).toEqual(lines);
});

test("a line that is longer than the limit is cut between characters, and that is said", async () => {
  const workspace = new Workspace({ "a.txt": "é".repeat(100) });
  expect(await workspace.model("read_file", { path: "a.txt", maxBytes: 7 })).toBe(
    "1\tééé\n[Truncated inside line 1. The file has 200 bytes. Use bash for the rest of the line.]",
  );
});

test("never more than 1 MB", async () => {
  const workspace = new Workspace({ "a.txt": "x".repeat(3_000_000) });
  expect((await workspace.model("read_file", { path: "a.txt" })).length).toBeLessThan(1_048_576 + 200);
  expect(codeOf(await workspace.call("read_file", { path: "a.txt", maxBytes: 1_048_577 }))).toBe("invalid_arguments");
});

test("an empty file is said to be empty", async () => {
  expect(await new Workspace({ "a.txt": "" }).model("read_file", { path: "a.txt" })).toBe("(the file is empty)");
});

test("a binary file is refused in a sentence", async () => {
  const workspace = new Workspace({ "a.png": Buffer.from([0x89, 0x50, 0, 0, 1]) });
  expect(await workspace.model("read_file", { path: "a.png" })).toBe(
    "a.png is a binary file of 5 bytes, not text. Use bash to look into it.",
  );
});

test("what is not UTF-8 is shown as well as it can be", async () => {
  const workspace = new Workspace({ "a.txt": Buffer.from("caf\xe9\n", "latin1") });
  expect(await workspace.model("read_file", { path: "a.txt" })).toBe("1\tcaf\ufffd");
});

test("directories, pipes and missing files are refused, each with what to do", async () => {
  const workspace = new Workspace({ "directory/a.txt": "" });
  execFileSync("mkfifo", [join(workspace.root, "pipe")]);
  expect(await workspace.model("read_file", { path: "directory" })).toContain("is a directory. Use list_files");
  expect(await workspace.model("read_file", { path: "pipe" })).toContain("is a named pipe");
  expect(await workspace.model("read_file", { path: "none" })).toBe(
    "none does not exist. Use list_files to see what does.",
  );
  expect(await workspace.model("read_file", { path: "/etc/passwd" })).toBe(
    '"/etc/passwd" lies outside the workspace. Use a path relative to the workspace.',
  );
});

test("a file name with a line break works and is shown escaped", async () => {
  const workspace = new Workspace({ "a\nb.txt": "text" });
  expect(await workspace.model("read_file", { path: "a\nb.txt" })).toBe("1\ttext");
  expect(await workspace.model("read_file", { path: "a\nc.txt" })).toContain('"a\\nc.txt" does not exist');
});
