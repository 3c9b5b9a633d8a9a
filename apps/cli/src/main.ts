import { COMMANDS } from "./command-line/commands.ts";
import { helpText } from "./command-line/help.ts";
import { parseCommandLine } from "./command-line/parse.ts";
import { CliError, exitCodeOf } from "./exit-codes.ts";
import { printAtOnce } from "./output/print-at-once.ts";
import { versionLine } from "./version.ts";

/**
 * The `loom` process. Help and version are answered here, where next to nothing is loaded; everything else is one
 * command's module.
 */
async function main(words: readonly string[]): Promise<number> {
  const asked = words[0] === "help" ? [...words.slice(1), "--help"] : words;
  const invocation = parseCommandLine(asked, COMMANDS);
  const { command } = invocation;
  if (invocation.flags.has("--help")) {
    printAtOnce(helpText(command, COMMANDS));
    return exitCodeOf("ok");
  }
  if (invocation.flags.has("--version")) {
    printAtOnce(`${versionLine()}\n`);
    return exitCodeOf("ok");
  }
  // A reader that goes away (`loom list | head -1`) ends the process quietly; a conversation says more.
  process.stdout.on("error", () => process.exit(exitCodeOf("output_closed")));
  process.stderr.on("error", () => undefined);
  // A mistake of ours is told as a sentence: what Node prints by itself may quote a secret.
  process.on("uncaughtException", (error) => void exitCodeFor(error).then((code) => process.exit(code)));
  // Node would open a debugger, which shows all keys to whoever connects: a command of the agent's, for one.
  process.on("SIGUSR1", () => undefined);
  const { run } = await command.load();
  return run(invocation);
}

async function exitCodeFor(error: unknown): Promise<number> {
  if (error instanceof CliError) {
    process.stderr.write(`loom: ${error.message}\n`);
    return exitCodeOf(error.exit);
  }
  const { reportFailure } = await import("./failure.ts");
  return reportFailure(error);
}

// No await at the top: the bundle is a function.
void main(process.argv.slice(2))
  .catch(exitCodeFor)
  .then((code) => {
    process.exitCode = code;
  });
