import { randomUUIDv7 } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isThreadId, type ThreadId } from "@loom/core";
import { type LoadedThread, loadThread } from "./conversation.ts";
import { systemCode, ThreadError } from "./errors.ts";
import { takeLease } from "./lease.ts";
import { THREAD_FORMAT } from "./record.ts";
import { summarise, type ThreadSummary } from "./thread-summary.ts";
import { ThreadWriter } from "./thread-writer.ts";

export type ThreadStoreOptions = {
  /** Usually `$XDG_DATA_HOME/loom/threads`. Made when it is first needed, for its owner only. */
  readonly directory: string;
  /** Milliseconds since 1970; the system's clock unless given. */
  readonly now?: () => number;
};

export type OpenedThread = { readonly thread: LoadedThread; readonly writer: ThreadWriter };

/** The threads of one person on this machine: one append-only file of JSON lines each. */
export type ThreadStore = {
  readonly directory: string;
  /** A new thread, open for writing. Its file appears with the first event that matters. */
  create(thread: { readonly workspace: string; readonly loomVersion: string }): ThreadWriter;
  /**
   * An existing thread, to go on with. Only one process at a time may.
   * @throws ThreadError `thread_not_found`, `thread_in_use`, `thread_damaged`, `thread_too_new`, `thread_not_saved`.
   */
  open(id: ThreadId): OpenedThread;
  /** An existing thread, to read; also while another process writes it. @throws ThreadError as `open`, bar the lease. */
  load(id: ThreadId): LoadedThread;
  /** The threads that were used last, newest first; a file that is no thread is left out. */
  list(options?: { readonly limit?: number; readonly workspace?: string }): ThreadSummary[];
  /**
   * The thread whose id begins with `text` (with or without `T-`), or ends with it (4 characters or more).
   * @throws ThreadError `thread_not_found`, `thread_ambiguous`.
   */
  resolve(text: string): ThreadId;
};

const SUFFIX = ".jsonl";
const MIN_ENDING = 4;
const DEFAULT_LIST_LIMIT = 50;

export function createThreadStore({ directory, now = Date.now }: ThreadStoreOptions): ThreadStore {
  const fileOf = (id: ThreadId) => join(directory, `${id}${SUFFIX}`);
  const leaseOf = (id: ThreadId) => () => takeLease(join(directory, "leases"), id);

  return {
    directory,
    create({ workspace, loomVersion }) {
      const id: ThreadId = `T-${randomUUIDv7()}`;
      const writer = new ThreadWriter({ id, file: fileOf(id), goodBytes: undefined, takeLease: leaseOf(id), now });
      const createdAt = new Date(now()).toISOString();
      writer.append({ type: "thread", v: THREAD_FORMAT, id, createdAt, workspace, loomVersion });
      return writer;
    },
    open(id) {
      const file = fileOf(id);
      if (!exists(file)) throw notFound(id, directory);
      const lease = leaseOf(id)();
      try {
        const thread = loadThread(file);
        const { goodBytes } = thread;
        return { thread, writer: new ThreadWriter({ id, file, goodBytes, takeLease: () => lease, now }) };
      } catch (error) {
        lease.release();
        throw error;
      }
    },
    load: (id) => loadThread(fileOf(id)),
    list({ limit = DEFAULT_LIST_LIMIT, workspace } = {}) {
      const found: ThreadSummary[] = [];
      for (const file of filesByLastUse(directory)) {
        if (found.length >= limit) break;
        const summary = summariseIfThread(file);
        if (summary !== undefined && (workspace === undefined || summary.workspace === workspace)) found.push(summary);
      }
      return found;
    },
    resolve(text) {
      const wanted = text.trim().toLowerCase().replace(/^t-/, "");
      const ids = threadIds(directory);
      const beginning = wanted === "" ? [] : ids.filter((id) => id.startsWith(`T-${wanted}`));
      const matches =
        beginning.length > 0 || wanted.length < MIN_ENDING ? beginning : ids.filter((id) => id.endsWith(wanted));
      const [first, second] = matches;
      if (first === undefined) throw notFound(text, directory);
      if (second === undefined) return first;
      const some = matches.slice(0, 3).join(", ");
      const message = `${matches.length} threads match ${text} (${some}${matches.length > 3 ? ", …" : ""}). Give more of the id.`;
      throw new ThreadError("thread_ambiguous", message);
    },
  };
}

function notFound(id: string, directory: string): ThreadError {
  return new ThreadError("thread_not_found", `There is no thread ${id} in ${directory}. See loom list.`);
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

function threadIds(directory: string): ThreadId[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => name.slice(0, -SUFFIX.length))
      .filter(isThreadId);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

function filesByLastUse(directory: string): string[] {
  return threadIds(directory)
    .map((id) => join(directory, `${id}${SUFFIX}`))
    .map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.at - a.at || (a.file < b.file ? 1 : -1))
    .map(({ file }) => file);
}

function summariseIfThread(file: string): ThreadSummary | undefined {
  try {
    return summarise(file);
  } catch {
    return undefined;
  }
}
