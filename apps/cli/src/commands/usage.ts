import type { UsageReport } from "@loom/api/client";
import type { Invocation } from "../command-line/specification.ts";
import { pastTime } from "../command-line/time.ts";
import { connect } from "../connection.ts";
import { splitEnvironment } from "../environment.ts";
import { CliError, exitCodeOf } from "../exit-codes.ts";
import { usageTable } from "../output/usage-table.ts";
import { loadSettings, textOf } from "../settings.ts";

const DEFAULT_BY = "model";
const DEFAULT_SINCE = "30d";

/** Asks the server what was used, and prints it. */
export async function run(invocation: Invocation): Promise<number> {
  if (invocation.flags.has("--json") && invocation.flags.has("--csv")) {
    throw new CliError("usage", "--json and --csv exclude each other.");
  }
  const from = pastTime("--since", textOf(invocation, "--since") ?? DEFAULT_SINCE, Date.now());
  const settings = await loadSettings(invocation);
  const connection = await connect(settings, splitEnvironment().withKeys, { forModels: false });
  try {
    const report = await connection.client.usage({ groupBy: textOf(invocation, "--by") ?? DEFAULT_BY, from });
    process.stdout.write(await rendered(report, invocation));
  } finally {
    await connection.close();
  }
  return exitCodeOf("ok");
}

async function rendered(report: UsageReport, { flags }: Invocation): Promise<string> {
  if (flags.has("--json")) return `${JSON.stringify(report, undefined, 2)}\n`;
  if (!flags.has("--csv")) return usageTable(report);
  const { usageCsv } = await import("@loom/api/usage-csv");
  return usageCsv(report);
}
