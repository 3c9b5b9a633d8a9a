import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { TurnWriter } from "../long-thread.testing.ts";
import { createThreadStore } from "../thread-store.ts";
import { importThread } from "./import-thread.ts";

const root = mkdtempSync(join(tmpdir(), "loom-import-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const LONG = "a line of output\n".repeat(1_000);
const OPTIONS = { private: false, loomVersion: "1.2.3", now: Date.parse("2026-11-29T00:00:00Z") };

async function threadIn(directory: string) {
  const store = createThreadStore({ directory });
  const writer = store.create({ workspace: "/work", loomVersion: "1.2.3" });
  new TurnWriter(writer).turn("alpha", LONG);
  await writer.close();
  return { store, ...store.load(writer.id) };
}

test("a thread's own file becomes a thread of its own, which can be gone on with", async () => {
  const directory = join(root, "a");
  const { store, header, file, messages } = await threadIn(directory);
  const { id, format } = importThread(readFileSync(file, "utf8"), { ...OPTIONS, directory, private: true });
  expect(format).toBe("loom");
  const copy = store.load(id);
  expect(copy.messages).toEqual(messages);
  expect(copy.header.forkedFrom).toMatchObject({ id: header.id });
  expect(copy.facts.private).toBe(true);
  const { thread, writer } = store.open(id);
  new TurnWriter(writer, thread).turn("beta", "short");
  await writer.close();
  expect(JSON.stringify(store.load(id).messages)).toContain("done with beta");
});

test("an export comes back on a machine that has neither the thread nor its outputs", async () => {
  const { header, runs, messages, file } = await threadIn(join(root, "b"));
  expect(runs).toHaveLength(1);
  const records = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const sha256 = JSON.stringify(records).match(/"sha256":"([0-9a-f]{64})"/)?.[1] ?? "";
  const document = JSON.stringify({ format: "loom-thread", formatVersion: 1, records, outputs: { [sha256]: LONG } });
  const directory = join(root, "c");
  const { id } = importThread(document, { ...OPTIONS, directory });
  const copy = createThreadStore({ directory }).load(id);
  expect(copy.messages).toEqual(messages);
  expect(copy.header.forkedFrom?.id).toBe(header.id);
});

test("whose session it is, is found out", () => {
  const directory = join(root, "d");
  const base = { cwd: "/srv/app", sessionId: "s", timestamp: "2026-11-20T10:00:00.000Z" };
  const session = JSON.stringify({ ...base, type: "user", message: { role: "user", content: "Fix it" } });
  const { id, format } = importThread(`${session}\n`, { ...OPTIONS, directory });
  expect(format).toBe("claude-code");
  expect(createThreadStore({ directory }).load(id)).toMatchObject({
    facts: { title: "Fix it", workspace: "/srv/app" },
  });
});

test.each([
  ["a line that is cut off", (lines: string[]) => lines.with(2, lines[2]?.slice(0, 20) ?? ""), /Line 3 of the file/],
  ["records that do not follow", (lines: string[]) => lines.toSpliced(1, 1), /Line 2 of the file/],
  ["no header", (lines: string[]) => lines.slice(1), /Line 1 of the file/],
  ["nothing", () => [], /Line 1 of the file/],
])("a file with %s is refused with its line, and leaves nothing", async (_, damage, message) => {
  const { file } = await threadIn(join(root, "e"));
  const lines = damage(readFileSync(file, "utf8").trimEnd().split("\n"));
  const directory = join(root, "f");
  expect(() => importThread(lines.join("\n"), { ...OPTIONS, directory, format: "loom" })).toThrow(message);
  expect(() => readdirSync(directory)).toThrow(/ENOENT/);
});
