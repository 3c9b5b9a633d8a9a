import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { terminalLine } from "../output/terminal-text.ts";
import { listEverywhere } from "../server-search.ts";
import { loadSettings } from "../settings.ts";
import { openIndex } from "../thread-access.ts";
import { filtersOf } from "../thread-filters.ts";

export async function run(invocation: Invocation): Promise<number> {
  const filters = filtersOf(invocation);
  const settings = await loadSettings(invocation);
  const { directories, workspace } = settings;
  const all = invocation.flags.has("--all");
  const index = await openIndex(directories);
  const everyone = invocation.flags.has("--everyone");
  const found = await listEverywhere(settings, index, { ...filters, ...(all ? {} : { workspace }) }, { everyone });
  index.close();
  const { items: threads, notice } = found;
  if (notice !== undefined) process.stderr.write(`${terminalLine(notice, 1_000)}\n`);
  if (invocation.flags.has("--json")) {
    process.stdout.write(`${JSON.stringify(threads, undefined, 2)}\n`);
    return exitCodeOf("ok");
  }
  if (threads.length === 0) {
    const hint = all ? "" : ` in ${workspace}; "loom list --all" shows those of every workspace`;
    process.stderr.write(`There are no threads${Object.keys(filters).length > 0 ? " like that" : ""}${hint}.\n`);
  }
  for (const thread of threads) process.stdout.write(`${line(thread, { all })}\n`);
  return exitCodeOf("ok");
}

type Listed = Awaited<ReturnType<typeof listEverywhere>>["items"][number];

function line(thread: Listed, { all }: { readonly all: boolean }): string {
  const { id, updatedAt, workspace, title, tags, pinned, damagedLines } = thread;
  const where = all ? `  ${terminalLine(workspace, 40)}` : "";
  const marks = [
    ...(thread.on === "server" ? ["on the server"] : []),
    ...(pinned ? ["pinned"] : []),
    ...(thread.private ? ["private"] : []),
    ...(damagedLines.length > 0 ? ["damaged"] : []),
    ...tags.map((tag) => `#${terminalLine(tag, 30)}`),
  ];
  const end = marks.length === 0 ? "" : `  [${marks.join(" ")}]`;
  return `${id}  ${updatedAt.slice(0, 16).replace("T", " ")}${where}  ${terminalLine(title, 60)}${end}`;
}
