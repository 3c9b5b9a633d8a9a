import { writeSync } from "node:fs";
import { purgeThread } from "./garbage.ts";
import { killAt } from "./kill-at.testing.ts";
import { TurnWriter } from "./long-thread.testing.ts";
import { renewCheckpoint } from "./resume.ts";
import { createThreadStore } from "./thread-store.ts";

/** Long enough to be kept in a file of its own. */
export const LONG_OUTPUT = "a line of output\n".repeat(1_000);

/**
 * All that is ever done to threads, in one process that is killed at its effect number N. Says on standard output what
 * is done, as soon as it is.
 */
async function main([directory = "", at = "0", mode = ""]: readonly string[]): Promise<void> {
  const done = (what: string) => writeSync(1, `${what}\n`);
  const effects = killAt(Number(at), { half: mode === "half" });
  const store = createThreadStore({ directory });
  const writer = store.create({ workspace: "/work", loomVersion: "1.2.3" });
  const { id, file } = writer;
  const first = new TurnWriter(writer);
  done(`thread ${id}`);
  first.turn("alpha", "short");
  done("said alpha");
  first.turn("beta", LONG_OUTPUT);
  done("said beta");
  await writer.close();
  await store.change(id, { title: "Gamma", tags: ["delta"] });
  done("named Gamma");
  renewCheckpoint(file, id);
  const { thread, writer: again } = store.open(id);
  new TurnWriter(again, thread).turn("epsilon", LONG_OUTPUT);
  done("said epsilon");
  await again.close();
  const copy = store.fork(id);
  done(`copied ${copy}`);
  purgeThread(directory, store.load(copy).facts, 0);
  done("purged");
  await store.change(id, { deleted: true });
  done("deleted");
  await store.change(id, { deleted: false });
  const { count, writes } = effects();
  done(`effects ${JSON.stringify(mode === "half" ? writes : Array.from({ length: count }, (_, index) => index + 1))}`);
}

if (import.meta.main) void main(process.argv.slice(2));
