import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ThreadId } from "@loom/core";
import { afterEach, expect, test } from "vitest";
import { replace } from "../file-watch.testing.ts";
import { threadFile } from "../thread-store.ts";
import { Device } from "./device.testing.ts";
import { MemoryRemote } from "./memory-remote.testing.ts";
import type { ThreadRemote } from "./thread-sync.ts";

const THREADS = 30;
const devices: Device[] = [];
afterEach(() => {
  for (const device of devices.splice(0)) device.remove();
});

function machine(): Device {
  const device = new Device();
  devices.push(device);
  return device;
}

/** The remote, with how often each of its methods was called, and how many and how much at once. */
function counted(remote: ThreadRemote) {
  const calls: Record<string, number> = {};
  let open = 0;
  let bytes = 0;
  const most = { open: 0, bytes: 0 };
  const proxy = new Proxy(remote, {
    get(target, name, receiver) {
      const value = Reflect.get(target, name, receiver);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        calls[String(name)] = (calls[String(name)] ?? 0) + 1;
        const size = args.flat().reduce<number>((sum, each) => sum + (typeof each === "string" ? each.length : 0), 0);
        open += 1;
        bytes += size;
        most.open = Math.max(most.open, open);
        most.bytes = Math.max(most.bytes, bytes);
        await new Promise(setImmediate);
        const answer = await value.apply(target, args);
        open -= 1;
        bytes -= size;
        return answer;
      };
    },
  });
  return { remote: proxy, calls, most };
}

/** Counts waits for the disk, and bytes that are read. */
async function fileWork(work: () => Promise<unknown>) {
  const found = { syncs: 0, readBytes: 0 };
  const counted =
    (original: (...args: unknown[]) => unknown) =>
    (...args: unknown[]) => {
      found.syncs += 1;
      return original(...args);
    };
  const restore = replace({
    fsyncSync: counted,
    fdatasyncSync: counted,
    fsync: counted,
    fdatasync: counted,
    readSync:
      (original) =>
      (...args) => {
        const read = original(...args);
        found.readBytes += Number(read);
        return read;
      },
  });
  try {
    await work();
  } finally {
    restore();
  }
  return found;
}

test("a small new thread goes up by one request, is read once, and waits for no disk here", async () => {
  const a = machine();
  const ids: ThreadId[] = [];
  for (let n = 0; n < THREADS; n++) ids.push(await a.begin(`words ${n}`));
  const size = ids.reduce((sum, id) => sum + statSync(threadFile(a.directory, id)).size, 0);
  const { remote, calls } = counted(new MemoryRemote());
  const work = await fileWork(() => a.sync(remote));
  const { changes, ...others } = calls;
  expect(others).toEqual({ create: THREADS });
  // A page has three of them here, and there are two rounds of asking.
  expect(changes).toBeLessThanOrEqual(THREADS / 3 + 3);
  expect(work.syncs).toBe(0);
  expect(work.readBytes).toBeLessThan(1.01 * size);
  // One line a thread, and what is remembered of the server.
  const lines = readFileSync(join(a.stateDirectory, "journal.jsonl"), "utf8").split("\n").length - 1;
  expect(lines).toBeLessThanOrEqual(THREADS + THREADS / 3 + 6);
  const [id] = ids;
  if (id === undefined) throw new Error("there is no thread");
  const before = statSync(threadFile(a.directory, id)).size;
  await a.say(id, "more");
  const added = statSync(threadFile(a.directory, id)).size - before;
  const later = await fileWork(() => a.sync(remote));
  expect(calls).toMatchObject({ create: THREADS, append: 1 });
  // And what is looked at to know the file again.
  expect(later.readBytes).toBeLessThan(added + 2_048);
});

test("a thread comes down by one request, and is on the disk before it has its name", async () => {
  const [a, b] = [machine(), machine()];
  const inner = new MemoryRemote(1_000);
  for (let n = 0; n < THREADS; n++) await a.begin(`words ${n}`);
  await a.sync(inner);
  const { remote, calls } = counted(inner);
  const work = await fileWork(() => b.sync(remote));
  expect(calls).toEqual({ changes: 2, records: THREADS });
  expect(work.syncs).toBe(THREADS);
  expect(b.threads()).toEqual(a.threads());
});

test("many long threads go up side by side within a bound", async () => {
  const a = machine();
  for (let n = 0; n < 20; n++) await a.begin("x".repeat(1_200_000));
  const { remote, most } = counted(new MemoryRemote(1_000));
  expect(await a.sync(remote)).toMatchObject({ type: "done", settled: 20, failed: 0 });
  expect(most.open).toBeGreaterThan(2);
  expect(most.open).toBeLessThanOrEqual(16);
  expect(most.bytes).toBeLessThan(20 * 1024 * 1024);
});
