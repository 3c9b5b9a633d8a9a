import { SETTINGS, type SettingValue, type Source } from "@loom/config";
import type { Invocation } from "../command-line/specification.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { terminalText } from "../output/terminal-text.ts";
import { loadSettings } from "../settings.ts";

/** Prints every setting. There is no secret among them: keys and tokens are not settings, only files are named. */
export async function run(invocation: Invocation): Promise<number> {
  const { config } = await loadSettings(invocation);
  const rows = SETTINGS.map(({ key }) => ({ key, value: config.get(key), source: config.sourceOf(key) }));
  if (invocation.flags.has("--json")) {
    const settings = Object.fromEntries(rows.map(({ key, value, source }) => [key, { value, source }]));
    process.stdout.write(`${JSON.stringify(settings, undefined, 2)}\n`);
    return exitCodeOf("ok");
  }
  const cells = rows.map(({ key, value, source }) => [`${key} = ${shownValue(value)}`, shownSource(source)] as const);
  const width = Math.max(...cells.map(([left]) => left.length));
  process.stdout.write(cells.map(([left, right]) => `${left.padEnd(width)}  # ${right}\n`).join(""));
  return exitCodeOf("ok");
}

function shownValue(value: SettingValue): string {
  return terminalText(JSON.stringify(value));
}

function shownSource(source: Source): string {
  switch (source.layer) {
    case "default":
      return "default";
    case "environment":
      return `environment ${source.variable}`;
    case "flag":
      return `flag ${source.flag}`;
    default:
      return terminalText(`${source.layer} ${source.file}:${source.line}`);
  }
}
