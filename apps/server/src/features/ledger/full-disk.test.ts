import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "@loom/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entry, openTestLedger, storedIds, temporaryDirectory } from "./ledger.testing.ts";

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let disk: string;
let isMounted = false;
beforeAll(async () => {
  home = await temporaryDirectory();
  disk = join(home.path, "disk");
  mkdirSync(disk);
  // Not everybody may mount; then there is no disk that could be full.
  const mounted = await runProcess("mount", ["-t", "tmpfs", "-o", "size=1m", "loom-test", disk]).catch(() => undefined);
  isMounted = mounted?.code === 0;
});
afterAll(async () => {
  if (isMounted) await runProcess("umount", [disk]);
  await home[Symbol.asyncDispose]();
});

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `r${String(from + index).padStart(5, "0")}`);
}

describe("a full disk", () => {
  it("stops requests at the bound and loses nothing: all rows are stored when there is room", async ({ skip }) => {
    if (!isMounted) skip("mounting a tmpfs is not permitted here");
    await using opened = new AsyncDisposableStack();
    const { ledger, database, close } = openTestLedger(
      { path: disk, place: { file: join(disk, "loom-server.sqlite") } },
      { bounds: { unwrittenRows: 500 } },
    );
    opened.defer(close);
    for (const id of ids(0, 100)) ledger.record(entry(id));
    await ledger.settle();
    const ballast = join(disk, "ballast");
    fillUp(ballast);
    for (const id of ids(100, 900)) ledger.record(entry(id));
    await expect(ledger.settle()).rejects.toThrow();
    expect(ledger.state).toMatchObject({ healthy: false, droppedRows: 0 });
    expect(ledger.state.unwrittenRows).toBeGreaterThan(500);
    rmSync(ballast);
    await ledger.settle();
    expect(ledger.state).toMatchObject({ healthy: true, unwrittenRows: 0, journalBytes: 0 });
    expect(await storedIds(await database())).toEqual(ids(0, 900));
  });
});

/** Every last block. */
function fillUp(file: string): void {
  for (const size of [64 * 1024, 4_096, 1]) {
    for (let isFull = false; !isFull; ) {
      try {
        writeFileSync(file, Buffer.alloc(size), { flag: "a" });
      } catch {
        isFull = true;
      }
    }
  }
}
