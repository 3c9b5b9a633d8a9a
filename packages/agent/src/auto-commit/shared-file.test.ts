import { mkdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Fixture } from "./fixture.testing.ts";

const LINES = Array.from({ length: 9 }, (_, index) => `line ${index + 1}`);
const TEXT = `${LINES.join("\n")}\n`;
const changed = (text: string, line: number, by: string) => text.replace(`line ${line}\n`, `line ${line}, ${by}\n`);

let fixture: Fixture;
beforeEach(async () => {
  fixture = await Fixture.create({ "p.txt": TEXT, "q.txt": TEXT });
});
afterEach(() => fixture[Symbol.asyncDispose]());

const edit = (line: number, path = "p.txt") => fixture.edits(path, (text) => changed(text, line, "agent"));
const onDisk = (path = "p.txt") => readFileSync(fixture.at(path), "utf8");

test("of a file in which the person has changes elsewhere, the agent's part is committed, over several rounds", async () => {
  fixture.write("p.txt", changed(TEXT, 1, "person"));
  const { uses, notices } = fixture.agent();
  await uses(() => [edit(9), edit(7)]);
  const first = changed(changed(TEXT, 7, "agent"), 9, "agent");
  expect(await fixture.git("show", "HEAD:p.txt")).toBe(first);
  await uses(() => [edit(4)]);
  expect(await fixture.git("show", "HEAD:p.txt")).toBe(changed(first, 4, "agent"));
  expect(onDisk()).toBe(changed(changed(first, 4, "agent"), 1, "person"));
  expect(await fixture.status()).toBe(" M p.txt\n");
  expect(await fixture.git("diff", "--numstat")).toBe("1\t1\tp.txt\n");
  expect(notices()).toEqual([]);
});

test("what the person has staged of it stays staged", async () => {
  fixture.write("p.txt", changed(TEXT, 1, "person"));
  await fixture.git("add", "p.txt");
  fixture.write("p.txt", changed(changed(TEXT, 1, "person"), 4, "person"));
  const { uses } = fixture.agent();
  await uses(() => [edit(9)]);
  expect(await fixture.git("show", "HEAD:p.txt")).toBe(changed(TEXT, 9, "agent"));
  expect(await fixture.git("show", ":p.txt")).toBe(changed(changed(TEXT, 1, "person"), 9, "agent"));
  expect(await fixture.status()).toBe("MM p.txt\n");
});

test("what the person saves while edit_file works stays the person's", async () => {
  const { uses, notices } = fixture.agent();
  await uses(() => {
    const first = edit(9);
    fixture.write("p.txt", changed(onDisk(), 1, "person"));
    const round = [first, edit(5), edit(5, "q.txt")];
    fixture.write("q.txt", changed(onDisk("q.txt"), 1, "person"));
    return round;
  });
  expect(await fixture.git("show", "HEAD:p.txt")).toBe(changed(changed(TEXT, 9, "agent"), 5, "agent"));
  expect(await fixture.git("show", "HEAD:q.txt")).toBe(changed(TEXT, 5, "agent"));
  expect(await fixture.status()).toBe(" M p.txt\n M q.txt\n");
  expect(notices()).toEqual([]);
});

test("where the two touch, the file is left out and the person is told; the rest is committed", async () => {
  fixture.write("p.txt", changed(TEXT, 5, "person"));
  const { uses, notices } = fixture.agent();
  await uses(() => [edit(6), edit(6, "q.txt")]);
  expect(await fixture.committed()).toEqual(["q.txt"]);
  expect(await fixture.status()).toBe(" M p.txt\n");
  expect(notices()).toEqual(["Not committed, because changes of yours were already in it: p.txt."]);
});

test("a new file of the person's stays the person's, though the agent edits it", async () => {
  fixture.write("new.txt", TEXT);
  const { uses, notices } = fixture.agent();
  await uses(() => [edit(6, "new.txt")]);
  expect(await fixture.commits()).toBe(1);
  expect(notices()).toHaveLength(1);
});

test("line endings are committed as git would commit them, whatever the file is called", async () => {
  mkdirSync(fixture.at("dir"));
  fixture.write(".gitattributes", "*.txt text eol=crlf\n");
  fixture.write("dir/ü [1].txt", TEXT);
  await fixture.git("add", ".");
  await fixture.git("commit", "-qm", "more");
  fixture.write("dir/ü [1].txt", changed(TEXT, 1, "person").replaceAll("\n", "\r\n"));
  const { uses } = fixture.agent();
  await uses(() => [fixture.edits("dir/ü [1].txt", (text) => text.replace("line 9\r\n", "line 9, agent\r\n"))]);
  expect(await fixture.git("show", "HEAD:dir/ü [1].txt")).toBe(changed(TEXT, 9, "agent"));
});
