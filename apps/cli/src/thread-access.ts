import { join } from "node:path";
import type { LoomDirectories } from "@loom/config";
import { createThreadStore, type ResumedThread, type ThreadStore, type ThreadWriter } from "@loom/threads";
import type { ThreadIndex } from "@loom/threads/thread-index";
import { CliError } from "./exit-codes.ts";

/** Which thread a conversation is in: a new one, the newest of the workspace, or the one a person named. */
export type ThreadChoice =
  | { readonly type: "new" }
  | { readonly type: "newest"; readonly fork: boolean }
  | { readonly type: "named"; readonly text: string; readonly fork: boolean };

export type OpenedThread = {
  readonly writer: ThreadWriter;
  /** Absent for a new one. */
  readonly thread?: ResumedThread;
  readonly notices: readonly string[];
};

/** The person's threads: `$XDG_DATA_HOME/loom/threads`. */
export function openThreadStore(directories: LoomDirectories): ThreadStore {
  return createThreadStore({ directory: threadsIn(directories) });
}

/** The index over them, brought up to date. */
export async function openIndex(directories: LoomDirectories): Promise<ThreadIndex> {
  const { openThreadIndex } = await import("@loom/threads/thread-index");
  return openThreadIndex({ directory: threadsIn(directories) });
}

function threadsIn({ data }: LoomDirectories): string {
  return join(data, "threads");
}

/**
 * Opens the thread that was chosen, for writing.
 * @throws ThreadError; CliError `thread` where the workspace has none, or the thread belongs to another workspace.
 */
export function openThread(
  directories: LoomDirectories,
  choice: ThreadChoice,
  place: { readonly workspace: string; readonly loomVersion: string },
): OpenedThread {
  const store = openThreadStore(directories);
  if (choice.type === "new") return { writer: store.create(place), notices: [] };
  const chosen = choice.type === "named" ? store.resolve(choice.text) : newest(store, place);
  const { workspace } = store.header(chosen);
  if (workspace !== place.workspace) {
    throw new CliError(
      "thread",
      `Thread ${chosen} belongs to ${workspace}: go there, or give --workspace ${workspace}.`,
    );
  }
  const { thread, writer } = store.open(choice.fork ? store.fork(chosen) : chosen);
  const notices = [
    ...(choice.fork ? [`This is a copy of ${chosen}: ${writer.id}.`] : []),
    ...(thread.interrupted
      ? ["The last run of this thread was cut off; what was open then counts as interrupted."]
      : []),
    ...(thread.skipped > 0
      ? [`The thread is long: its first ${thread.skipped} messages are not sent to the model any more.`]
      : []),
  ];
  return { thread, writer, notices };
}

function newest(store: ThreadStore, { workspace }: { readonly workspace: string }) {
  const [thread] = store.list({ limit: 1, workspace });
  if (thread === undefined)
    throw new CliError("thread", `There is no thread in ${workspace} yet: start one with loom.`);
  return thread.id;
}
