import { statSync } from "node:fs";
import { join } from "node:path";
import type { LoomDirectories } from "@loom/config";
import { createThreadStore, type ResumedThread, type ThreadStore, type ThreadWriter } from "@loom/threads";
import type { ThreadIndex } from "@loom/threads/thread-index";
import { CliError } from "./exit-codes.ts";

/** Which thread a conversation is in: a new one, the newest of the workspace, or the one a person named. */
export type ThreadChoice =
  | { readonly type: "new"; readonly private?: boolean }
  | { readonly type: "newest"; readonly fork: boolean }
  | {
      readonly type: "named";
      readonly text: string;
      readonly fork: boolean;
      /** The workspace was named: a thread whose own is not on this machine goes on there. */
      readonly here: boolean;
    };

export type OpenedThread = {
  readonly writer: ThreadWriter;
  /** Absent for a new one. */
  readonly thread?: ResumedThread;
  readonly notices: readonly string[];
  /** It is to stay on this machine. */
  readonly private: boolean;
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

export function threadsIn({ data }: LoomDirectories): string {
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
  if (choice.type === "new") {
    const isPrivate = choice.private ?? false;
    return { writer: store.create({ ...place, private: isPrivate }), notices: [], private: isPrivate };
  }
  const chosen = choice.type === "named" ? store.resolve(choice.text) : newest(store, place);
  const { workspace } = store.header(chosen);
  const isFromElsewhere = workspace !== place.workspace;
  if (isFromElsewhere && isDirectory(workspace)) {
    throw new CliError(
      "thread",
      `Thread ${chosen} belongs to ${workspace}: go there, or give --workspace ${workspace}.`,
    );
  }
  if (isFromElsewhere && !(choice.type === "named" && choice.here)) {
    throw new CliError(
      "thread",
      `Thread ${chosen} was begun in ${workspace}, which is not on this machine: give --workspace DIR to go on with it in DIR.`,
    );
  }
  const { thread, writer } = store.open(choice.fork ? store.fork(chosen) : chosen);
  const notices = [
    ...(isFromElsewhere ? [`The thread was begun in ${workspace}, which is not on this machine.`] : []),
    ...(choice.fork ? [`This is a copy of ${chosen}: ${writer.id}.`] : []),
    ...(thread.interrupted
      ? ["The last run of this thread was cut off; what was open then counts as interrupted."]
      : []),
    ...(thread.skipped > 0
      ? [`The thread is long: its first ${thread.skipped} messages are not sent to the model any more.`]
      : []),
  ];
  return { thread, writer, notices, private: thread.facts.private };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function newest(store: ThreadStore, { workspace }: { readonly workspace: string }) {
  const [thread] = store.list({ limit: 1, workspace });
  if (thread === undefined)
    throw new CliError("thread", `There is no thread in ${workspace} yet: start one with loom.`);
  return thread.id;
}
