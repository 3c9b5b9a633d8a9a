import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { LedgerEntry, LedgerFollower } from "../../gateway-types.ts";
import { Journal } from "../../kit/journal/journal.ts";
import { entryOf, lineOf } from "./entry-line.ts";
import { JournalMover } from "./journal-mover.ts";
import { entry, openTestDatabase, storedIds, temporaryDirectory } from "./ledger.testing.ts";

async function openMover(
  followerOf: (append: (entry: LedgerEntry, bytes?: number) => Promise<void>) => LedgerFollower,
) {
  const home = await temporaryDirectory();
  onTestFinished(() => home[Symbol.asyncDispose]());
  const directory = join(home.path, "ledger");
  const database = await openTestDatabase({ path: home.path, place: { file: join(home.path, "db.sqlite") } });
  onTestFinished(() => database.close());
  const journal = new Journal(directory, entryOf);
  onTestFinished(() => journal.close());
  const append = (each: LedgerEntry, bytes = 0): Promise<void> =>
    journal.append(Buffer.from(lineOf(each).padStart(bytes)), [each]);
  const mover = new JournalMover({
    ...{ journal, directory, database, warn: () => undefined, now: Date.now },
    follower: followerOf(append),
  });
  return { mover, append, stored: () => storedIds(database), files: () => readdirSync(directory).length };
}

it("moves what waits when it begins, also where more comes all the time", async () => {
  let come = 1;
  const { mover, append, stored } = await openMover((append) => ({
    isBehind: false,
    see: () => undefined,
    async tell() {
      if (come < 50) await append(entry(`r${come}`));
      come += 1;
      return true;
    },
  }));
  await append(entry("r0"));
  await mover.move({ all: false });
  const first = await stored();
  expect(first.length).toBeLessThan(5);
  await mover.move({ all: false });
  expect((await stored()).length).toBeGreaterThan(first.length);
});

it("deletes a file as soon as its rows are passed on, also where others of the same pass are not", async () => {
  let last = "";
  const { mover, append, files } = await openMover(() => ({
    get isBehind() {
      return last === "b";
    },
    see(entries) {
      last = entries.at(-1)?.id ?? last;
    },
    tell: async () => true,
  }));
  await append(entry("a"), 4 * 1024 * 1024);
  await append(entry("b"));
  expect(files()).toBe(2);
  await mover.move({ all: false });
  expect(files()).toBe(1);
});
