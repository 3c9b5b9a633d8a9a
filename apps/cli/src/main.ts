import { COMMANDS } from "./command-line/commands.ts";
import { parseCommandLine } from "./command-line/parse.ts";
import { CliError, exitCodeOf } from "./exit-codes.ts";

/**
 * The `loom` process. Help and version are answered here, where next to nothing is loaded; everything else is one
 * command's module.
 */
async function main(words: readonly string[]): Promise<number> {
  const asked = words[0] === "help" ? [...words.slice(1), "--help"] : words;
  const invocation = parseCommandLine(asked, COMMANDS);
  const { command } = invocation;
  if (invocation.flags.has("--help")) {
    const { helpText } = await import("./command-line/help.ts");
    process.stdout.write(helpText(command, COMMANDS));
    return exitCodeOf("ok");
  }
  if (invocation.flags.has("--version")) {
    const { versionLine } = await import("./version.ts");
    process.stdout.write(`${versionLine()}\n`);
    return exitCodeOf("ok");
  }
  const { run } = await command.load();
  return run(invocation);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CliError) {
    process.stderr.write(`loom: ${error.message}\n`);
    process.exitCode = exitCodeOf(error.exit);
  } else {
    const { reportFailure } = await import("./failure.ts");
    process.exitCode = await reportFailure(error);
  }
}
