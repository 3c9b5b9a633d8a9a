import type { SearchHit } from "@loom/threads/thread-index";
import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { highlighted } from "../output/highlighted.ts";
import { terminalLine } from "../output/terminal-text.ts";
import { type Place, searchEverywhere } from "../server-search.ts";
import { loadSettings } from "../settings.ts";
import { openIndex } from "../thread-access.ts";
import { filtersOf } from "../thread-filters.ts";

/** Searches the threads of this machine and of the server. Finding nothing is no failure. */
export async function run(invocation: Invocation): Promise<number> {
  const [query = ""] = invocation.arguments;
  const filters = filtersOf(invocation);
  const settings = await loadSettings(invocation);
  const { directories, workspace } = settings;
  const index = await openIndex(directories);
  const wanted = { ...filters, ...(invocation.flags.has("--here") ? { workspace } : {}) };
  const everyone = invocation.flags.has("--everyone");
  const { items: hits, notice } = await searchEverywhere(settings, index, query, wanted, { everyone });
  index.close();
  if (notice !== undefined) process.stderr.write(`${terminalLine(notice, 1_000)}\n`);
  if (invocation.flags.has("--json")) {
    process.stdout.write(`${JSON.stringify(hits, undefined, 2)}\n`);
    return exitCodeOf("ok");
  }
  if (hits.length === 0) process.stderr.write("Nothing was found.\n");
  const colours = process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";
  let previous: string | undefined;
  for (const hit of hits) {
    if (hit.threadId !== previous) process.stdout.write(`${head(hit, previous !== undefined)}\n`);
    previous = hit.threadId;
    process.stdout.write(`  ${place(hit)}  ${highlighted(hit.snippet, { colours })}\n`);
  }
  return exitCodeOf("ok");
}

function head({ threadId, at, title, on }: SearchHit & Place, apart: boolean): string {
  const where = on === "server" ? "  [on the server]" : "";
  return `${apart ? "\n" : ""}${threadId}  ${at.slice(0, 10)}  ${terminalLine(title, 80)}${where}`;
}

function place({ role, turn }: SearchHit): string {
  return turn === 0 ? role : `turn ${turn}, ${role}`;
}
