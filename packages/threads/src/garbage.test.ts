import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ThreadId } from "@loom/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { collectGarbage, type RetentionOptions } from "./garbage.ts";
import { TurnWriter } from "./long-thread.testing.ts";
import { type OutputReference, OutputStore } from "./output-store.ts";
import { createThreadStore, type ThreadChange } from "./thread-store.ts";
import { readTombstones } from "./tombstones.ts";

/** The turns of `TurnWriter` are of 2026-11-20. */
const NOW = Date.parse("2026-12-20T10:00:00.000Z");
const DAY_MS = 86_400_000;
const OUTPUT = "a line of output\n".repeat(1_000);
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "loom-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function thread(output: string, change?: ThreadChange, daysAgo = 0): Promise<ThreadId> {
  const store = createThreadStore({ directory, now: () => NOW - daysAgo * DAY_MS });
  const writer = store.create({ workspace: "/work", loomVersion: "1.2.3" });
  new TurnWriter(writer).turn("go", output);
  await writer.close();
  if (change !== undefined) await store.change(writer.id, change);
  return writer.id;
}

function cleanUp(options: Partial<RetentionOptions> = {}) {
  return collectGarbage({ directory, retentionDays: 0, trashDays: 7, dryRun: false, now: NOW, ...options });
}

const file = (id: ThreadId) => join(directory, `${id}.jsonl`);
const outputs = () =>
  readdirSync(join(directory, "outputs"), { recursive: true })
    .map(String)
    .filter((name) => /[0-9a-f]{64}$/.test(name));

/** Makes everything that is there as old as the clean-up wants it. */
function age(): void {
  for (const name of readdirSync(directory, { recursive: true })) {
    const path = join(directory, String(name));
    utimesSync(path, (NOW - DAY_MS) / 1_000, (NOW - DAY_MS) / 1_000);
  }
}

describe("a clean-up", () => {
  test("removes what was in the trash long enough, and leaves a tombstone", async () => {
    const old = await thread("x", { deleted: true, private: true }, 8);
    const young = await thread("x", { deleted: true }, 6);
    const kept = await thread("x");
    expect(cleanUp({ dryRun: true }).threads).toMatchObject([{ id: old, why: "in the trash" }]);
    expect(existsSync(file(old))).toBe(true);
    expect(cleanUp().threads.map(({ id }) => id)).toEqual([old]);
    expect([existsSync(file(old)), existsSync(file(young)), existsSync(file(kept))]).toEqual([false, true, true]);
    const deletedAt = new Date(NOW - 8 * DAY_MS).toISOString();
    expect(readTombstones(directory)).toEqual([
      { id: old, version: 8, digest: expect.stringMatching(/^[0-9a-f]{64}$/), private: true, deletedAt },
    ]);
  });

  test("removes what was not used for long only where that is asked for, and never what is pinned", async () => {
    const plain = await thread("x");
    const pinned = await thread("x", { pinned: true });
    const pinnedInTrash = await thread("x", { pinned: true, deleted: true }, 20);
    expect(cleanUp().threads).toEqual([]);
    expect(cleanUp({ retentionDays: 31 }).threads).toEqual([]);
    expect(cleanUp({ retentionDays: 30 }).threads).toMatchObject([{ id: plain, why: "not used" }]);
    expect([existsSync(file(pinned)), existsSync(file(pinnedInTrash))]).toEqual([true, true]);
  });

  test("removes outputs that no thread names any more, and no others", async () => {
    const first = await thread(OUTPUT, { deleted: true }, 8);
    await thread(OUTPUT);
    await thread(`${OUTPUT}another`, { deleted: true }, 8);
    const damaged = await thread(`${OUTPUT}third`);
    const text = readFileSync(file(damaged), "utf8");
    writeFileSync(file(damaged), text.replace('{"type":"run"', '{"type":"ru'));
    age();
    expect(outputs()).toHaveLength(3);
    expect(cleanUp().files.count).toBe(1);
    expect(outputs()).toHaveLength(2);
    expect(existsSync(file(first))).toBe(false);
    expect(existsSync(file(damaged))).toBe(true);
  });

  test("leaves alone what a session may just be writing", async () => {
    const store = createThreadStore({ directory, now: () => NOW });
    await thread("x");
    mkdirSync(join(directory, "outputs", "ab"), { recursive: true });
    const fresh = join(directory, "outputs", "ab", `${"ab".repeat(32)}`);
    writeFileSync(fresh, "x");
    utimesSync(fresh, NOW / 1_000, NOW / 1_000);
    expect(cleanUp().files.count).toBe(0);
    const id = await thread("x", { deleted: true }, 8);
    await store.change(id, { deleted: false });
    const { writer } = store.open(id);
    expect(cleanUp({ retentionDays: 1 }).notices).toEqual([expect.stringContaining(`Thread ${id} is open in`)]);
    expect(existsSync(file(id))).toBe(true);
    await writer.close();
  });

  test("leaves alone an old output that is about to be needed again, and one that is gone is made anew", () => {
    const store = new OutputStore(join(directory, "outputs"), () => NOW);
    for (const renew of [() => store.put(OUTPUT), ({ sha256 }: OutputReference) => store.renew(sha256)]) {
      const reference = store.put(OUTPUT);
      age();
      renew(reference);
      expect([cleanUp().files.count, store.read(reference)]).toEqual([0, OUTPUT]);
      age();
      expect([cleanUp().files.count, store.renew(reference.sha256)]).toEqual([1, false]);
      expect(store.put(OUTPUT).file).toBe(store.fileOf(reference.sha256));
      expect(store.read(reference)).toBe(OUTPUT);
    }
  });

  test("removes no output where a thread cannot be read", async () => {
    const id = await thread(OUTPUT, { deleted: true }, 8);
    mkdirSync(join(directory, "T-0192f0c1-2f3b-7c4d-8e5f-0123456789ab.jsonl"));
    age();
    const { notices, files } = cleanUp();
    expect(notices).toEqual([expect.stringContaining("so no outputs are removed")]);
    expect(files.count).toBe(0);
    expect(existsSync(file(id))).toBe(false);
  });

  test("takes away what crashes left behind", async () => {
    await thread(OUTPUT);
    mkdirSync(join(directory, "derived"), { recursive: true });
    for (const name of ["T-x.jsonl.new", join("derived", "T-gone.checkpoint")])
      writeFileSync(join(directory, name), "x");
    age();
    expect(cleanUp().files).toEqual({ count: 2, bytes: 2 });
  });
});
