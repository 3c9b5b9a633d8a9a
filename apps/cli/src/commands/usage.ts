import type { UsageReport } from "@loom/api/client";
import type { Invocation } from "../command-line/specification.ts";
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
  const from = sinceTime(textOf(invocation, "--since") ?? DEFAULT_SINCE, Date.now());
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

const UNITS = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?$/;

/** `12h`, `7d`, `2w`, a date (UTC) or a time of RFC 3339. */
function sinceTime(text: string, now: number): string {
  const [, count, unit] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && (unit === "h" || unit === "d" || unit === "w")) {
    return new Date(now - Number(count) * UNITS[unit]).toISOString();
  }
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new CliError("usage", "--since must be a time like 12h, 7d, 2w or 2026-01-31.");
}
