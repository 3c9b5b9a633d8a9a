import { ThreadError } from "@loom/threads";
import type { Invocation } from "../command-line/specification.ts";
import { loadSettings } from "../settings.ts";
import { startChat } from "../start-chat.ts";
import { openThreadStore } from "../thread-access.ts";

/** How long a thread may take that is not on this machine yet. */
const FETCH_MS = 30_000;

export async function run(invocation: Invocation): Promise<number> {
  const [text] = invocation.arguments;
  const fork = invocation.flags.has("--fork");
  if (text === undefined) return startChat(invocation, { type: "newest", fork });
  await bringFromServer(invocation, text);
  return startChat(invocation, { type: "named", text, fork, here: invocation.flags.has("--workspace") });
}

/** A thread of another machine that has not come down yet. */
async function bringFromServer(invocation: Invocation, text: string): Promise<void> {
  const settings = await loadSettings(invocation);
  if (settings.config.get("server.url") === "") return;
  try {
    openThreadStore(settings.directories).resolve(text);
  } catch (error) {
    if (!(error instanceof ThreadError) || error.code !== "thread_not_found") return;
    const { openServerThreads } = await import("../server-threads.ts");
    const { sync, close, server } = openServerThreads(settings);
    process.stderr.write(`Looking for ${JSON.stringify(text)} on ${server} ...\n`);
    // What goes wrong is said when the thread is not found.
    await sync.run({ signal: AbortSignal.timeout(FETCH_MS), hurry: true }).catch(() => undefined);
    close();
  }
}
