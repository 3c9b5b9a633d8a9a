import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SILENT_LOG } from "../../kit/log.ts";
import { entry, openTestLedger, storedIds } from "./ledger.testing.ts";
import { FileRequestTrace } from "./request-trace.ts";
import { type SmallDisk, smallDisk } from "./small-disk.testing.ts";

let disk: SmallDisk;
beforeAll(async () => {
  disk = await smallDisk();
});
afterAll(() => disk[Symbol.asyncDispose]());

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `r${String(from + index).padStart(5, "0")}`);
}

describe("a full disk", () => {
  it("stops requests at the bound and loses nothing: all rows are stored when there is room", async ({ skip }) => {
    if (!disk.isMounted) skip("mounting a tmpfs is not permitted here");
    await using opened = new AsyncDisposableStack();
    const { ledger, database, close } = openTestLedger(
      { path: disk.path, place: { file: join(disk.path, "loom-server.sqlite") } },
      { bounds: { unwrittenRows: 500 } },
    );
    opened.defer(close);
    for (const id of ids(0, 100)) ledger.record(entry(id));
    await ledger.settle();
    const ballast = disk.fillUp();
    for (const id of ids(100, 900)) ledger.record(entry(id));
    await expect(ledger.settle()).rejects.toThrow();
    expect(ledger.state).toMatchObject({ healthy: false, droppedRows: 0 });
    expect(ledger.state.unwrittenRows).toBeGreaterThan(500);
    rmSync(ballast);
    await ledger.settle();
    expect(ledger.state).toMatchObject({ healthy: true, unwrittenRows: 0, journalBytes: 0 });
    expect(await storedIds(await database())).toEqual(ids(0, 900));
  });

  it("leaves nothing open of a file of open requests that could not be begun, and takes none for begun that was cut", async ({
    skip,
  }) => {
    if (!disk.isMounted || process.platform !== "linux") skip("mounting a tmpfs is not permitted here");
    const directory = join(disk.path, "open-requests");
    const trace = new FileRequestTrace({ directory, process: "p", log: SILENT_LOG });
    const send = async (id: string) => {
      const { at, subject, nodes, client, dialect, upstream, requestedModel, model, route, attempts } = entry(id);
      const known = { at, subject, nodes, client, dialect, upstream, requestedModel, model, route, attempts };
      const worst = { inputTokens: 10, outputTokens: 50, costMicroUsd: 1_300 };
      await new Promise<void>((resolve) => void trace.open({ id, ...known, worst }, resolve));
    };
    const opened = () => readdirSync("/proc/self/fd").filter((fd) => linkOf(fd).startsWith(directory));
    const ballast = disk.fillUp();
    for (const id of ids(0, 20)) await send(id);
    expect([opened(), readdirSync(directory)]).toEqual([[], []]);
    // Room for a beginning.
    truncateSync(ballast, statSync(ballast).size - 4_096);
    for (const id of ids(20, 40)) await send(id);
    expect([opened(), readdirSync(directory)]).toEqual([[], []]);
    rmSync(ballast);
    await send("last");
    const [name = ""] = readdirSync(directory);
    const text = readFileSync(join(directory, name), "utf8");
    for (const id of [...ids(0, 40), "last"]) expect(text).toContain(`"id":"${id}"`);
    expect(opened()).toHaveLength(1);
    trace.close({ isSettled: false });
  });
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(join("/proc/self/fd", fd));
  } catch {
    return "";
  }
}
