import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { killAt } from "../kill-at.testing.ts";
import { Device } from "./device.testing.ts";
import { MemoryRemote } from "./memory-remote.testing.ts";

/** Long enough to be kept in a file of its own. */
export const LONG_OUTPUT = "a line of output\n".repeat(1_000);

/**
 * Two machines continue a thread, and a third thread comes to be on the first; then the second one syncs, in one process
 * that is killed at its effect number N on files. What the server has then stands in `server.json`.
 */
async function main([root = "", at = "0", mode = ""]: readonly string[]): Promise<void> {
  const remote = new MemoryRemote();
  const [a, b] = [new Device(Date.now, join(root, "a")), new Device(Date.now, join(root, "b"))];
  const id = await a.begin("alpha");
  const named = await a.begin("beta");
  for (const each of [a, b]) await each.sync(remote);
  await a.say(id, "on a", LONG_OUTPUT);
  await b.say(id, "on b", LONG_OUTPUT);
  await a.store.change(named, { title: "Gamma" });
  await b.say(named, "delta");
  await a.begin("epsilon");
  await a.sync(remote);
  writeFileSync(join(root, "server.json"), remote.dump());
  const effects = killAt(Number(at), { half: mode === "half" });
  await b.sync(remote);
  const { count, writes } = effects();
  const points = mode === "half" ? writes : Array.from({ length: count }, (_, index) => index + 1);
  writeSync(1, JSON.stringify(points));
}

if (import.meta.main) void main(process.argv.slice(2));
