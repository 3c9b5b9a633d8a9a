import { purgeThread } from "@loom/threads/garbage";
import type { Invocation } from "../command-line/specification.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { loadSettings } from "../settings.ts";
import { openIndex, openThreadStore } from "../thread-access.ts";

/** Into the trash, or with --now for good. A pinned thread is not removed by accident. */
export async function run(invocation: Invocation): Promise<number> {
  const { directories, config } = await loadSettings(invocation);
  const store = openThreadStore(directories);
  const id = store.resolve(invocation.arguments[0] ?? "");
  const index = await openIndex(directories);
  const thread = index.list({ id })[0] ?? index.list({ id, deleted: true })[0];
  if (thread?.pinned === true) {
    index.close();
    throw new CliError("thread", `Thread ${id} is pinned: run "loom threads pin ${id} --undo" first.`);
  }
  try {
    if (invocation.flags.has("--now")) {
      purgeThread(store.directory, thread ?? store.load(id).facts, Date.now());
      // What can be found of it goes with it.
      index.list({ limit: 1 });
      process.stderr.write(`Thread ${id} is gone.\n`);
    } else {
      await store.change(id, { deleted: true });
      const days = config.get("threads.trash_days");
      process.stderr.write(
        `Thread ${id} is in the trash; for ${days} days, "loom threads restore ${id}" brings it back.\n`,
      );
    }
  } finally {
    index.close();
  }
  return exitCodeOf("ok");
}
