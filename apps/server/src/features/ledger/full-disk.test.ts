import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OpenRequest } from "../../gateway-types.ts";
import { SILENT_LOG } from "../../kit/log.ts";
import { entry, openTestLedger, storedIds, temporaryDirectory } from "./ledger.testing.ts";
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

  it("is said before anything is lost, and what it never takes until the end goes elsewhere, from where it can be brought in", async ({
    skip,
  }) => {
    if (!disk.isMounted) skip("mounting a tmpfs is not permitted here");
    await using home = await temporaryDirectory();
    const saved: [sentence: string, lines: Buffer][] = [];
    const ballast = disk.fillUp();
    const full = openTestLedger(
      { path: disk.path, place: { file: join(home.path, "unused.sqlite") } },
      { saveElsewhere: async (...what) => saved.push(what) === 1 },
    );
    for (const id of ids(0, 600)) full.ledger.record(entry(id));
    await expect(full.ledger.settle()).rejects.toThrow();
    // Requests go on; whoever watches is told.
    expect(full.ledger.healthy()).toBe(true);
    expect(full.ledger.state).toMatchObject({ healthy: false, unwrittenRows: 600 });
    await full.ledger.close({ patienceMs: 1 });
    rmSync(ballast);
    const [[sentence, lines] = ["", Buffer.of()]] = saved;
    expect(sentence).toContain(`600 rows`);
    mkdirSync(join(home.path, "ledger"));
    const file = join(home.path, "ledger", sentence.match(/ledger\/(\S+\.closed\.journal)/)?.[1] ?? "");
    // With what else was on the standard error.
    writeFileSync(file, `loom-server: Stopping.\n${lines}`);
    const next = openTestLedger({ path: home.path, place: { file: join(home.path, "loom-server.sqlite") } });
    await next.ledger.settle();
    expect(await storedIds(await next.database())).toEqual(ids(0, 600));
    await next.close();
  });

  it("may get room while the server ends: it tries until then", async ({ skip }) => {
    if (!disk.isMounted) skip("mounting a tmpfs is not permitted here");
    const ballast = disk.fillUp();
    const home = { path: join(disk.path, "late"), place: { file: join(disk.path, "late.sqlite") } };
    const { ledger, database, close } = openTestLedger(home, {
      // The first attempt has failed by then.
      log: { ...SILENT_LOG, warn: () => rmSync(ballast, { force: true }) },
    });
    for (const id of ids(0, 10)) ledger.record(entry(id));
    await ledger.close({ patienceMs: 60_000 });
    expect(ledger.state.unwrittenRows).toBe(0);
    await close();
    const next = openTestLedger(home);
    await next.ledger.settle();
    expect(await storedIds(await next.database())).toEqual(ids(0, 10));
    await next.close();
    await (await database()).close();
  });

  it("leaves nothing open of a file of open requests that could not be begun, and takes none for begun that was cut", async ({
    skip,
  }) => {
    if (!disk.isMounted || process.platform !== "linux") skip("mounting a tmpfs is not permitted here");
    const directory = join(disk.path, "open-requests");
    const trace = new FileRequestTrace({ directory, process: "p", log: SILENT_LOG });
    const send = (id: string) => sent(trace, id);
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
    rmSync(join(directory, name));
  });

  it("leaves no request open for ever whose end could not be written down", async ({ skip }) => {
    if (!disk.isMounted) skip("mounting a tmpfs is not permitted here");
    const directory = join(disk.path, "ends");
    let now = Date.now();
    const trace = new FileRequestTrace({ directory, process: "p", log: SILENT_LOG, now: () => now });
    const early = await Promise.all(ids(0, 10).map((id) => sent(trace, id)));
    await sent(trace, "long");
    early[0]?.close(5);
    const ballast = disk.fillUp();
    trace.telling(1);
    for (const request of early.slice(1)) request.close(5);
    // More than is kept for later.
    for (const request of await Promise.all(ids(10, 4_000).map((id) => sent(trace, id)))) request.close(5);
    trace.telling(2);
    rmSync(ballast);
    trace.telling(3);
    trace.told();
    const names = () => readdirSync(directory).sort();
    expect(names()).toEqual(["p.000001.requests", expect.any(String)]);
    const text = readFileSync(join(directory, names()[1] ?? ""), "utf8");
    expect(text.match(/^\{"id":"[^"]+"/gm)).toEqual(['{"id":"long"']);
    expect(text).toMatch(/=3;\n$/);
    // The one that still has them as open goes by itself, once the store knows what they cost.
    trace.telling(4);
    trace.told();
    now += 20_000;
    trace.touch();
    expect(names()).toHaveLength(1);
    trace.close({ isSettled: false });
  });
});

async function sent(trace: FileRequestTrace, id: string): Promise<OpenRequest> {
  const { at, subject, nodes, client, dialect, upstream, requestedModel, model, route, attempts } = entry(id);
  const known = { at, subject, nodes, client, dialect, upstream, requestedModel, model, route, attempts };
  const worst = { inputTokens: 10, outputTokens: 50, costMicroUsd: 1_300 };
  return new Promise<OpenRequest>((resolve) => {
    const request = trace.open({ id, ...known, worst }, () => resolve(request));
  });
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(join("/proc/self/fd", fd));
  } catch {
    return "";
  }
}
