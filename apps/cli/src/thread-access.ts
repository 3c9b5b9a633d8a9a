import { join } from "node:path";
import type { LoomDirectories } from "@loom/config";
import { createThreadStore, type ResumedThread, type ThreadStore, type ThreadWriter } from "@loom/threads";
import { CliError } from "./exit-codes.ts";

/** Which thread a conversation is in: a new one, the newest of the workspace, or the one a person named. */
export type ThreadChoice =
  | { readonly type: "new" }
  | { readonly type: "newest" }
  | { readonly type: "named"; readonly text: string };

export type OpenedThread = {
  readonly writer: ThreadWriter;
  /** Absent for a new one. */
  readonly thread?: ResumedThread;
  readonly notices: readonly string[];
};

/** The person's threads: `$XDG_DATA_HOME/loom/threads`. */
export function openThreadStore(directories: LoomDirectories): ThreadStore {
  return createThreadStore({ directory: join(directories.data, "threads") });
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
  const { thread, writer } = store.open(choice.type === "named" ? store.resolve(choice.text) : newest(store, place));
  const { id, workspace } = thread.header;
  if (workspace !== place.workspace) {
    void writer.close();
    throw new CliError("thread", `Thread ${id} belongs to ${workspace}: go there, or give --workspace ${workspace}.`);
  }
  const notice = "The last run of this thread was cut off; what was open then counts as interrupted.";
  return { thread, writer, notices: thread.interrupted ? [notice] : [] };
}

function newest(store: ThreadStore, { workspace }: { readonly workspace: string }) {
  const [thread] = store.list({ limit: 1, workspace });
  if (thread === undefined)
    throw new CliError("thread", `There is no thread in ${workspace} yet: start one with loom.`);
  return thread.id;
}
