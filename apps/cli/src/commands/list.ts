import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { terminalLine } from "../output/terminal-text.ts";
import { loadSettings } from "../settings.ts";
import { openThreadStore } from "../thread-access.ts";

const MAX_LISTED = 1_000;

export async function run(invocation: Invocation): Promise<number> {
  const { directories, workspace } = await loadSettings(invocation);
  const store = openThreadStore(directories);
  const all = invocation.flags.has("--all");
  const threads = store.list({ limit: MAX_LISTED, ...(all ? {} : { workspace }) });
  if (invocation.flags.has("--json")) {
    process.stdout.write(`${JSON.stringify(threads, undefined, 2)}\n`);
    return exitCodeOf("ok");
  }
  if (threads.length === 0) {
    const hint = all ? "" : ` in ${workspace}; "loom list --all" shows those of every workspace`;
    process.stderr.write(`There are no threads${hint}.\n`);
  }
  for (const thread of threads) {
    const where = all ? `  ${terminalLine(thread.workspace, 40)}` : "";
    const title = terminalLine(thread.title, 60);
    process.stdout.write(`${thread.id}  ${thread.updatedAt.slice(0, 16).replace("T", " ")}${where}  ${title}\n`);
  }
  return exitCodeOf("ok");
}
