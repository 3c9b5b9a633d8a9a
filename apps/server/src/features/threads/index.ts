import { defineFeature } from "../../kit/feature.ts";
import { every } from "../../kit/jobs.ts";
import type { ListFilter } from "../../kit/list-filter.ts";
import type { PurgeParts } from "../../kit/purge.ts";
import { CommitQueue } from "./commit-queue.ts";
import { createDocumentService } from "./documents.ts";
import { LiveHub } from "./live-hub.ts";
import { migrations } from "./migrations.ts";
import { NewsPoll } from "./news-poll.ts";
import { createOutputService } from "./outputs.ts";
import { createThreadPurge } from "./purge.ts";
import { type ThreadParts, threadRoutes } from "./routes.ts";
import { createSearchService } from "./search/search-service.ts";
import { createThreadService } from "./service.ts";
import { createSharingService } from "./sharing.ts";
import { createThreadStore } from "./store.ts";
import { readableThreads } from "./visible-threads.ts";

export type ThreadNeeds = {
  /** Which threads somebody finds in lists. */
  readonly filter: ListFilter;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Silence towards a follower after which a comment is sent, in milliseconds. */
  readonly heartbeatMs?: number | undefined;
};

const HEARTBEAT_MS = 15_000;
const PATIENCE_MS = 30_000;

/** Conversations that people keep here: their records, who may see them, and who follows them. */
export const threads = defineFeature<
  ThreadParts & { readonly poll: NewsPoll; readonly purge: PurgeParts },
  ThreadNeeds
>({
  name: "threads",
  migrations,
  onPurge: ({ purge }) => purge,
  services: ({ database, log, metrics }, { filter, now = Date.now, heartbeatMs = HEARTBEAT_MS }) => {
    const queue = new CommitQueue(database, now);
    const hub = new LiveHub();
    const visible = readableThreads(filter);
    const store = createThreadStore(database, { visible, now });
    const outputs = createOutputService(database, queue);
    metrics.observed({
      name: "loom_thread_followers",
      help: "Connections that follow a thread.",
      type: "gauge",
      read: () => hub.size,
    });
    return {
      store,
      service: createThreadService({ database, queue, store, hub, now }),
      outputs,
      documents: createDocumentService(database, store, outputs),
      search: createSearchService({ database, outputs, visible, now, log }),
      sharing: createSharingService(database, queue, now),
      hub,
      poll: new NewsPoll(database, hub),
      purge: createThreadPurge({ database, queue, hub, now }),
      now,
      heartbeatMs,
      patienceMs: PATIENCE_MS,
    };
  },
  routes: threadRoutes,
  jobs: ({ poll, search }) => [
    every("1 s", "notice_thread_news", () => poll.look()),
    every("1 s", "index_threads", (signal) => search.catchUp(signal)),
  ],
});
