import { type Transcript, transcriptOf } from "@loom/threads/transcript";
import type { Invocation } from "./command-line/specification.ts";
import { loadSettings } from "./settings.ts";
import { openThreadStore } from "./thread-access.ts";

/** The thread that the command's first argument names, to be read; also while a session writes it. @throws ThreadError. */
export async function readThread(invocation: Invocation): Promise<Transcript> {
  const { directories } = await loadSettings(invocation);
  const store = openThreadStore(directories);
  return transcriptOf(store.directory, store.resolve(invocation.arguments[0] ?? ""));
}
