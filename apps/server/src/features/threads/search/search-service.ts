import type { ThreadHits } from "@loom/api";
import type { Kysely } from "kysely";
import type { Database } from "../../../kit/database.ts";
import type { Log } from "../../../kit/log.ts";
import type { Subject } from "../../../kit/subject.ts";
import type { ThreadTables } from "../migrations.ts";
import type { OutputService } from "../outputs.ts";
import type { VisibleThreads } from "../visible-threads.ts";
import type { SearchEngine } from "./index-types.ts";
import { indexAll } from "./indexer.ts";
import { type SearchOptions, searchThreads } from "./searcher.ts";

/** Searching in threads. The index follows what is appended to them, and nobody who appends waits for it. */
export type SearchService = {
  search(subject: Subject, options: SearchOptions): Promise<ThreadHits>;
  /** Brings the index up to date, in steps; ends early where `signal` says so. One at a time. */
  catchUp(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

export type SearchParts = {
  readonly database: () => Promise<Database>;
  readonly outputs: Pick<OutputService, "read">;
  readonly visible: VisibleThreads;
  readonly now: () => number;
  readonly log: Log;
};

/** At a time: what has come meanwhile is not to wait for longer. */
const TIDY_MS = 500;
/** Before an index that could not be opened or has ended is opened anew: twice as long each time, until it works. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export function createSearchService({ database, outputs, visible, now, log }: SearchParts): SearchService {
  let opening: Promise<SearchEngine> | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  const reopenLater = (): void => {
    setTimeout(() => {
      opening = undefined;
    }, pauseMs).unref();
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  };
  const tables = async (): Promise<Kysely<ThreadTables>> => (await database()).tables<ThreadTables>();
  const engine = (): Promise<SearchEngine> => {
    opening ??= database()
      .then(openEngine)
      .then(
        (opened) => {
          void opened.ended?.then(reopenLater);
          return opened;
        },
        (error: unknown) => {
          reopenLater();
          throw error;
        },
      );
    return opening;
  };
  return {
    search: async (subject, options) =>
      searchThreads({ tables, engine: await engine(), outputs, visible, now }, subject, options),
    async catchUp(signal) {
      const index = await engine();
      await indexAll({ tables, engine: index, outputs }, signal);
      pauseMs = FIRST_PAUSE_MS;
      const end = performance.now() + TIDY_MS;
      await index.tidy(() => signal.aborted || performance.now() >= end);
    },
    async close() {
      const opened = await opening?.catch(() => undefined);
      await opened?.close().catch((error: unknown) => log.warn(`The index of threads did not close: ${error}`));
    },
  };
}

async function openEngine(database: Database): Promise<SearchEngine> {
  if (database.engine === "sqlite") return (await import("./sqlite-engine.ts")).openSqliteEngine(database.place);
  return (await import("./postgres-engine.ts")).openPostgresEngine(database);
}
