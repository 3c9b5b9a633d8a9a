import type { Database } from "../../kit/database.ts";
import type { ChangeFeed } from "./change-feed.ts";
import type { PeopleTables } from "./migrations.ts";
import type { People } from "./person-store.ts";

/** Where everything about people is looked up and changed. */
export type PeopleDesk = {
  read(): Promise<People>;
  /** All of it or nothing, and nobody else writes meanwhile; who is touched by it is told before it resolves. `now` is RFC 3339. */
  change<Result>(work: (db: People, now: string) => Promise<Result>): Promise<Result>;
  /** Milliseconds. */
  wall(): number;
};

export type DeskOptions = {
  readonly database: () => Promise<Database>;
  readonly feed: ChangeFeed;
  readonly wall?: () => number;
};

export function createDesk({ database, feed, wall = Date.now }: DeskOptions): PeopleDesk {
  return {
    read: async () => (await database()).tables<PeopleTables>(),
    async change<Result>(work: (db: People, now: string) => Promise<Result>) {
      const result = await (await database()).write<PeopleTables, Result>((db) =>
        work(db, new Date(wall()).toISOString()),
      );
      await feed.changed();
      return result;
    },
    wall,
  };
}
