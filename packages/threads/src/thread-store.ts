import { randomUUIDv7 } from "node:crypto";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { isThreadId, type ThreadId } from "@loom/core";
import { type LoadedThread, loadThread } from "./conversation.ts";
import { inTrash, systemCode, ThreadError } from "./errors.ts";
import { forkThread } from "./fork.ts";
import { takeLease } from "./lease.ts";
import { OutputStore } from "./output-store.ts";
import { THREAD_FORMAT, type ThreadHeader, type ThreadMetadata } from "./record.ts";
import { CHECKPOINT_BYTES, type ResumedThread, renewCheckpoint, resumeThread } from "./resume.ts";
import { endOfLastLine } from "./thread-lines.ts";
import { headerOf, summarise, type ThreadSummary } from "./thread-summary.ts";
import { ThreadWriter } from "./thread-writer.ts";

export type ThreadStoreOptions = {
  /** Usually `$XDG_DATA_HOME/loom/threads`. Made when it is first needed, for its owner only. */
  readonly directory: string;
  /** Milliseconds since 1970; the system's clock unless given. */
  readonly now?: () => number;
};

export type OpenedThread = { readonly thread: ResumedThread; readonly writer: ThreadWriter };

/** What a person changes of a thread beside talking in it. */
export type ThreadChange = ThreadMetadata & { readonly title?: string };

export type NewThread = {
  readonly workspace: string;
  readonly loomVersion: string;
  /** It never leaves this machine. */
  readonly private?: boolean;
};

/** The threads of one person on this machine: one append-only file of JSON lines each. */
export type ThreadStore = {
  readonly directory: string;
  /** A new thread, open for writing. Its file appears with the first event that matters. */
  create(thread: NewThread): ThreadWriter;
  /**
   * An existing thread, to go on with. Only one process at a time may.
   * @throws ThreadError `thread_not_found`, `thread_in_use`, `thread_deleted`, `thread_damaged`, `thread_too_new`,
   *   `thread_not_saved`.
   */
  open(id: ThreadId): OpenedThread;
  /** How the thread began: the first line of its file. @throws ThreadError as `load`. */
  header(id: ThreadId): ThreadHeader;
  /** An existing thread, to read; also while another process writes it. @throws ThreadError as `open`, bar the lease. */
  load(id: ThreadId): LoadedThread;
  /**
   * Appends what changes, and nothing else is read or written, however long the thread is.
   * @throws ThreadError as `open`.
   */
  change(id: ThreadId, change: ThreadChange): Promise<void>;
  /**
   * A copy of a thread as it is now, to go on with apart from it; also while another process writes the thread.
   * @throws ThreadError `thread_not_found`, `thread_damaged`, `thread_too_new`, `thread_not_saved`.
   */
  fork(id: ThreadId): ThreadId;
  /**
   * The threads that were used last, newest first, without those in the trash; a file that is no thread is left out.
   * Reads only the ends of each file; the index knows more (`@loom/threads/thread-index`).
   */
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
  const outputs = new OutputStore(join(directory, "outputs"));
  const fileOf = (id: ThreadId) => threadFile(directory, id);
  const leaseOf = (id: ThreadId) => () => takeLease(leasesIn(directory), id);
  const growthOf = (id: ThreadId, file: string) => ({
    everyBytes: CHECKPOINT_BYTES,
    call: () => renewCheckpoint(file, id),
  });

  return {
    directory,
    create({ workspace, loomVersion, private: isPrivate = false }) {
      const id: ThreadId = `T-${randomUUIDv7()}`;
      const file = fileOf(id);
      const takeLease = leaseOf(id);
      const onGrowth = growthOf(id, file);
      const writer = new ThreadWriter({ id, file, goodBytes: undefined, takeLease, now, outputs, onGrowth });
      const createdAt = new Date(now()).toISOString();
      const header: ThreadHeader = { type: "thread", v: THREAD_FORMAT, id, createdAt, workspace, loomVersion };
      writer.append(isPrivate ? { ...header, private: true } : header);
      return writer;
    },
    open(id) {
      const file = fileOf(id);
      if (!exists(file)) throw notFound(id, directory);
      const lease = leaseOf(id)();
      try {
        const thread = resumeThread(file, id);
        const { goodBytes, header, facts } = thread;
        if (facts.deletedAt !== undefined) throw inTrash(id);
        const onGrowth = growthOf(id, file);
        const target = { id, file, goodBytes, takeLease: () => lease, now, onGrowth };
        return { thread, writer: new ThreadWriter(header.v < THREAD_FORMAT ? target : { ...target, outputs }) };
      } catch (error) {
        lease.release();
        throw error;
      }
    },
    header(id) {
      const file = fileOf(id);
      if (!exists(file)) throw notFound(id, directory);
      return headerOf(file);
    },
    load: (id) => loadThread(fileOf(id)),
    async change(id, { title, ...metadata }) {
      const file = fileOf(id);
      const before = statSync(file, { throwIfNoEntry: false });
      if (before === undefined) throw notFound(id, directory);
      const lease = leaseOf(id)();
      let writer: ThreadWriter;
      try {
        headerOf(file);
        writer = new ThreadWriter({ id, file, goodBytes: endOfLastLine(file), takeLease: () => lease, now });
      } catch (error) {
        lease.release();
        throw error;
      }
      const at = new Date(now()).toISOString();
      if (title !== undefined) writer.append({ type: "title", at, title });
      if (Object.keys(metadata).length > 0) writer.append({ type: "metadata", at, ...metadata });
      const problem = await writer.close();
      if (problem !== undefined) throw problem;
      // A file's time says when the thread was last used: naming an old one does not make it the newest.
      utimesSync(file, before.atime, before.mtime);
    },
    fork(id) {
      const file = fileOf(id);
      if (!exists(file)) throw notFound(id, directory);
      if (summarise(file).deleted) throw inTrash(id);
      return forkThread(file, { fileOf, now: now() });
    },
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

/** Where a thread of a directory is. */
export function threadFile(directory: string, id: ThreadId): string {
  return join(directory, `${id}${SUFFIX}`);
}

export function leasesIn(directory: string): string {
  return join(directory, "leases");
}

/** The threads of a directory, in no order; none where it does not exist. */
export function threadIds(directory: string): ThreadId[] {
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

function notFound(id: string, directory: string): ThreadError {
  return new ThreadError("thread_not_found", `There is no thread ${id} in ${directory}. See loom list.`);
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

function filesByLastUse(directory: string): string[] {
  return threadIds(directory)
    .map((id) => threadFile(directory, id))
    .map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.at - a.at || (a.file < b.file ? 1 : -1))
    .map(({ file }) => file);
}

function summariseIfThread(file: string): ThreadSummary | undefined {
  try {
    const summary = summarise(file);
    return summary.deleted ? undefined : summary;
  } catch {
    return undefined;
  }
}
