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
  /** What a server leaves that has ended, each row in a file of its own. */
  const leave = async (...ids: string[]): Promise<void> => {
    for (const id of ids) {
      const other = new Journal(directory, entryOf);
      await other.append(Buffer.from(lineOf(entry(id))), [entry(id)]);
      await other.close();
    }
  };
  return { mover, append, leave, stored: () => storedIds(database), files: () => readdirSync(directory).length };
}

it("moves what waits when it begins, also where more comes all the time", async () => {
  let come = 1;
  const { mover, append, stored } = await openMover((append) => ({
    isBehind: false,
    isFull: false,
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
    isFull: false,
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

it("leaves rows in the journal that the follower has no room for, until it has", async () => {
  const seen: string[] = [];
  let room = 256;
  const { mover, append, stored } = await openMover(() => ({
    isBehind: true,
    get isFull() {
      return seen.length >= room;
    },
    see: (entries) => void seen.push(...entries.map(({ id }) => id)),
    tell: async () => false,
  }));
  const ids = Array.from({ length: 1_000 }, (_, index) => `r${String(index).padStart(4, "0")}`);
  for (const id of ids) await append(entry(id));
  for (let attempt = 0; attempt < 3; attempt += 1) await mover.move({ all: true });
  expect(await stored()).toEqual(ids.slice(0, 256));
  room = 2_000;
  await mover.move({ all: true });
  expect([await stored(), seen]).toEqual([ids, ids]);
});

it("shows the follower nothing more of what others left once it could not pass something on", async () => {
  const seen: string[] = [];
  let takes = 1;
  const { mover, leave, stored, files } = await openMover(() => ({
    isBehind: false,
    isFull: false,
    see: (entries) => void seen.push(...entries.map(({ id }) => id)),
    tell: async () => seen.length <= takes,
  }));
  await leave("a", "b", "c", "d");
  await mover.recover({ alsoLive: false });
  expect(seen).toHaveLength(2);
  expect(await stored()).toEqual(["a", "b", "c", "d"]);
  expect(files()).toBe(3);
  takes = 9;
  await mover.recover({ alsoLive: false });
  expect(new Set(seen)).toEqual(new Set(["a", "b", "c", "d"]));
  expect(files()).toBe(0);
});
