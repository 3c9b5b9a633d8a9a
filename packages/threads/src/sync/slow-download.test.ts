import { createHash } from "node:crypto";
import { rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { OutputStore } from "../output-store.ts";
import { Device } from "./device.testing.ts";
import { MemoryRemote } from "./memory-remote.testing.ts";

const HOUR_MS = 3_600_000;
const KEPT = "kept\n".repeat(3_000);
const REMOVED = "removed\n".repeat(3_000);
const LOST = "lost\n".repeat(3_000);
const nameOf = (text: string) => createHash("sha256").update(text).digest("hex");

const devices: Device[] = [];
afterEach(() => {
  for (const device of devices.splice(0)) device.remove();
});

function machine(now: () => number): Device {
  const device = new Device(now);
  devices.push(device);
  return device;
}

test.each(["a new thread", "one that was here"])(
  "long outputs of %s are here and new, however long it took to come down",
  async (which) => {
    let clock = Date.now();
    const [a, b] = [machine(() => clock), machine(() => clock)];
    const remote = new MemoryRemote();
    const id = await a.begin("alpha");
    await a.sync(remote);
    if (which === "one that was here") await b.sync(remote);
    for (const output of [KEPT, REMOVED, LOST]) await a.say(id, "beta", output);
    await a.say(id, "gamma");
    await a.sync(remote);
    remote.outputs.delete(nameOf(LOST));
    const outputs = new OutputStore(join(b.directory, "outputs"));
    const old = (Date.now() - 2 * HOUR_MS) / 1_000;
    const end = remote.threads.get(id)?.records.length ?? 0;
    let pages = 0;
    const records = remote.records.bind(remote);
    remote.records = async (each, after) => {
      const page = await records(each, after);
      // The machine slept before it asked for the last page, and a clean-up woke up first.
      if (page.type === "records" && after + page.records.length === end) {
        pages += 1;
        clock += 2 * HOUR_MS;
        utimesSync(outputs.fileOf(nameOf(KEPT)), old, old);
        rmSync(outputs.fileOf(nameOf(REMOVED)));
      }
      return page;
    };
    expect(await b.sync(remote)).toMatchObject({ type: "done", failed: 0 });
    expect(pages).toBe(1);
    expect(b.threads()).toEqual(a.threads());
    expect(statSync(outputs.fileOf(nameOf(KEPT))).mtimeMs).toBeGreaterThan(Date.now() - HOUR_MS);
    expect(outputs.has(nameOf(REMOVED))).toBe(true);
    expect(b.syncWith(remote).status().lacking).toEqual([{ id, outputs: 1 }]);
  },
);
