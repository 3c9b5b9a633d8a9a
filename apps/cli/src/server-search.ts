import type { ThreadHit, ThreadInfo } from "@loom/api";
import type { ThreadQuery, ThreadsClient } from "@loom/api/threads-client";
import type { ListedThread, SearchHit, SearchOptions, ThreadFilters, ThreadIndex } from "@loom/threads/thread-index";
import type { ServerThreads } from "./server-threads.ts";
import type { Settings } from "./settings.ts";

/** Where it was found. */
export type Place = { readonly on: "here" | "server" };

/** What was found, and a sentence where the server could not be asked. */
export type Everywhere<Item> = { readonly items: readonly (Item & Place)[]; readonly notice?: string };

export type Whose = {
  /** Also threads of others, as far as the person may see them. */
  readonly everyone?: boolean;
  readonly signal?: AbortSignal;
};

/** A person waits for it. */
const SERVER_MS = 5_000;
const MAX_ON_SERVER = 100;
const DEFAULT_HITS = 20;

/** Searches this machine and, where one is configured, the server; what both have is told once. */
export async function searchEverywhere(
  settings: Settings,
  index: ThreadIndex,
  query: string,
  options: SearchOptions,
  whose: Whose = {},
): Promise<Everywhere<SearchHit>> {
  const here = index.search(query, options).map((hit) => ({ ...hit, on: "here" as const }));
  const { limit = DEFAULT_HITS } = options;
  const answer = await onServer(settings, options, whose, async (client, how) => {
    const { exceptId } = options;
    const except = exceptId === undefined ? {} : { exceptThread: exceptId };
    const wanted = { ...queryOf(options, whose), ...except, limit: Math.min(limit, MAX_ON_SERVER) };
    return (await client.search({ ...wanted, q: query }, how)).hits;
  });
  const trash = trashIn(index);
  const there = (answer.found ?? []).filter(({ thread }) => !trash.has(thread)).map(hitOf);
  const items = mixed(here, there, ({ threadId, turn, role }) => `${threadId} ${turn} ${role}`).slice(0, limit);
  return answer.notice === undefined ? { items } : { items, notice: answer.notice };
}

/** A thread that is on the server only. */
export type ServerThread = Pick<
  ListedThread,
  "id" | "updatedAt" | "createdAt" | "workspace" | "title" | "tags" | "pinned" | "private" | "damagedLines" | "version"
> & { readonly owner: string };

/** The threads of this machine and those that are only on the server, newest first. */
export async function listEverywhere(
  settings: Settings,
  index: ThreadIndex,
  filters: ThreadFilters & { readonly limit?: number },
  whose: Whose = {},
): Promise<Everywhere<ListedThread | ServerThread>> {
  const here = index.list(filters).map((thread) => ({ ...thread, on: "here" as const }));
  const { limit = 1_000, pinned, deleted } = filters;
  const answer = await onServer(settings, {}, whose, async (client, how) => {
    const flags = { ...(pinned === true ? { pinned } : {}), ...(deleted === true ? { deleted } : {}) };
    const found: ThreadInfo[] = [];
    for (let cursor: string | undefined; found.length < limit; ) {
      const more = cursor === undefined ? {} : { cursor };
      const page = await client.list({ ...queryOf(filters, whose), ...flags, ...more, limit: MAX_ON_SERVER }, how);
      found.push(...page.threads);
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    return found;
  });
  const known = new Set([...index.list({ limit: Number.MAX_SAFE_INTEGER }).map(({ id }) => id), ...trashIn(index)]);
  const there = (answer.found ?? []).filter(({ id }) => !known.has(id)).map(threadOf);
  const items = [...here, ...there].sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1)).slice(0, limit);
  return answer.notice === undefined ? { items } : { items, notice: answer.notice };
}

async function onServer<Found>(
  settings: Settings,
  { pinned }: ThreadFilters,
  { signal }: Whose,
  ask: (client: ThreadsClient, how: { readonly signal: AbortSignal }) => Promise<Found>,
): Promise<{ readonly found?: Found; readonly notice?: string }> {
  if (settings.config.get("server.url") === "") return {};
  if (pinned !== undefined) return { notice: "Pinned threads are searched on this machine only." };
  const { openServerThreads } = await import("./server-threads.ts");
  const deadline = AbortSignal.timeout(SERVER_MS);
  let opened: ServerThreads | undefined;
  try {
    opened = openServerThreads(settings);
    return {
      found: await ask(opened.client, {
        signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
      }),
    };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    const why = deadline.aborted
      ? `The Loom server at ${opened?.server} did not answer within ${SERVER_MS / 1_000} s.`
      : error instanceof Error
        ? error.message
        : String(error);
    return { notice: `${why} Shown is what is on this machine.` };
  } finally {
    opened?.close();
  }
}

function queryOf(filters: ThreadFilters, { everyone = false }: Whose): ThreadQuery {
  const { workspace, repository, model, tags, visibility, since, until } = filters;
  return {
    ...(everyone ? {} : { author: "me" }),
    ...(workspace === undefined ? {} : { workspace }),
    ...(repository === undefined ? {} : { repository }),
    ...(model === undefined ? {} : { model }),
    ...(tags === undefined || tags.length === 0 ? {} : { tag: tags.join(",") }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

/** What is in the trash here may not be known to be so on the server yet. */
function trashIn(index: ThreadIndex): ReadonlySet<string> {
  return new Set(index.list({ deleted: true, limit: Number.MAX_SAFE_INTEGER }).map(({ id }) => id));
}

function hitOf({ thread, title, workspace, role, turn, at, score, snippet }: ThreadHit): SearchHit & Place {
  const rank = score === null ? {} : { score };
  return { threadId: thread, title, workspace, role, turn, at, ...rank, snippet, on: "server" };
}

function threadOf(info: ThreadInfo): ServerThread & Place {
  const { id, version, updatedAt, createdAt, workspace, title, tags, pinned, owner } = info;
  const shown = { id, version, updatedAt, createdAt, workspace, title, tags, pinned, owner };
  return { ...shown, private: false, damagedLines: [], on: "server" };
}

/** A place in one list counts as much as the same place in the other: scores of two indexes cannot be compared. */
const RANK_OFFSET = 60;

function mixed<Item>(first: readonly Item[], second: readonly Item[], keyOf: (item: Item) => string): readonly Item[] {
  const ranked = new Map<string, { readonly item: Item; weight: number }>();
  for (const list of [first, second]) {
    for (const [place, item] of list.entries()) {
      const weight = 1 / (RANK_OFFSET + place);
      const known = ranked.get(keyOf(item));
      if (known === undefined) ranked.set(keyOf(item), { item, weight });
      else known.weight = Math.max(known.weight, weight);
    }
  }
  return [...ranked.values()].sort((a, b) => b.weight - a.weight).map(({ item }) => item);
}
