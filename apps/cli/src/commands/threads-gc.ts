import { type CleanUp, collectGarbage } from "@loom/threads/garbage";
import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { terminalLine } from "../output/terminal-text.ts";
import { loadSettings } from "../settings.ts";
import { openThreadStore } from "../thread-access.ts";

export async function run(invocation: Invocation): Promise<number> {
  const { directories, config } = await loadSettings(invocation);
  const dryRun = invocation.flags.has("--dry-run");
  const cleanUp = collectGarbage({
    directory: openThreadStore(directories).directory,
    retentionDays: config.get("threads.retention_days"),
    trashDays: config.get("threads.trash_days"),
    dryRun,
    now: Date.now(),
  });
  process.stdout.write(
    invocation.flags.has("--json") ? `${JSON.stringify(cleanUp, undefined, 2)}\n` : report(cleanUp, dryRun),
  );
  for (const notice of cleanUp.notices) process.stderr.write(`${terminalLine(notice, 1_000)}\n`);
  return exitCodeOf("ok");
}

function report({ threads, files }: CleanUp, dryRun: boolean): string {
  const rows = threads.map(
    ({ id, updatedAt, why, bytes, title }) =>
      `${id}  ${updatedAt.slice(0, 10)}  ${why}  ${size(bytes)}  ${terminalLine(title, 60)}\n`,
  );
  const verb = dryRun ? "Would be removed" : "Removed";
  return `${rows.join("")}${verb}: ${threads.length} threads, ${files.count} files that no thread needs (${size(files.bytes)}).\n`;
}

function size(bytes: number): string {
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
