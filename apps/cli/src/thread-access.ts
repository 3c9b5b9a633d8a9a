import { join } from "node:path";
import type { LoomDirectories } from "@loom/config";
import { createThreadStore, type ThreadStore } from "@loom/threads";

/** The person's threads: `$XDG_DATA_HOME/loom/threads`. */
export function openThreadStore(directories: LoomDirectories): ThreadStore {
  return createThreadStore({ directory: join(directories.data, "threads") });
}
