import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { machine, table } from "../markdown.ts";
import type { Findings } from "./findings.ts";
import { verdictsOf } from "./verdicts.ts";

export type { Findings };

const RESULTS = join(import.meta.dirname, "..", "results");
const MAX_SHOWN = 40;

/** Prints the report, keeps it in `results/`, and says whether everything holds. */
export function report(findings: Findings, directory: string): boolean {
  const verdicts = verdictsOf(findings);
  const holds = verdicts.every((verdict) => verdict.holds);
  const { reconciliation, options, restarts, asked, locks, skipped, startedMs, endedMs, cpuShare, provider } = findings;
  const minutes = ((endedMs - startedMs) / 60_000).toFixed(1);
  const problems = [...findings.problems, ...reconciliation.problems];
  const text = [
    `# Soak: ${holds ? "everything holds" : "something does not hold"}`,
    `${asked.length} requests in ${minutes} minutes (${options.rps} a second, seed ${options.seed}; ${skipped} skipped) on ${machine()}. ` +
      `The server used ${(cpuShare * 100).toFixed(0)} % of a core. The database was locked ${locks} times.`,
    table([
      ["what has to hold", "found", ""],
      ...verdicts.map(({ what, found, holds: held }) => [what, found, held ? "holds" : "DOES NOT HOLD"]),
    ]),
    "## Requests",
    table([["seen by the client", "requests"], ...counts(asked.map(seen))]),
    table([["row of the ledger", "rows"], ...counts(findings.books.rows.map(({ outcome }) => outcome))]),
    "## Restarts",
    table([
      ["kind", "after", "took", "exit", "open requests"],
      ...restarts.map(({ kind, atMs, goneMs, exit, open }) => [
        kind,
        `${((atMs - startedMs) / 60_000).toFixed(1)} min`,
        `${goneMs - atMs} ms`,
        String(exit),
        String(open),
      ]),
    ]),
    `Requests without a plan that reached the provider: ${JSON.stringify(provider.strays)}.`,
    `Cut off by kills: ${reconciliation.lost} rows; ${reconciliation.withoutRow} requests that had reached nobody have none.`,
    ...(problems.length === 0
      ? []
      : [
          `## Problems (${problems.length})`,
          problems
            .slice(0, MAX_SHOWN)
            .map((each) => `- ${each}`)
            .join("\n"),
        ]),
  ].join("\n\n");
  console.log(`\n${text}`);
  mkdirSync(RESULTS, { recursive: true });
  const { books, asked: _asked, served, tokenIds: _ids, ...kept } = findings;
  writeFileSync(join(RESULTS, "soak.md"), `${text}\n`);
  writeFileSync(join(RESULTS, "soak.json"), `${JSON.stringify({ machine: machine(), verdicts, ...kept }, null, 2)}\n`);
  if (!holds) {
    const everything = { restarts, asked, served: [...served], rows: books.rows };
    writeFileSync(join(directory, "requests.json"), JSON.stringify(everything));
    console.log(`\nThe server's data and log, and all requests as the three sides saw them, are in ${directory}.`);
  }
  return holds;
}

function seen({ status, whole, leftMs, broken }: Findings["asked"][number]): string {
  if (leftMs !== undefined) return "left by itself";
  if (whole) return "whole";
  if (status === 0) return `no answer (${broken ?? "closed"})`;
  return status === 200 ? "began and broke off, or held an error" : `status ${status}`;
}

function counts(names: readonly string[]): string[][] {
  const groups = Object.entries(Object.groupBy(names, (name) => name));
  return groups.map(([name, all = []]) => [name, String(all.length)]).sort((a, b) => Number(b[1]) - Number(a[1]));
}
